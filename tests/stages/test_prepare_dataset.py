import csv
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runtime.small_disk import small_disk
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_image, read_mask, write_mask
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.prepare.source import check_all_eval, choose_classes
from wsss_core.runtime.errors import UserError
from wsss_core.stages.prepare_dataset import prepare_dataset

DECLARED = [
    "classes.txt",
    "image_digests.csv",
    "images",
    "labels.csv",
    "mask_digests.csv",
    "masks",
    "splits",
    "test_digests.csv",
]
SCORED = ["train", "val"]


def prepare_folder(root, output, *, scored_splits, **options):
    findings = Findings()
    source = read_folder(root, scored_splits=scored_splits, findings=findings)
    prepare_dataset(source, output, findings=findings, **options)


def names(directory):
    """Files and folders, without the digests that each table has beside it."""
    return sorted(path.name for path in directory.iterdir() if path.suffix != ".sha256")


def table(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def replace_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def store_turned(root: Path, image_id: str, orientation: int) -> None:
    """Stores a photograph so that its EXIF orientation brings it back to what it is now."""
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}[orientation]
    upright = Image.open(root / "images" / f"{image_id}.jpg")
    stored = upright.transpose(undo)
    stored.getexif()[0x0112] = orientation
    stored.save(root / "images" / f"{image_id}.jpg", exif=stored.getexif(), quality=100)


def test_prepared_dataset_has_what_is_declared(tiny_dataset, tmp_path):
    output = tmp_path / "results" / "data"
    prepare_folder(tiny_dataset, output, scored_splits=SCORED)
    assert names(output) == DECLARED
    assert names(output.parent) == ["data"]
    source, prepared = open_dataset(tiny_dataset), open_dataset(output)
    assert prepared.class_names == source.class_names
    assert {k: v.tolist() for k, v in prepared.labels.items()} == {
        k: v.tolist() for k, v in source.labels.items()
    }
    for split in ("train_aug", "train", "val"):
        assert prepared.split(split) == source.split(split)


def test_plain_files_are_linked_by_absolute_paths(tiny_dataset, tmp_path):
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    for path in (tmp_path / "data/images/val_0.jpg", tmp_path / "data/masks/val_0.png"):
        assert path.is_symlink()
        assert path.readlink().is_absolute()
        assert path.resolve() == (tiny_dataset / path.relative_to(tmp_path / "data")).resolve()


def test_moving_leaves_no_link(tiny_dataset, tmp_path):
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED, link=False)
    shutil.rmtree(tiny_dataset)
    assert open_dataset(tmp_path / "data").read_image("val_0").shape == (48, 46, 3)


