"""crf: the dense CRF for the present classes, on several cores."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.experiment import paper
from benchmarks.pictures import NUM_CLASSES, photograph, score_maps, two_classes, write_dataset
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of, scaled
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.ops.crf import dense_crf
from wsss_core.stages.crf_seeds import crf_seeds

NUMBER = 24
PROCESSES = 2


def run(device: torch.device) -> list[Row]:
    """Usual: one process, all classes. Ours: two processes, the present classes."""
    config = paper().crf_seeds
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(Path(folder, "data"), NUMBER)
        cams = Path(folder, "cams.npz")
        with ScoreWriter(cams, kind="cam", class_names=dataset.class_names) as writer:
            for image_id, label in dataset.labels.items():
                ids = [int(k) + 1 for k in np.flatnonzero(label)]
                writer.write(image_id, ids, score_maps(rng, len(ids)))
        reader = ScoreReader([cams], kind="cam", class_names=dataset.class_names)

        def stage(processes: int) -> None:
            for _ in crf_seeds(
                dataset, reader, reader.image_ids, config=config, processes=processes
            ):
                pass

        seconds = compare(lambda: stage(PROCESSES), lambda: stage(1), repetitions=3)

    image, present = photograph(rng), score_maps(rng, 1 + len(two_classes(rng)))
    absent = np.full((NUM_CLASSES + 1 - len(present), *present.shape[1:]), 1e-5, np.float32)
    everything = np.concatenate([present, absent])
    settings = config.crf.model_dump()
    labels = compare(
        lambda: dense_crf(image, present, **settings),
        lambda: dense_crf(image, everything, **settings),
        repetitions=3,
    )
    return [
        Row("crf", *scaled(seconds, 1 / NUMBER), "s/image", "1.8x", name_of(device)),
        Row("crf_labels", *labels, "s/image", "1x", name_of(device)),
    ]
