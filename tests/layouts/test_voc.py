"""Tests of the export in VOC's layout, and of its part of an mmsegmentation config."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TRAIN_IDS, VAL_IDS
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import write_mask
from wsss_core.layouts.mmseg_config import mmseg_config
from wsss_core.layouts.voc import write_voc_folder
from wsss_core.runtime.errors import UserError

IDS = TRAIN_IDS + VAL_IDS


def write_shards(dataset: Path, name: str, index: int) -> list[Path]:
    """Two directories of masks for all images, of one index."""
    shards = [dataset.parent / f"{name}-{i}" for i in (0, 1)]
    for i, image_id in enumerate(IDS):
        shards[i % 2].mkdir(exist_ok=True)
        mask = np.full((48, 40 + i), index, dtype=np.uint8)
        write_mask(shards[i % 2] / f"{image_id}.png", mask)
    return shards


@pytest.fixture
def pseudo_labels(tiny_dataset) -> list[Path]:
    return write_shards(tiny_dataset, "random_walk", 1)


def export(dataset: Path, pseudo_labels: list[Path], predicted: list[Path] = ()) -> Path:
    output = dataset.parent / "export/voc"
    write_voc_folder(
        open_dataset(dataset), output, pseudo_labels=pseudo_labels, predicted=predicted
    )
    return output


def files(directory: Path) -> list[str]:
    paths = directory.rglob("*")
    return sorted(path.relative_to(directory).as_posix() for path in paths if path.is_file())


def index_of(path: Path) -> list[int]:
    with Image.open(path) as mask:
        assert mask.mode == "P"
        return np.unique(np.array(mask)).tolist()


def test_folder_has_exactly_this(tiny_dataset, pseudo_labels):
    for part in ("images", "masks"):
        (tiny_dataset / part / ".snakemake_timestamp").touch()
    folder = export(tiny_dataset, pseudo_labels, write_shards(tiny_dataset, "segmentation", 2))
    masks = ["SegmentationClass", "SegmentationClassPredicted", "SegmentationClassPseudo"]
    splits = [f"ImageSets/Segmentation/{name}.txt" for name in ("train", "train_aug", "val")]
    images = [f"JPEGImages/{image_id}.jpg" for image_id in IDS]
    of_masks = [f"{name}/{image_id}.png" for name in masks for image_id in IDS]
    assert files(folder) == [*splits, *images, *of_masks, "classes.txt", "mmseg_dataset.py"]
    assert (folder / "classes.txt").read_text() == "background\ndisc\nsquare\n"
    train_aug = (folder / "ImageSets/Segmentation/train_aug.txt").read_text()
    assert train_aug.splitlines() == TRAIN_IDS
    assert index_of(folder / "SegmentationClass/train_0.png") == [0, 1, 2, 255]
    assert index_of(folder / "SegmentationClassPseudo/train_0.png") == [1]
    assert index_of(folder / "SegmentationClassPredicted/val_1.png") == [2]


def test_nothing_is_copied(tiny_dataset, pseudo_labels):
    folder = export(tiny_dataset, pseudo_labels)
    assert not (folder / "SegmentationClassPredicted").exists()
    assert (folder / "JPEGImages/val_0.jpg").samefile(tiny_dataset / "images/val_0.jpg")
    assert not (folder / "JPEGImages/val_0.jpg").is_symlink()
    assert (folder / "SegmentationClass/val_0.png").samefile(tiny_dataset / "masks/val_0.png")


def test_links_of_the_dataset_are_followed(tiny_dataset, pseudo_labels):
    """The dataset itself is often links to the user's files."""
    image = tiny_dataset / "images/val_0.jpg"
    real = image.rename(tiny_dataset.parent / "real.jpg")
    image.symlink_to(real)
    exported = export(tiny_dataset, pseudo_labels) / "JPEGImages/val_0.jpg"
    assert exported.samefile(real)
    assert not exported.is_symlink()


