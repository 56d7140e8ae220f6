"""Tests of scoring against a plain loop, and of messages about files that do not fit."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wsss_core.data.dataset import Dataset, open_dataset
from wsss_core.data.images import write_mask
from wsss_core.data.mask_files import find_masks
from wsss_core.data.pixel_counts import confusion_of, read_pixel_counts, write_pixel_counts
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.ops.metrics import confusion_matrix, mean_iou
from wsss_core.runtime.errors import UserError
from wsss_core.stages.evaluate import (
    SplitScore,
    evaluate_cams,
    evaluate_masks,
    write_scores,
    write_sweep,
)

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def dataset(tiny_dataset: Path) -> Dataset:
    return open_dataset(tiny_dataset)


def blurry_cams(dataset: Dataset, image_id: str) -> tuple[list[int], np.ndarray]:
    """Cams of the true classes: noise below 0.5 off the object, above 0.4 on it."""
    rng = np.random.default_rng(len(image_id) + dataset.split("train_aug").index(image_id))
    mask = dataset.read_mask(image_id)
    class_ids = [int(k) + 1 for k in np.flatnonzero(dataset.labels[image_id])]
    noise = rng.random((len(class_ids), *mask.shape), dtype=np.float32)
    objects = np.stack([mask == k for k in class_ids])
    return class_ids, np.where(objects, 0.4 + 0.6 * noise, 0.5 * noise).astype(np.float32)


def write_cams(dataset: Dataset, path: Path) -> ScoreReader:
    with ScoreWriter(path, kind="cam", class_names=dataset.class_names) as writer:
        for image_id in dataset.split("train"):
            writer.write(image_id, *blurry_cams(dataset, image_id))
    return ScoreReader([path], kind="cam", class_names=dataset.class_names)


def predicted_mask(dataset: Dataset, image_id: str, threshold: float) -> np.ndarray:
    class_ids, scores = blurry_cams(dataset, image_id)
    background = np.full((1, *scores.shape[1:]), threshold, dtype=np.float32)
    best = np.concatenate([background, scores]).argmax(axis=0)
    return np.array([0, *class_ids], dtype=np.uint8)[best]


def plain_miou(dataset: Dataset, threshold: float) -> float:
    confusion = sum(
        confusion_matrix(dataset.read_mask(name), predicted_mask(dataset, name, threshold), 3)
        for name in dataset.split("train")
    )
    return float(mean_iou(np.asarray(confusion)))


def test_stored_cams_score_as_if_never_stored(dataset: Dataset, tmp_path: Path) -> None:
    cams = write_cams(dataset, tmp_path / "cams.npz")
    score = evaluate_cams(dataset, "train", cams, processes=1)
    plain = [plain_miou(dataset, step / 100) for step in range(100)]
    assert score.sweep is not None
    # Where two classes' scores fall into the same bin, the first wins.
    np.testing.assert_allclose(score.sweep.mean_iou(), plain, atol=2e-3)
    assert score.threshold == pytest.approx(int(np.argmax(plain)) / 100, abs=0.011)
    assert 0.4 <= score.threshold <= 0.5
    assert mean_iou(score.confusion) == score.sweep.mean_iou().max()
    best = score.sweep.best_threshold()
    np.testing.assert_array_equal(score.confusion, score.sweep.confusion_matrices()[best])


def test_masks_score_alike_in_one_or_two_processes(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsss_core.stages.evaluate.CHUNK_SIZE", 1)
    for shard, names in enumerate([dataset.split("train")[:1], dataset.split("train")[1:]]):
        (tmp_path / str(shard)).mkdir()
        for name in names:
            path = tmp_path / str(shard) / f"{name}.png"
            write_mask(path, predicted_mask(dataset, name, 0.45))
    masks = find_masks([tmp_path / "0", tmp_path / "1"])
    scores = [evaluate_masks(dataset, "train", masks, processes=n) for n in (1, 2)]
    np.testing.assert_array_equal(scores[0].confusion, scores[1].confusion)
    assert float(mean_iou(scores[0].confusion)) == pytest.approx(plain_miou(dataset, 0.45))
    assert scores[0].threshold is None


def test_counts_of_images_add_up_to_the_score(dataset: Dataset, tmp_path: Path) -> None:
    score = evaluate_cams(dataset, "train", write_cams(dataset, tmp_path / "c.npz"), processes=1)
    write_pixel_counts(tmp_path / "images.csv", [("train", score.images)])
    counts = read_pixel_counts(tmp_path / "images.csv")
    assert sorted(set(counts["image"])) == sorted(dataset.split("train"))
    np.testing.assert_array_equal(confusion_of(counts, 3), score.confusion)


def test_rows_are_those_of_the_summary(dataset: Dataset, tmp_path: Path) -> None:
    scores = [evaluate_cams(dataset, "train", write_cams(dataset, tmp_path / "c.npz"), processes=1)]
    write_scores(
        tmp_path / "cam.csv",
        scores,
        method="seam",
        seed=3,
        stage="cam",
        class_names=dataset.class_names,
    )
    write_sweep(tmp_path / "sweep.csv", scores)
    with (tmp_path / "cam.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = "method seed stage split threshold miou background disc square".split()
    assert list(rows[0]) == columns
    assert [rows[0][name] for name in columns[:4]] == ["seam", "3", "cam", "train"]
    ious = [float(rows[0][name]) for name in columns[6:]]
    assert float(rows[0]["miou"]) == pytest.approx(np.mean(ious), abs=1e-3)
    with (tmp_path / "sweep.csv").open() as file:
        sweep = list(csv.DictReader(file))
    assert [row["threshold"] for row in sweep] == [f"{k / 100:.2f}" for k in range(100)]
    best = max(sweep, key=lambda row: float(row["miou"]))
    assert (best["threshold"], best["miou"]) == (rows[0]["threshold"], rows[0]["miou"])


def test_extra_supervision_follows_the_classes(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "segmentation.csv"
    scores = [SplitScore("val", np.eye(3, dtype=np.int64), images={})]
    write_scores(
        path,
        scores,
        method="seam",
        seed=0,
        stage="segmentation",
        class_names=dataset.class_names,
        remarks={"extra_supervision": "COCO masks", "precision": None},
    )
    header, row = path.read_text().splitlines()
    assert header.split(",")[-3:] == ["disc", "square", "extra_supervision"]
    assert row == "seam,0,segmentation,val,,100.0000,100.0000,100.0000,100.0000,COCO masks"


def test_undefined_class_is_an_empty_cell(dataset: Dataset, tmp_path: Path) -> None:
    masks = {name: dataset.mask_path(name) for name in dataset.split("val")}
    (dataset.root / "splits" / "val.txt").write_text("val_0\n")  # has no square
    scores = [evaluate_masks(dataset, "val", masks, processes=1)]
    (dataset.root / "masks" / "val_0.png").unlink()
    names = dataset.class_names
    write_scores(
        tmp_path / "x.csv", scores, method="m", seed=0, stage="segmentation", class_names=names
    )
    row = (tmp_path / "x.csv").read_text().splitlines()[1]
    assert row == "m,0,segmentation,val,,100.0000,100.0000,100.0000,"


def test_what_is_missing_is_named(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no split 'test'"):
        evaluate_masks(dataset, "test", {}, processes=1)
    with pytest.raises(UserError, match="image val_0 has no predicted mask"):
        evaluate_masks(dataset, "val", {}, processes=1)
    wrong = tmp_path / "wrong.png"
    write_mask(wrong, np.zeros((3, 3), dtype=np.uint8))
    with pytest.raises(UserError, match=r"image val_0: .*prediction has shape \(3, 3\); expected"):
        evaluate_masks(dataset, "val", {"val_0": wrong, "val_1": wrong}, processes=1)
    cams = write_cams(dataset, tmp_path / "cams.npz")
    with pytest.raises(UserError, match=r"image val_0 has no cam scores in .*cams.npz"):
        evaluate_cams(dataset, "val", cams, processes=1)
    dataset.mask_path("val_1").unlink()
    with pytest.raises(UserError, match="val_1.png: no such mask"):
        evaluate_masks(dataset, "val", {}, processes=1)


def test_program_scores_without_torch(dataset: Dataset, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "workflow_scripts.evaluate"]
    command += ["--dataset", dataset.root, "--method", "cam", "--seed", "0"]
    command += ["--stage", "random_walk", "--splits", "train", "val"]
    command += ["--masks", dataset.root / "masks", "--threads", "1"]
    command += ["--output", tmp_path / "out" / "random_walk.csv"]
    command += ["--images", tmp_path / "out" / "random_walk_images.csv"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert "torch" not in result.stderr
    rows = (tmp_path / "out" / "random_walk.csv").read_text().splitlines()
    assert rows[1] == "cam,0,random_walk,train,,100.0000,100.0000,100.0000,100.0000"
    assert len(rows) == 3
    counts = read_pixel_counts(tmp_path / "out" / "random_walk_images.csv")
    assert set(counts["split"]) == {"train", "val"}
    assert (counts["true"] == counts["predicted"]).all()