def test_digests_are_those_of_the_prepared_files(tiny_dataset, tmp_path):
    Image.open(tiny_dataset / "images/val_0.jpg").convert("L").save(
        tiny_dataset / "images/val_0.jpg"
    )
    (tiny_dataset / "masks" / "train_5.png").unlink()  # in train_aug only: needs no mask
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    for kind, count in (("image", 8), ("mask", 7)):
        rows = table(tmp_path / "data" / f"{kind}_digests.csv")
        assert rows[0] == ["image", "sha256"]
        assert [row[0] for row in rows[1:]] == sorted(row[0] for row in rows[1:])
        assert len(rows) == 1 + count
        for image_id, digest in rows[1:]:
            (path,) = (tmp_path / "data" / f"{kind}s").glob(f"{image_id}.*")
            assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_same_bytes_again_and_with_more_workers(tiny_dataset, tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        prepare_folder(tiny_dataset, tmp_path / name, scored_splits=SCORED, workers=workers)
    for file in ("labels.csv", "classes.txt", "image_digests.csv", "mask_digests.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_an_old_result_is_replaced(tiny_dataset, tmp_path):
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    for name in ("images", "masks"):
        (tmp_path / "data" / name / "stale.png").touch()
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    assert "stale.png" not in names(tmp_path / "data/images") + names(tmp_path / "data/masks")


def test_unlisted_images_are_left_alone(tiny_dataset, tmp_path):
    (tiny_dataset / "images" / "spare.jpg").touch()
    (tiny_dataset / "images" / "Thumbs.db").touch()
    with (tiny_dataset / "labels.csv").open("a") as file:
        file.write("spare,1,0\n")
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    assert len(names(tmp_path / "data/images")) == 8
    assert "spare" not in open_dataset(tmp_path / "data").labels


def test_columns_in_another_order_and_with_a_byte_order_mark(tiny_dataset, tmp_path):
    rows = table(tiny_dataset / "labels.csv")
    text = "".join(f"{image}, {second},{first}\r\n" for image, first, second in rows)
    (tiny_dataset / "labels.csv").write_text(text, encoding="utf-8-sig")
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    assert sorted(table(tmp_path / "data/labels.csv")) == sorted(rows)


def test_dataset_without_masks(tiny_dataset, tmp_path):
    shutil.rmtree(tiny_dataset / "masks")
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=[])
    assert names(tmp_path / "data") == DECLARED
    assert names(tmp_path / "data/masks") == []
    assert table(tmp_path / "data/mask_digests.csv") == [["image", "sha256"]]


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_become_rgb_without_loss(tiny_dataset, tmp_path, mode):
    path = tiny_dataset / "images" / "val_0.jpg"
    Image.open(path).convert(mode).save(path)
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    prepared = tmp_path / "data" / "images" / "val_0.png"
    assert not prepared.is_symlink()
    with Image.open(prepared) as image:
        assert image.mode == "RGB"
    np.testing.assert_array_equal(read_image(prepared), read_image(path))


def test_rotated_photo_keeps_a_mask_of_its_upright_size(tiny_dataset, tmp_path):
    upright = read_image(tiny_dataset / "images" / "val_0.jpg").astype(int)
    store_turned(tiny_dataset, "val_0", 6)
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    prepared = open_dataset(tmp_path / "data")
    image = Image.open(prepared.image_path("val_0"))
    assert image.getexif().get(0x0112, 1) == 1
    assert np.abs(prepared.read_image("val_0") - upright).mean() < 4
    assert (tmp_path / "data/masks/val_0.png").is_symlink()


@pytest.mark.parametrize(("orientation", "side"), [(3, 46), (6, 48)])
def test_a_mask_that_fits_both_ways_round_is_refused(tiny_dataset, tmp_path, orientation, side):
    Image.new("RGB", (side, 48)).save(tiny_dataset / "images" / "val_0.jpg")
    store_turned(tiny_dataset, "val_0", orientation)
    mask = np.zeros((48, side))
    bad_mask(tiny_dataset, "val_0", mask)  # the same both ways round
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    mask[:, 30:] = 1
    bad_mask(tiny_dataset, "val_0", mask)
    expected = r"1 bad mask rotation: .*val_0.png may belong to the stored or the upright picture"
    with pytest.raises(UserError, match=expected):
        prepare_folder(tiny_dataset, tmp_path / "other", scored_splits=SCORED)


def test_mask_of_a_rotated_photo_as_stored_is_turned_along(tiny_dataset, tmp_path):
    mask_path = tiny_dataset / "masks" / "val_0.png"
    upright = read_mask(mask_path)
    store_turned(tiny_dataset, "val_0", 6)
    write_mask(mask_path, np.rot90(upright).copy())  # the stored photo is 48 wide, 46 high
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    np.testing.assert_array_equal(open_dataset(tmp_path / "data").read_mask("val_0"), upright)


def test_mask_of_a_rotated_photo_is_turned_and_its_classes_chosen(tiny_dataset, tmp_path):
    mask_path = tiny_dataset / "masks" / "val_1.png"
    upright = read_mask(mask_path)
    store_turned(tiny_dataset, "val_1", 6)
    write_mask(mask_path, np.rot90(upright).copy())
    source = read_folder(tiny_dataset, scored_splits=SCORED, findings=Findings())
    source = choose_classes(source, ["square"])
    prepare_dataset(source, tmp_path / "data", findings=Findings())
    data = open_dataset(tmp_path / "data")
    assert data.split("val") == ["val_1"]  # val_0 is a disc
    expected = np.where(upright == 2, 1, upright)
    np.testing.assert_array_equal(data.read_mask("val_1"), expected)


def test_images_of_an_unscored_test_split_need_no_label(tiny_dataset, tmp_path):
    shutil.copy(tiny_dataset / "images/val_0.jpg", tiny_dataset / "images/new.jpg")
    (tiny_dataset / "splits/test.txt").write_text("new\n")
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    assert "new" not in open_dataset(tmp_path / "data").labels
    assert table(tmp_path / "data/test_digests.csv")[1][0] == "new"
    with pytest.raises(UserError, match=r"1 image in \S*/test.txt without a row in .*: new"):
        prepare_folder(tiny_dataset, tmp_path / "other", scored_splits=["test"])


def test_unlabelled_images_are_counted_in_a_warning(tiny_dataset, tmp_path, capsys):
    replace_text(tiny_dataset / "labels.csv", "train_2,1,0", "train_2,0,0")
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "warning: 1 of 8 images have no label and count as pure background: train_2",
        "warning: 1 masks show a class that their labels do not have: train_2",
    ]