def test_symbolic_link_where_there_is_no_hard_one(tiny_dataset, pseudo_labels, monkeypatch):
    def refuse(*_: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    exported = export(tiny_dataset, pseudo_labels) / "JPEGImages/val_0.jpg"
    assert exported.is_symlink()
    assert exported.samefile(tiny_dataset / "images/val_0.jpg")


def test_png_becomes_a_jpeg(tiny_dataset, pseudo_labels):
    jpeg = tiny_dataset / "images/val_0.jpg"
    with Image.open(jpeg) as image:
        image.save(jpeg.with_suffix(".png"))
        pixels = np.array(image).astype(int)
    jpeg.unlink()
    with Image.open(export(tiny_dataset, pseudo_labels) / "JPEGImages/val_0.jpg") as image:
        assert image.format == "JPEG"
        assert np.abs(np.array(image) - pixels).mean() < 10  # of noise, the hardest there is


def test_missing_pseudo_label_leaves_the_earlier_folder(tiny_dataset, pseudo_labels):
    folder = export(tiny_dataset, pseudo_labels)
    before = files(folder)
    (pseudo_labels[1] / "train_3.png").unlink()
    message = (
        "1 image of train_aug without a pseudo label: train_3; expected directories of all shards"
    )
    with pytest.raises(UserError, match=message):
        export(tiny_dataset, pseudo_labels)
    assert files(folder) == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["voc"]


def settings_of(config: str) -> dict[str, object]:
    """Runs a config as mmengine does, once it has put in the folder's name."""
    text = config.replace("{{ fileDirname }}", "/folder")
    assert {type(node) for node in ast.parse(text).body} == {ast.Assign}
    settings: dict[str, object] = {}
    exec(compile(text, "config", "exec"), settings)
    return settings


def test_config_names_what_is_there(tiny_dataset, pseudo_labels):
    folder = export(tiny_dataset, pseudo_labels)
    settings = settings_of((folder / "mmseg_dataset.py").read_text())
    assert settings["num_classes"] == 3
    for loader, masks, split in (
        ("train_dataloader", "SegmentationClassPseudo", "train_aug"),
        ("val_dataloader", "SegmentationClass", "val"),
        ("test_dataloader", "SegmentationClass", "val"),
    ):
        dataset = settings[loader]["dataset"]
        assert dataset["data_root"] == "/folder"
        assert dataset["ann_file"] == f"ImageSets/Segmentation/{split}.txt"
        assert dataset["data_prefix"] == {"img_path": "JPEGImages", "seg_map_path": masks}
        assert dataset["reduce_zero_label"] is False
        assert dataset["metainfo"]["classes"] == ["background", "disc", "square"]
        assert dataset["metainfo"]["palette"] == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
        for image_id in (folder / dataset["ann_file"]).read_text().splitlines():
            assert (folder / "JPEGImages" / f"{image_id}.jpg").is_file()
            assert (folder / masks / f"{image_id}.png").is_file()


def test_config_scores_nothing_without_true_masks(tiny_dataset, pseudo_labels):
    (tiny_dataset / "masks/val_1.png").unlink()
    settings = settings_of((export(tiny_dataset, pseudo_labels) / "mmseg_dataset.py").read_text())
    assert "train_dataloader" in settings
    assert not {"val_dataloader", "test_dataloader", "val_evaluator"} & settings.keys()


def test_config_keeps_names_as_they_are():
    names = ["Bär's", 'a "b"', "{c}", "d\\n"]
    settings = settings_of(mmseg_config(names, train_masks="x", scored=None))
    assert settings["metainfo"]["classes"] == ["background", *names]


def test_dataset_without_masks(tiny_dataset, pseudo_labels):
    shutil.rmtree(tiny_dataset / "masks")
    (tiny_dataset / "masks").mkdir()
    assert list((export(tiny_dataset, pseudo_labels) / "SegmentationClass").iterdir()) == []


def test_script(tiny_dataset, pseudo_labels, tmp_path):
    command = [
        sys.executable, "-m", "workflow_scripts.export_voc", "--dataset", tiny_dataset,
        "--pseudo-labels", *pseudo_labels, "--output", tmp_path / "voc",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "voc/mmseg_dataset.py").is_file()
