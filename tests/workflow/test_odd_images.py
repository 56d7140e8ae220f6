"""Tests that every stage works with images of one pixel, or one pixel wide or high."""

import csv
import json
import sys
from importlib import import_module

import numpy as np
import pytest
import yaml
from PIL import Image
from snakemake.utils import update_config

from tests.conftest import TRAIN_IDS, VAL_IDS, write_tiny_dataset
from tests.workflow.running import PROJECT
from wsss_core.config.experiment import load_experiment, training_sections
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_mask, write_mask
from wsss_core.data.score_maps import ScoreReader

SIZES = [(1, 1), (1, 700), (700, 2)]  # height, width
SPLITS = {"train": TRAIN_IDS, "val": VAL_IDS}
ODD = {f"{split}_{h}x{w}": (h, w) for split in SPLITS for h, w in SIZES}


def write_odd_dataset(root):
    """The tiny dataset, all of it scored, and noise in odd sizes that is said to show both classes.

    Their masks are noise as well.
    """
    write_tiny_dataset(root)
    rng = np.random.default_rng(0)
    for image_id, size in ODD.items():
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(image).save(root / "images" / f"{image_id}.png")
        write_mask(root / "masks" / f"{image_id}.png", rng.integers(0, 3, size, dtype=np.uint8))
    with (root / "labels.csv").open("a") as file:
        file.writelines(f"{image_id},1,1\n" for image_id in ODD)
    for split, ids in SPLITS.items():
        listed = [*ids, *(image_id for image_id in ODD if image_id.startswith(split))]
        for name in ("train_aug", "train") if split == "train" else (split,):
            (root / "splits" / f"{name}.txt").write_text("\n".join(listed))


def read_config():
    """The config of the tiny run, with scales below and above 1; batches leave no image out."""
    config = yaml.safe_load((PROJECT / "config.yaml").read_text())
    scales = {"scales": [0.5, 1.5], "flip": True}
    tiny = yaml.safe_load((PROJECT / "tests/workflow/tiny.yaml").read_text())
    batches = {name: {"batch_size": 3} for name in ("classifier", "affinity", "segmenter")}
    for changes in (tiny, {"cam": scales, "segment": scales}, batches):
        update_config(config, changes)
    return load_experiment(config)


def run(script, **options):
    """Calls the program of a stage in this process; all files are named from the directory."""
    arguments = []
    for name, value in options.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        arguments += [f"--{name.replace('_', '-')}", *map(str, values)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, *arguments])
        import_module(f"workflow_scripts.{script}").main()


def train_classifier(method, experiment, **inputs):
    config = json.dumps(training_sections(experiment, method))
    outputs = {"output": f"{method}/weights.pt", "history": f"{method}/history.csv"}
    run(
        "train_classifier",
        dataset="data",
        method=method,
        seed=0,
        config=config,
        **inputs,
        **outputs,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A directory in which every stage has run."""
    directory = tmp_path_factory.mktemp("odd")
    write_odd_dataset(directory / "source")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        run_stages(read_config())
    return directory


def run_stages(experiment):
    prepared = {"output": "data", "scored_splits": list(SPLITS), "threads": 1}
    run("prepare_dataset", source="folder", folder="source", **prepared)
    data = {"dataset": "data"}
    run("canny", **data, output="canny", config=experiment.canny.model_dump_json())
    train_classifier("seam", experiment)
    part = {"part": "eval", "shard": 0, "num_shards": 1, "scored_splits": list(SPLITS)}
    cam = experiment.cam.model_dump_json()
    run(
        "infer_cam",
        **data,
        weights="seam/weights.pt",
        kind="seam",
        **part,
        output="cam.npz",
        config=cam,
    )
    seeds = experiment.crf_seeds.model_dump_json()
    run("crf_seeds", **data, cams="cam.npz", output="seeds.npz", config=seeds)
    weights = {"output": "affinity/weights.pt", "history": "affinity/history.csv"}
    affinity = experiment.affinity.model_dump_json()
    run("train_affinity", **data, seeds="seeds.npz", **weights, config=affinity)
    walk = {"weights": "affinity/weights.pt", "config": experiment.random_walk.model_dump_json()}
    run("random_walk", **data, cams="cam.npz", **walk, output="random_walk")
    weights = {"output": "segmenter/weights.pt", "history": "segmenter/history.csv"}
    segmenter = experiment.segmenter.model_dump_json()
    run("train_segmenter", **data, pseudo_labels="random_walk", **weights, config=segmenter)
    segment = {"weights": "segmenter/weights.pt", "output": "segmentation", "probs": "probs.npz"}
    segment["config"] = experiment.segment.model_dump_json(exclude={"crf"})
    run("segment", **data, **part, **segment)
    crf = experiment.segment.crf.model_dump_json()
    run("segment_crf", **data, probs="probs.npz", output="segmentation_crf", config=crf)
    run("semantic_boundary", **data, segmentation="segmentation", output="boundaries")
    inputs = {"init": "seam/weights.pt", "boundaries": "boundaries", "canny": "canny"}
    train_classifier("sb", experiment, **inputs)
    scored = {"method": "seam", "seed": 0, "splits": list(SPLITS), "threads": 1}
    run(
        "evaluate",
        **data,
        **scored,
        stage="cam",
        cams="cam.npz",
        output="cam.csv",
        images="cam_images.csv",
    )
    for stage in ("random_walk", "segmentation", "segmentation_crf"):
        names = {"output": f"{stage}.csv", "images": f"{stage}_images.csv"}
        run("evaluate", **data, **scored, stage=stage, masks=stage, **names)
    masks = {"pseudo_labels": "random_walk", "segmentation": "segmentation_crf"}
    figure = {"method": "seam", "seed": 0, "split": "val", "output": "qualitative_results.jpg"}
    run("qualitative_results", **data, **figure, cams="cam.npz", **masks)


def test_score_maps_have_the_size_of_their_images(finished):
    class_names = open_dataset(finished / "data").class_names
    cams = ScoreReader([finished / "cam.npz"], kind="cam", class_names=class_names)
    seeds = ScoreReader([finished / "seeds.npz"], kind="seed", class_names=class_names)
    for image_id, size in ODD.items():
        assert cams.read(image_id).scores.shape == (2, *size)
        if image_id.startswith("train"):
            assert seeds.read(image_id).scores.shape == (2, 3, *size)


@pytest.mark.parametrize("stage", ["random_walk", "segmentation", "segmentation_crf", "boundaries"])
def test_masks_have_the_size_of_their_images(finished, stage):
    shown = [i for i in ODD if stage != "boundaries" or i.startswith("train")]
    for image_id in shown:
        mask = read_mask(finished / stage / f"{image_id}.png")
        assert mask.shape == ODD[image_id]
        assert set(np.unique(mask)) <= {0, 1, 2}


@pytest.mark.parametrize("stage", ["cam", "random_walk", "segmentation", "segmentation_crf"])
def test_all_images_are_scored(finished, stage):
    with (finished / f"{stage}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["split"] for row in rows] == list(SPLITS)
    assert all(0 <= float(row["miou"]) <= 100 for row in rows)


@pytest.mark.parametrize("method", ["seam", "sb"])
def test_trainings_are_finite_and_end(finished, method):
    with (finished / method / "history.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert all(np.isfinite(float(value)) for value in row.values())
    assert (finished / method / "weights.pt").is_file()


def test_the_qualitative_results_show_them(finished):
    assert Image.open(finished / "qualitative_results.jpg").height > 1000
