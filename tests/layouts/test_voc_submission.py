import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.prepare.voc.devkit import SBD_TRAIN, TEST, write_tiny_voc
from wsss_core.data.dataset import Dataset, open_dataset
from wsss_core.data.images import write_mask
from wsss_core.layouts.voc_submission import write_submission
from wsss_core.prepare.source import choose_classes
from wsss_core.prepare.voc.source import read_voc
from wsss_core.runtime.errors import UserError
from wsss_core.stages.prepare_dataset import prepare_dataset

FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """VOC with two test images of 40 x 30 pixels."""
    root = write_tiny_voc(tmp_path_factory.mktemp("voc"))
    paths = {"devkit": root / "trainval", "sbd": root / "sbd", "test": root / "test"}
    prepare_dataset(read_voc(**paths, scored_splits=["train", "val"]), root / "data")
    return open_dataset(root / "data")


@pytest.fixture
def shards(tmp_path) -> list[Path]:
    """Two directories with a mask each."""
    directories = [tmp_path / "test-0", tmp_path / "test-1"]
    for k, (directory, image_id) in enumerate(zip(directories, TEST, strict=True)):
        directory.mkdir()
        mask = np.full((30, 40), 20 * k, dtype=np.uint8)
        write_mask(directory / f"{image_id}.png", mask)
    return directories


def test_archive_has_the_masks_in_the_servers_layout(dataset, shards, tmp_path):
    for name in ("a", "b"):
        write_submission(dataset, shards, tmp_path / name / "x.tar", processes=1)
    assert (tmp_path / "a/x.tar").read_bytes() == (tmp_path / "b/x.tar").read_bytes()
    with tarfile.open(tmp_path / "a/x.tar") as archive:
        assert archive.getnames() == [f"{FOLDER}/{image_id}.png" for image_id in TEST]
        for k, name in enumerate(archive.getnames()):
            with Image.open(io.BytesIO(archive.extractfile(name).read())) as mask:
                assert (mask.mode, mask.size) == ("P", (40, 30))
                assert np.unique(np.array(mask)).tolist() == [20 * k]


def spoil_mode(path: Path) -> None:
    Image.open(path).convert("L").save(path)


def spoil_palette(path: Path) -> None:
    mask = Image.open(path)
    mask.putpalette([0, 0, 0] * 256)
    mask.save(path)


SPOILS = {
    "missing": (Path.unlink, "1 image without a mask: 2008_900001; expected a mask of each image"),
    "of another image": (
        lambda path: shutil.copy(path, path.with_name("x.png")),
        "1 image not in the split but with a mask: x; expected a mask of each image in test",
    ),
    "size": (
        lambda path: write_mask(path, np.zeros((40, 30), np.uint8)),
        r"1 mask that the server would not take: \S*/2008_900001.png is 30x40 for an image of "
        r"40x30; expected palette PNGs of class indices, of the size of their images",
    ),
    "index": (lambda path: write_mask(path, np.full((30, 40), 21, np.uint8)), "has index 21 of 21"),
    "void": (lambda path: write_mask(path, np.full((30, 40), 255, np.uint8)), "has index 255 of"),
    "mode": (spoil_mode, "2008_900001.png is PNG of mode L"),
    "palette": (spoil_palette, "2008_900001.png has other colours than VOC's"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:90]), "cannot be decoded"),
}


@pytest.mark.parametrize("kind", SPOILS)
def test_what_the_server_would_not_take_is_told_in_one_line(dataset, shards, tmp_path, kind):
    spoil, message = SPOILS[kind]
    spoil(shards[0] / f"{TEST[0]}.png")
    with pytest.raises(UserError, match=message) as error:
        write_submission(dataset, shards, tmp_path / "x.tar", processes=1)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test-0", "test-1"]


def test_other_classes_mean_something_else_to_the_server(tmp_path, shards):
    root = write_tiny_voc(tmp_path / "voc")
    for split, ids in (("train_aug", SBD_TRAIN[:2]), ("test", TEST)):
        (root / f"{split}.txt").write_text("".join(f"{image_id}\n" for image_id in ids))
    source = read_voc(
        root / "trainval", test=root / "test", id_lists=root, scored_splits=["train_aug"],
        sbd=root / "sbd",
    )  # fmt: skip
    prepare_dataset(choose_classes(source, ["cat", "dog"]), tmp_path / "data")
    with pytest.raises(UserError, match="data/classes.txt has cat, dog; expected VOC's 20 classes"):
        write_submission(open_dataset(tmp_path / "data"), shards, tmp_path / "x.tar", processes=1)


def test_script(dataset, shards, tmp_path):
    command = [
        sys.executable, "-m", "workflow_scripts.submission", "--dataset", dataset.root,
        "--masks", *shards, "--output", tmp_path / "x.tar",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "x.tar").is_file()
