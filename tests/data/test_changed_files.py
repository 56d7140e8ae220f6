"""Tests that changes of a prepared dataset and of tables are detected."""

import random
import shutil

import numpy as np
import pytest
from PIL import Image

from wsss_core.cli.main import main as run_wsss
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_mask, write_mask
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.runtime.errors import UserError
from wsss_core.stages.prepare_dataset import prepare_dataset
from wsss_core.stages.summarise import read_scores

HEADER = "method,seed,stage,split,threshold,miou,background,cat,dog\n"


@pytest.fixture
def prepared(tiny_dataset, tmp_path):
    """A prepared dataset whose files are its own."""
    findings = Findings()
    source = read_folder(tiny_dataset, scored_splits=["train", "val"], findings=findings)
    prepare_dataset(source, tmp_path / "results/tiny/data", link=False, findings=findings)
    return tmp_path / "results/tiny/data"


def flip(path, draw):
    """Changes one bit of a file."""
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def cut(path, draw):
    """Leaves out the end of a file."""
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def read_all(root):
    """Reads a dataset as stages do."""
    dataset = open_dataset(root)
    for image_id in {i for split in ("train_aug", "train", "val") for i in dataset.split(split)}:
        dataset.read_image(image_id)
        dataset.read_mask(image_id)


@pytest.mark.parametrize("damage", [flip, cut])
@pytest.mark.parametrize(
    "name",
    [
        *("images/train_0.jpg", "masks/val_1.png", "labels.csv", "classes.txt"),
        *("splits/train_aug.txt", "splits/val.txt", "image_digests.csv", "mask_digests.csv"),
    ],
)
def test_whatever_changed_is_named(prepared, name, damage, capsys, monkeypatch):
    read_all(prepared)
    whole = (prepared / name).read_bytes()
    for seed in range(10):
        (prepared / name).write_bytes(whole)
        damage(prepared / name, random.Random(seed))
        with pytest.raises(UserError, match=name.split("/")[-1].split(".")[0]) as caught:
            read_all(prepared)
        assert "\n" not in str(caught.value)
    monkeypatch.setattr("sys.argv", ["wsss", "verify", str(prepared.parent)])
    with pytest.raises(SystemExit, match="1"):
        run_wsss()
    told = capsys.readouterr().out
    assert f"error: {prepared / name}" in told
    (prepared / name).write_bytes(whole)
    run_wsss()
    assert " 0 errors" in capsys.readouterr().out


def test_a_picture_without_a_digest_is_told(prepared):
    shutil.copy(prepared / "images/train_0.jpg", prepared / "images/new.jpg")
    with pytest.raises(UserError, match=r"new.jpg: not in the digests of the dataset"):
        open_dataset(prepared).read_image("new")


def test_a_dataset_of_another_program_needs_no_digests(tiny_dataset):
    read_all(tiny_dataset)


def test_masks_of_a_stage_are_compared_with_their_own_checksums(tmp_path):
    path = tmp_path / "m.png"
    mask = np.random.default_rng(0).integers(0, 3, (40, 50), dtype=np.uint8)
    write_mask(path, mask, notes={"a": "b"})
    whole = path.read_bytes()
    np.testing.assert_array_equal(read_mask(path), mask)
    for seed in range(200):
        path.write_bytes(whole)
        (flip if seed % 2 else cut)(path, random.Random(seed))
        with pytest.raises(UserError, match=r"m.png: .*; expected"):
            read_mask(path)


@pytest.mark.parametrize("depth", [2, 4])
def test_greys_of_few_bits_are_refused_by_stages(tmp_path, depth):
    mask = Image.fromarray(np.array([[0, 1], [2, 3]], dtype=np.uint8))
    mask.save(tmp_path / "m.png", bits=depth)
    data = bytearray((tmp_path / "m.png").read_bytes())
    if data[24] == depth:
        with pytest.raises(UserError, match=f"has greys of {depth} bits"):
            read_mask(tmp_path / "m.png")


def test_score_maps_are_compared_with_their_own_checksums(tmp_path):
    path = tmp_path / "s.npz"
    cam = np.zeros((1, 20, 30), dtype=np.float32)
    cam[0, 5:9] = 1
    with ScoreWriter(path, kind="cam", class_names=("cat",)) as writer:
        writer.write("x", [1], cam)
    whole = path.read_bytes()
    for seed in range(100):
        path.write_bytes(whole)
        (flip if seed % 2 else cut)(path, random.Random(seed))
        try:
            record = ScoreReader([path], kind="cam", class_names=("cat",)).read("x")
        except UserError as error:
            assert str(error).startswith(str(path)) or "image x" in str(error)
        else:  # a bit that means nothing, such as one of a time
            assert (np.round(record.scores) == cam).all()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("sb,0,cam,val,0.4", "a row ends early"),
        ("sb,0,cam,", "a row ends early"),
        ("sb,0,cam,val,0.4,50,50,50,50,50", "stage is 'val'"),
    ],
)
def test_a_table_of_scores_that_was_cut_is_told(tmp_path, rows, words):
    (tmp_path / "scores.csv").write_text(HEADER + rows)
    with pytest.raises(UserError, match=rf"scores.csv: ({words})"):
        read_scores(tmp_path / "scores.csv")
