"""Tests of score files as .npy dictionaries, read back like the published scripts do."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.workflow.running import PROJECT
from wsss_core.data.score_maps import ScoreReader, ScoreRecord, ScoreWriter
from wsss_core.layouts.irn import irn_dict
from wsss_core.layouts.npy import write_dict
from wsss_core.layouts.seam import cam_dict, seed_dicts
from wsss_core.ops.affinity import seed_label
from wsss_core.ops.grid import pixels
from wsss_core.ops.metrics import best_class

CLASSES = ("disc", "square")
THRESHOLDS = (0.05, 0.5, 0.8)


def load(path: Path) -> dict:
    return np.load(path, allow_pickle=True).item()


class OldUnpickler(pickle.Unpickler):
    """Finds what every NumPy has, by the same name; numpy._core is there since 1.26."""

    def find_class(self, module: str, name: str) -> Any:
        assert module in {"numpy", "builtins"}, f"{module}.{name}"
        return super().find_class(module, name)


def test_dictionary_comes_back_and_can_be_written_to(tmp_path):
    column = np.arange(6, dtype=np.float32).reshape(2, 3)[:, 1:2]  # not contiguous
    write_dict(tmp_path / "x.npy", {0: column, "keys": np.array([3], dtype=np.int64)})
    content = load(tmp_path / "x.npy")
    assert list(content) == [0, "keys"]
    assert content[0].dtype == np.float32
    assert content[0].tolist() == [[1], [4]]
    assert content["keys"].dtype == np.int64
    assert (content["keys"] + 1).tolist() == [4]
    content[0] /= 2
    assert content[0].tolist() == [[0.5], [2]]


def test_empty_arrays_come_back(tmp_path):
    write_dict(tmp_path / "x.npy", {"high_res": np.zeros((0, 5, 7), dtype=np.float32)})
    assert load(tmp_path / "x.npy")["high_res"].shape == (0, 5, 7)


def test_any_numpy_finds_what_the_file_names(tmp_path):
    write_dict(tmp_path / "x.npy", {0: np.ones((2, 3), dtype=np.float32)})
    with (tmp_path / "x.npy").open("rb") as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        assert np.lib.format.read_array_header_1_0(file) == ((), False, np.dtype(object))
        content = OldUnpickler(file).load().item()
    assert content[0].tolist() == [[1, 1, 1], [1, 1, 1]]


def test_seam_counts_classes_from_0():
    scores = np.array([[[0.25, 1]], [[1, 0.5]]], dtype=np.float32)
    content = cam_dict(ScoreRecord((1, 20), scores))
    assert {k: scores.tolist() for k, scores in content.items()} == {0: [[0.25, 1]], 19: [[1, 0.5]]}


def test_seeds_are_apart_with_background_first():
    scores = np.array([[[[0.75]], [[0.25]]], [[[0.125]], [[0.875]]]], dtype=np.float32)
    low, high = seed_dicts(ScoreRecord((0, 3), scores))
    assert list(low) == list(high) == [0, 3]
    assert [low[0].item(), low[3].item()] == [0.75, 0.25]
    assert [high[0].item(), high[3].item()] == [0.125, 0.875]


def test_irn_has_means_of_4_by_4_pixels_with_maximum_1():
    scores = np.zeros((1, 4, 6), dtype=np.float32)
    scores[0, :2, :4] = 1  # half of the left cell
    scores[0, :, 4] = 0.5  # half of the right cell, which the edge cuts: 0.25 of its own pixels
    content = irn_dict(ScoreRecord((2,), scores))
    assert list(content) == ["keys", "cam", "high_res"]
    assert content["keys"].tolist() == [1]
    assert isinstance(content["cam"], torch.Tensor)
    assert content["cam"].shape == (1, 1, 2)
    assert content["cam"].flatten().tolist() == pytest.approx([1, 0.5], abs=3e-5)
    assert np.array_equal(content["high_res"], scores)


def test_irn_has_an_image_without_classes():
    content = irn_dict(ScoreRecord((), np.zeros((0, 5, 8), dtype=np.float32)))
    assert content["keys"].shape == (0,)
    assert content["cam"].shape == (0, 2, 2)
    assert content["high_res"].shape == (0, 5, 8)


def test_the_names_of_layouts_are_known_without_torch():
    """Snakemake reads them at each start, which torch would make two seconds longer."""
    code = "import sys, wsss_core.layouts.cams; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0


# --- the scripts ---


@pytest.fixture
def score_files(tmp_path, tiny_dataset) -> dict[str, dict[str, ScoreRecord]]:
    """Two shards of CAMs, and of seeds, with noise; and what is in them, before it is stored."""
    rng = np.random.default_rng(0)
    written: dict[str, dict[str, ScoreRecord]] = {"cam": {}, "seed": {}}
    for kind, shape in (("cam", (2, 9, 7)), ("seed", (2, 3, 9, 7))):
        for shard in (0, 1):
            path = tmp_path / f"{kind}-{shard}.npz"
            with ScoreWriter(path, kind=kind, class_names=CLASSES) as writer:
                record = ScoreRecord((1, 2) if kind == "cam" else (0, 1, 2), rng.random(shape, "f"))
                writer.write(f"train_{shard}", *record)
            written[kind][f"train_{shard}"] = record
    return written


def run_script(name: str, *arguments: str | Path, dataset: Path) -> None:
    command = [sys.executable, "-m", f"workflow_scripts.{name}", "--dataset", dataset, *arguments]
    subprocess.run(command, check=True, capture_output=True)


def names(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.*"))


@pytest.mark.parametrize("layout", ["seam", "irn"])
def test_cams_are_those_of_the_score_files(score_files, tmp_path, tiny_dataset, layout):
    shards = [tmp_path / "cam-0.npz", tmp_path / "cam-1.npz"]
    arguments = ("--cams", *shards, "--layout", layout, "--output", tmp_path / "out")
    run_script("export_cams", *arguments, dataset=tiny_dataset)
    assert names(tmp_path / "out") == ["train_0.npy", "train_1.npy"]
    for image_id, record in score_files["cam"].items():
        content = load(tmp_path / "out" / f"{image_id}.npy")
        if layout == "seam":
            assert list(content) == [0, 1]
            scores = np.stack([content[0], content[1]])
        else:
            assert content["keys"].tolist() == [0, 1]
            scores = content["high_res"]
        assert scores.dtype == np.float32
        assert scores.shape == record.scores.shape
        assert np.abs(scores - record.scores).max() <= 0.0025 + 1e-6  # half a level


def test_seeds_are_those_of_the_score_files(score_files, tmp_path, tiny_dataset):
    shards = [tmp_path / "seed-0.npz", tmp_path / "seed-1.npz"]
    arguments = ("--seeds", *shards, "--output", tmp_path / "out")
    run_script("export_seeds", *arguments, dataset=tiny_dataset)
    folders = ("la_crf", "ha_crf")
    expected = [f"{folder}/train_{i}.npy" for folder in sorted(folders) for i in (0, 1)]
    assert names(tmp_path / "out") == expected
    for image_id, record in score_files["seed"].items():
        for folder, scores in zip(folders, record.scores, strict=True):
            content = load(tmp_path / "out" / folder / f"{image_id}.npy")
            assert list(content) == [0, 1, 2]
            stored = np.stack(list(content.values()))
            assert np.abs(np.sqrt(stored) - np.sqrt(scores)).max() <= 0.5 / 255 + 1e-6


# --- what the published scripts make of the files, in words of our own ---


def exported(shards: list[Path], option: str, dataset: Path, *layout: str) -> Path:
    """Runs an export of score files; the directory that it has written."""
    output = dataset.parent / "out"
    arguments = (f"--{option}s", *shards, *layout, "--output", output)
    run_script(f"export_{option}s", *arguments, dataset=dataset)
    return output


def stored(shards: list[Path], kind: str) -> dict[str, ScoreRecord]:
    reader = ScoreReader(shards, kind=kind, class_names=CLASSES)
    return {image_id: reader.read(image_id) for image_id in reader.image_ids}


def thresholded(cam: ScoreRecord, threshold: float) -> np.ndarray:
    """The mask that we score a CAM by."""
    best, scores = best_class(*cam)
    return np.where(scores > threshold, best, 0)


@pytest.fixture
def cams(score_files, tmp_path) -> list[Path]:
    return [tmp_path / "cam-0.npz", tmp_path / "cam-1.npz"]


def test_seam_scores_the_masks_that_we_do(cams, tiny_dataset):
    """SEAM's evaluation.py --type npy --t; infer_aff.py fills its 21 maps in the same way."""
    directory = exported(cams, "cam", tiny_dataset, "--layout", "seam")
    for image_id, record in stored(cams, "cam").items():
        content = load(directory / f"{image_id}.npy")
        maps = np.zeros((21, *next(iter(content.values())).shape), dtype=np.float32)
        for k, scores in content.items():
            maps[k + 1] = scores
        for threshold in THRESHOLDS:
            maps[0] = threshold
            assert np.array_equal(maps.argmax(axis=0), thresholded(record, threshold))


