"""storage: size and reading time of CAMs and CRF seeds."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.experiment import paper
from benchmarks.pictures import photograph, score_maps, two_classes
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of, scaled
from wsss_core.data.score_maps import ScoreReader, ScoreRecord, ScoreWriter
from wsss_core.stages.crf_seeds import crf_seed

NUMBER = 8
CLASS_NAMES = tuple(f"class{k}" for k in range(1, 21))


def save_dicts(folder: Path, image_id: str, cam: ScoreRecord, seed: ScoreRecord) -> int:
    """Writes pickled dicts of float32 maps, as usual (psa, SEAM); returns their size in bytes."""
    maps = {"cam": dict(zip(cam.class_ids, cam.scores, strict=True))}
    for name, scores in zip(("strong", "weak"), seed.scores, strict=True):
        maps[name] = dict(zip(seed.class_ids, scores, strict=True))
    total = 0
    for name, content in maps.items():
        path = folder / f"{image_id}_{name}.npy"
        np.save(path, content, allow_pickle=True)  # type: ignore[arg-type]
        total += path.stat().st_size
    return total


def run(device: torch.device) -> list[Row]:
    """Usual: one pickle per image and map. Ours: 8 bits per score, one file per shard."""
    config = paper().crf_seeds
    rng = np.random.default_rng(0)
    usual_bytes = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cams, seeds = folder / "cams.npz", folder / "seeds.npz"
        with (
            ScoreWriter(cams, kind="cam", class_names=CLASS_NAMES) as cam_file,
            ScoreWriter(seeds, kind="seed", class_names=CLASS_NAMES) as seed_file,
        ):
            for index in range(NUMBER):
                cam = ScoreRecord(two_classes(rng), score_maps(rng, 2))
                seed = ScoreRecord((0, *cam.class_ids), crf_seed(photograph(rng), cam, config))
                cam_file.write(f"i{index}", *cam)
                seed_file.write(f"i{index}", *seed)
                usual_bytes += save_dicts(folder, f"i{index}", cam, seed)
        own_bytes = cams.stat().st_size + seeds.stat().st_size
        reader = ScoreReader([seeds], kind="seed", class_names=CLASS_NAMES)

        def usual() -> list[Any]:
            names = (folder / f"i3_{side}.npy" for side in ("strong", "weak"))
            return [np.load(path, allow_pickle=True).item() for path in names]

        seconds = compare(lambda: reader.read("i3"), usual)
    kilobytes = own_bytes / NUMBER / 1024, usual_bytes / NUMBER / 1024
    milliseconds = scaled(seconds, 1000)
    return [
        Row("storage", *kilobytes, "KB/image", "10x", name_of(device)),
        Row("storage_reading", *milliseconds, "ms/image", "<= 50", name_of(device)),
    ]