def bad_mask(root: Path, image_id: str, mask: np.ndarray) -> None:
    write_mask(root / "masks" / f"{image_id}.png", mask.astype(np.uint8))


def truncate(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def resave(path: Path, mode: str) -> None:
    Image.open(path).convert(mode).save(path)


SPOILS = {
    "no folder": (shutil.rmtree, r"tiny is not a directory"),
    "no classes": (
        lambda root: (root / "classes.txt").unlink(),
        r"classes.txt is missing",
    ),
    "empty class name": (
        lambda root: replace_text(root / "classes.txt", "disc\n", "disc\n\n"),
        r"classes.txt line 2 is ''; expected a class name of one line",
    ),
    "no class at all": (
        lambda root: (root / "classes.txt").write_text("\n"),
        r"classes.txt is empty",
    ),
    "class twice": (
        lambda root: replace_text(root / "classes.txt", "square", "disc"),
        r"classes.txt lists disc more than once",
    ),
    "background as class": (
        lambda root: replace_text(root / "classes.txt", "disc", "background"),
        r"classes.txt line 1 is 'background', a column name in tables of results; expected",
    ),
    "not text": (
        lambda root: (root / "classes.txt").write_bytes(b"\xff\xfe\x00"),
        r"classes.txt is not text; expected UTF-8, UTF-16 or cp1252",
    ),
    "header": (
        lambda root: replace_text(root / "labels.csv", "image,", "file,"),
        r"labels.csv starts with 'file,disc,square'; expected the header 'image,<class>,...'",
    ),
    "label of no class": (
        lambda root: replace_text(root / "labels.csv", "square", "sqare"),
        r"labels.csv line 2: image 'train_0' has the tag 'sqare', which classes.txt does not list; "
        r"expected some of disc, square\n.*labels.csv has no class square",
    ),
    "class without column": (
        lambda root: (root / "classes.txt").write_text("disc\nsquare\nstar\n"),
        r"labels.csv has no class star; expected each of classes.txt",
    ),
    "column twice": (
        lambda root: replace_text(root / "labels.csv", "square", "disc"),
        r"labels.csv has column disc twice",
    ),
    "value": (
        lambda root: replace_text(root / "labels.csv", "train_1,0,1", "train_1,0,2"),
        r"labels.csv line 3: image 'train_1' has '2' for square; expected 0 or 1",
    ),
    "cells": (
        lambda root: replace_text(root / "labels.csv", "train_1,0,1", "train_1,0"),
        r"labels.csv line 3: image 'train_1' has '' for square; expected 0 or 1",
    ),
    "row twice": (
        lambda root: replace_text(root / "labels.csv", "train_1,", "train_0,"),
        r"labels.csv line 3: image 'train_0' occurs twice; expected once \(also in .*line 2\)",
    ),
    "no scored split": (
        lambda root: (root / "splits" / "val.txt").unlink(),
        r"splits/val.txt is missing",
    ),
    "empty split": (
        lambda root: (root / "splits" / "val.txt").write_text("\n"),
        r"splits/val.txt is empty",
    ),
    "id twice": (
        lambda root: replace_text(root / "splits/val.txt", "val_0", "val_1"),
        r"splits/val.txt lists val_1 more than once",
    ),
    "control character in an id": (
        lambda root: replace_text(root / "splits/val.txt", "val_1", "val\t1"),
        r"splits/val.txt line 2 is 'val\\t1'; expected an image id",
    ),
    "path as id": (
        lambda root: replace_text(root / "splits/val.txt", "val_1", "/images/val_1.jpg /m.png"),
        r"splits/val.txt line 2 is '/images/val_1.jpg /m.png'; expected an image id",
    ),
    "held out and trained on": (
        lambda root: replace_text(root / "splits/val.txt", "val_1", "train_5"),
        r"1 image in both train_aug and val of \S*/tiny: train_5",
    ),
    "listed without label": (
        lambda root: replace_text(root / "labels.csv", "val_1", "val_2"),
        r"1 image in \S*/splits/val.txt without a row in \S*/labels.csv: val_1",
    ),
    "listed without image": (
        lambda root: (root / "images" / "val_1.jpg").unlink(),
        r"1 image in \S*/splits/val.txt without a JPEG, .* in \S*/images: val_1",
    ),
    "no images": (
        lambda root: shutil.rmtree(root / "images"),
        r"6 images in \S*/splits/train_aug.txt without a JPEG, .* in \S*/tiny: train_0, train_1",
    ),
    "image twice": (
        lambda root: shutil.copy(root / "images/val_1.jpg", root / "images/val_1.png"),
        r"images has both val_1.jpg and val_1.png; expected one of them",
    ),
    "class never trained": (
        lambda root: (root / "splits/train_aug.txt").write_text("train_2\ntrain_4\n"),
        r"no image in train_aug of \S*/tiny has the label square",
    ),
    "scored without mask": (
        lambda root: (root / "masks" / "train_1.png").unlink(),
        r"1 image of the scored split train without a mask \S*/masks/<image>.png: train_1",
    ),
    "empty image": (
        lambda root: (root / "images" / "train_5.jpg").write_bytes(b""),
        r"1 bad image file: \S*/images/train_5.jpg is empty \(0 bytes\); expected whole JPEG",
    ),
    "truncated image": (
        lambda root: truncate(root / "images" / "train_5.jpg", 0.6),
        r"1 bad image file: \S*/train_5.jpg cannot be decoded \(image file is truncated",
    ),
    "not an image": (
        lambda root: (root / "images" / "train_5.jpg").write_text("<html>not found</html>"),
        r"1 bad image file: \S*/train_5.jpg is no JPEG, PNG, WebP, TIFF, BMP",
    ),
    "truncated mask": (
        lambda root: truncate(root / "masks" / "val_0.png", 0.5),
        r"1 bad mask file: \S*/masks/val_0.png ",
    ),
    "coloured mask": (
        lambda root: resave(root / "masks" / "val_0.png", "RGB"),
        r"1 bad mask file: \S*/val_0.png is PNG of mode RGB, not of one class index per pixel; exp",
    ),
    "mask size": (
        lambda root: bad_mask(root, "val_0", np.zeros((46, 48))),
        r"1 bad mask size: \S*/val_0.png is 48x46 for an image of 46x48; expected masks of",
    ),
    "mask index": (
        lambda root: bad_mask(root, "val_0", np.full((48, 46), 3)),
        r"1 bad mask index: \S*/val_0.png has 3; there are 2 classes; expected 0 to the",
    ),
}


@pytest.mark.parametrize("kind", SPOILS)
def test_bad_input_is_one_line_and_leaves_nothing(tiny_dataset, tmp_path, kind):
    spoil, message = SPOILS[kind]
    spoil(tiny_dataset)
    output = tmp_path / "results" / "data"
    with pytest.raises(UserError, match=message) as error:
        prepare_folder(tiny_dataset, output, scored_splits=SCORED)
    assert all(line.strip() for line in str(error.value).split("\n"))
    assert not output.parent.exists() or names(output.parent) == []


def test_an_old_result_survives_bad_input(tiny_dataset, tmp_path):
    output = tmp_path / "data"
    prepare_folder(tiny_dataset, output, scored_splits=SCORED)
    truncate(tiny_dataset / "masks" / "val_0.png", 0.5)
    with pytest.raises(UserError):
        prepare_folder(tiny_dataset, output, scored_splits=SCORED)
    assert names(output) == DECLARED
    assert len(names(output / "images")) == 8


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("size={room}", "No space left on device; expected more room on this disk; the next run "),
        ("ro", "Read-only file system; expected a directory that can be written"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_an_old_result_survives_a_bad_disk(tiny_dataset, tmp_path, options, expected, workers):
    with small_disk(tmp_path / "disk", "size=1m") as remount:
        output = tmp_path / "disk" / "data"
        prepare_folder(tiny_dataset, output, scored_splits=SCORED)
        before = {path.name: path.read_bytes() for path in output.rglob("*.*")}
        used = shutil.disk_usage(tmp_path / "disk").used
        for image in (tiny_dataset / "images").iterdir():  # linked before, and now to be written
            Image.open(image).convert("L").save(image)
        remount(options.format(room=used + 3 * 4096))
        with pytest.raises(UserError) as error:
            prepare_folder(tiny_dataset, output, scored_splits=SCORED, workers=workers)
        assert str(error.value).startswith(f"{output}: {expected}")
        assert names(output) == DECLARED
        tables = [path for path in output.rglob("*.*") if not path.is_symlink()]
        assert tables
        assert all(path.read_bytes() == before[path.name] for path in tables)
        remount("rw,size=1m")
        prepare_folder(tiny_dataset, output, scored_splits=SCORED)
        assert {path.suffix for path in (output / "images").iterdir()} == {".png"}


def test_many_problems_are_counted_and_the_first_named(tiny_dataset, tmp_path):
    for i in range(5):
        (tiny_dataset / "images" / f"train_{i}.jpg").write_bytes(b"")
    bad_mask(tiny_dataset, "val_0", np.full((48, 46), 3))
    with pytest.raises(UserError) as error:
        prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)
    images, mask = str(error.value).split("\n")
    assert images.startswith("5 bad image files: ")
    assert "train_2.jpg is empty (0 bytes) and 2 more; expected" in images
    assert mask.startswith("1 bad mask index: ")


def test_images_that_were_not_prepared_are_not_replaced(tiny_dataset, tmp_path):
    (tmp_path / "mine/images").mkdir(parents=True)
    (tmp_path / "mine/images/a.jpg").touch()
    with pytest.raises(UserError, match="mine holds images that were not prepared; expected a new"):
        prepare_folder(tiny_dataset, tmp_path / "mine", scored_splits=SCORED)
    assert names(tmp_path / "mine") == ["images"]


def test_output_must_not_be_the_source(tiny_dataset):
    before = names(tiny_dataset)
    with pytest.raises(UserError, match="is the source itself"):
        prepare_folder(tiny_dataset, tiny_dataset, scored_splits=SCORED)
    assert names(tiny_dataset) == before


def test_ignored_index_is_allowed_whatever_the_class_count(tiny_dataset, tmp_path):
    bad_mask(tiny_dataset, "val_0", np.full((48, 46), 255))
    prepare_folder(tiny_dataset, tmp_path / "data", scored_splits=SCORED)


def run_script(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "workflow_scripts.prepare_dataset", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": "."}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_script_reports_bad_input_in_one_line(tiny_dataset, tmp_path):
    (tiny_dataset / "images" / "train_5.jpg").write_bytes(b"")
    done = run_script(
        "--source", "folder", "--folder", tiny_dataset, "--output", tmp_path / "r" / "data",
        "--scored-splits", "train", "val", "--threads", 2,
    )  # fmt: skip
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("checking images")]
    assert len(lines) == 1
    assert lines[0].startswith("error: 1 bad image file: ")
    assert names(tmp_path / "r") == []


def test_script_draws_nothing_on_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", "size=64k"):
        done = run_script("--source", "demo", "--output", tmp_path / "disk/data", "--threads", 2)
        assert done.returncode == 1
        lines = [line for line in done.stderr.splitlines() if not line.startswith("drawing")]
        assert lines == [
            f"error: {tmp_path}/disk/data_drawn: No space left on device; expected more room on "
            "this disk; the next run goes on from what is finished"
        ]
        assert names(tmp_path / "disk") == []


def test_script_needs_a_root_for_a_folder(tmp_path):
    done = run_script("--source", "folder", "--output", tmp_path / "data")
    assert done.returncode == 2
    assert "--source folder needs --folder" in done.stderr


def test_without_shards_for_the_rest_there_must_be_none(tiny_dataset):
    source = read_folder(tiny_dataset, scored_splits=SCORED, findings=Findings())
    with pytest.raises(UserError) as error:
        check_all_eval(source, scored_splits=SCORED)
    assert str(error.value) == (
        f"shards.train_only is 0, but 2 images in train_aug of {tiny_dataset} not in train or val: "
        "train_4, train_5; expected at least 1 shard for the rest"
    )
    check_all_eval(source, scored_splits=["train_aug", "val"])


def test_script_checks_that_there_is_no_rest(tiny_dataset, tmp_path):
    arguments = ("--source", "folder", "--folder", tiny_dataset, "--output", tmp_path / "data")
    done = run_script(*arguments, "--all-eval")
    assert done.returncode == 1
    assert done.stderr.startswith("error: shards.train_only is 0, but 2 images")
    assert not (tmp_path / "data").exists()