def test_irn_scores_and_refines_the_masks_that_we_do(cams, tiny_dataset):
    """IRN's step/eval_cam.py; cam_to_ir_label.py reads files in the same way."""
    directory = exported(cams, "cam", tiny_dataset, "--layout", "irn")
    for image_id, record in stored(cams, "cam").items():
        content = load(directory / f"{image_id}.npy")
        keys = np.pad(content["keys"] + 1, (1, 0))
        background = ((1, 0), (0, 0), (0, 0))
        for threshold in THRESHOLDS:
            maps = np.pad(content["high_res"], background, constant_values=threshold)
            assert np.array_equal(keys[maps.argmax(axis=0)], thresholded(record, threshold))


def test_irn_walks_on_cells_that_cover_the_image(cams, tiny_dataset):
    """IRN's step/make_sem_seg_labels.py enlarges the cells by 4 and cuts them to the image."""
    directory = exported(cams, "cam", tiny_dataset, "--layout", "irn")
    for image_id, record in stored(cams, "cam").items():
        content = load(directory / f"{image_id}.npy")
        height, width = record.scores.shape[1:]
        walked = F.interpolate(content["cam"][:, None], scale_factor=4, mode="bilinear")
        walked = walked[..., 0, :height, :width]
        assert walked.shape == record.scores.shape
        with_background = F.pad(walked / walked.max(), (0, 0, 0, 0, 1, 0), value=0.25)
        keys = np.pad(content["keys"] + 1, (1, 0))
        assert set(np.unique(keys[with_background.argmax(dim=0)])) <= {0, 1, 2}


def test_affinity_scripts_learn_from_the_labels_that_we_do(score_files, tmp_path, tiny_dataset):
    """VOC12AffDataset of psa and SEAM stacks both files of an image and takes them apart again."""
    shards = [tmp_path / "seed-0.npz", tmp_path / "seed-1.npz"]
    directory = exported(shards, "seed", tiny_dataset)
    for image_id, record in stored(shards, "seed").items():
        both = [load(directory / name / f"{image_id}.npy") for name in ("la_crf", "ha_crf")]
        stack = np.array([scores for content in both for scores in content.values()])
        low, high = (scores.argmax(axis=0) for scores in np.array_split(stack, 2))
        label = np.where(low == 0, 255, low)
        label[high == 0] = 0
        grid = pixels(record.scores.shape[-2:])
        ours = seed_label(torch.from_numpy(record.scores), class_ids=record.class_ids, grid=grid)
        assert np.array_equal(label, ours.numpy())
        assert {0, 255} < {*np.unique(label).tolist()}
