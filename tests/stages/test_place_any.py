"""Tests of how pictures and masks of any format arrive in the prepared dataset."""

import errno
import os
import random
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.prepare.forms.pictures import write_picture
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_image, read_mask
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.runtime.errors import UserError
from wsss_core.stages.prepare_dataset import prepare_dataset

SIDE = 24, 16


def prepare(root, scored=(), **options):
    findings = Findings()
    source = read_folder(root, scored_splits=scored, findings=findings)
    prepare_dataset(source, root / "out", findings=findings, **options)
    return open_dataset(root / "out"), findings.warnings


def with_masks(root, masks, *, classes="cat\n", suffix=".png"):
    """Pictures p0, p1, ... of class cat, the first trained on and the others scored as val."""
    (root / "masks").mkdir(parents=True)
    (root / "splits").mkdir()
    (root / "classes.txt").write_text(classes)
    names = [f"p{k}" for k in range(1 + len(masks))]
    tags = classes.strip().split("\n")
    rows = [f"{name},{tags[k % len(tags)]}" for k, name in enumerate(names)]
    (root / "labels.csv").write_text("\n".join(["image,tags", *rows, f"q,{';'.join(tags)}"]))
    (root / "splits/train_aug.txt").write_text("p0\nq")
    (root / "splits/val.txt").write_text("\n".join(names[1:]))
    for seed, name in enumerate([*names, "q"]):
        write_picture(root / f"images/{name}.jpg", seed=seed, size=SIDE)
    for name, mask in zip(names[1:], masks, strict=True):
        Image.fromarray(mask).save(root / "masks" / f"{name}{suffix}")


def half(value, dtype=np.uint8):
    mask = np.zeros((SIDE[1], SIDE[0]), dtype=dtype)
    mask[:, :10] = value
    return mask


FORMATS = {"WEBP": "a.webp", "TIFF": "b.TIF", "BMP": "c.bmp", "GIF": "d.gif", "AVIF": "e.avif"}
FORMATS |= {"HEIF": "f.HEIC", "PNG": "wrong suffix.jpg", "JPEG": "no suffix"}


def test_all_formats_are_placed_as_jpeg_or_png(tmp_path):
    (tmp_path / "images").mkdir()
    for seed, (picture_format, name) in enumerate(FORMATS.items()):
        write_picture(tmp_path / "x.png", seed=seed)
        Image.open(tmp_path / "x.png").save(tmp_path / "images" / name, format=picture_format)
    (tmp_path / "x.png").unlink()
    rows = "".join(f"{name},cat\n" for name in FORMATS.values())
    (tmp_path / "labels.csv").write_text(f"image,tags\n{rows}")
    dataset, _ = prepare(tmp_path)
    assert len(dataset.split("train_aug")) == len(FORMATS)
    for picture_format, name in FORMATS.items():
        image_id = name if picture_format == "JPEG" else name.rsplit(".", 1)[0]
        with Image.open(dataset.image_path(image_id)) as placed:
            assert placed.format == ("JPEG" if picture_format == "JPEG" else "PNG")
            assert placed.mode == "RGB"
        expected = read_image(tmp_path / "images" / name)
        np.testing.assert_array_equal(dataset.read_image(image_id), expected)


@pytest.mark.parametrize(
    ("size", "longest_side", "expected"),
    [((400, 200), 100, (100, 50)), ((300, 901), 300, (100, 300)), ((64, 48), 64, (64, 48)),
     ((64, 48), None, (64, 48)), ((2000, 1), 100, (100, 1))],
)  # fmt: skip
def test_large_pictures_are_shrunk_and_masks_with_them(tmp_path, size, longest_side, expected):
    with_masks(tmp_path, [half(1)])
    ramp = np.linspace(0, 255, size[0]).round().astype(np.uint8)
    image = np.repeat(np.tile(ramp, (size[1], 1))[..., None], 3, axis=2)
    Image.fromarray(image).save(tmp_path / "images/p1.jpg", quality=95)
    Image.fromarray((image[..., 0] >= 128).astype(np.uint8)).save(tmp_path / "masks/p1.png")
    dataset, _ = prepare(tmp_path, ["val"], longest_side=longest_side)
    placed, mask = dataset.read_image("p1"), dataset.read_mask("p1")
    assert placed.shape[1::-1] == mask.shape[::-1] == expected
    assert dataset.image_path("p1").is_symlink() == (size == expected)
    edge = np.abs(placed[..., 0].astype(int) - 128) > 6
    np.testing.assert_array_equal(mask[edge], (placed[..., 0] >= 128)[edge])


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".tif", ".bmp"])
def test_masks_of_one_class_may_be_0_and_255(tmp_path, suffix):
    with_masks(tmp_path, [half(255), half(0), half(255)], suffix=suffix)
    dataset, _ = prepare(tmp_path, ["val"])
    for name, value in (("p1", 1), ("p2", 0), ("p3", 1)):
        np.testing.assert_array_equal(dataset.read_mask(name), half(value))


def test_where_an_index_is_used_255_stays_ignored(tmp_path):
    with_masks(tmp_path, [half(255), half(1)])
    dataset, warnings = prepare(tmp_path, ["val"])
    np.testing.assert_array_equal(dataset.read_mask("p1"), half(255))
    assert warnings[-1] == "1 masks show none of the classes of their labels: p1"


def test_masks_of_several_classes_of_0_and_255_are_refused(tmp_path):
    with_masks(tmp_path, [half(255), half(255)], classes="cat\ndog\n")
    with pytest.raises(UserError) as error:
        prepare(tmp_path, ["val"])
    assert str(error.value) == (
        "2 masks have no other values than 0 and 255, which is ignored: p1, p2; expected k for "
        "the k-th of 2 classes"
    )


@pytest.mark.parametrize(
    "mask",
    [half(1).astype(np.uint16), half(1).astype(np.int32), np.stack([half(1)] * 3, axis=2)],
    ids=["uint16", "int32", "grey RGB"],
)
def test_indices_of_other_types_are_read(tmp_path, mask):
    with_masks(tmp_path, [mask], suffix=".tif")
    dataset, _ = prepare(tmp_path, ["val"])
    np.testing.assert_array_equal(dataset.read_mask("p1"), half(1))


def test_names_of_masks_in_either_form_of_unicode(tmp_path):
    with_masks(tmp_path, [half(1)])
    for folder in ("images", "masks"):
        for path in (tmp_path / folder).glob("p1.*"):
            path.rename(path.with_stem("Ku\u0308he"))
    for name in ("labels.csv", "splits/val.txt"):
        path = tmp_path / name
        path.write_text(path.read_text().replace("p1", "K\u00fche"), encoding="utf-8")
    dataset, _ = prepare(tmp_path, ["val"])
    np.testing.assert_array_equal(dataset.read_mask("K\u00fche"), half(1))


def test_lossy_masks_are_refused(tmp_path):
    with_masks(tmp_path, [half(1)])
    Image.fromarray(half(1)).save(tmp_path / "masks/p1.png", format="JPEG")
    with pytest.raises(UserError, match="p1.png is JPEG, which changes indices; expected"):
        prepare(tmp_path, ["val"])


def plain_folder(root):
    for seed, name in enumerate(("a", "b")):
        write_picture(root / f"images/{name}.jpg", seed=seed)
    (root / "labels.csv").write_text("image,tags\na,cat\nb,dog\n")


def test_links_stay_right_when_the_project_moves(tmp_path, monkeypatch):
    project = tmp_path / "before"
    plain_folder(project)
    monkeypatch.chdir(project)
    prepare(project)
    assert not (project / "out/images/a.jpg").readlink().is_absolute()
    monkeypatch.chdir(tmp_path)
    project.rename(tmp_path / "after")
    assert open_dataset(tmp_path / "after/out").read_image("a").shape == (16, 24, 3)


def test_where_no_links_can_be_made_files_are_copied(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EPERM, "Operation not permitted")

    plain_folder(tmp_path)
    monkeypatch.setattr(os, "symlink", refuse)
    dataset, _ = prepare(tmp_path)
    assert not dataset.image_path("a").is_symlink()
    assert dataset.image_path("a").read_bytes() == (tmp_path / "images/a.jpg").read_bytes()


ODD_FILES = {
    "dead link": lambda folder: (folder / "lost.jpg").symlink_to("nowhere"),
    "latin-1 name": lambda folder: (folder / "caf\udce9.jpg").touch(),
    "folder": lambda folder: (folder / "x.jpg").mkdir(),
    "empty": lambda folder: (folder / "empty.png").touch(),
    "of a Mac": lambda folder: (folder / "._a.jpg").touch(),
    "line break": lambda folder: (folder / "x\ny.jpg").touch(),
    "braces": lambda folder: (folder / "{x}.jpg").touch(),
}


@pytest.mark.parametrize("kind", ODD_FILES)
def test_what_is_not_listed_stops_nothing(tmp_path, kind):
    plain_folder(tmp_path)
    ODD_FILES[kind](tmp_path / "images")
    dataset, _ = prepare(tmp_path)
    assert dataset.split("train_aug") == ["a", "b"]


@pytest.mark.parametrize(
    "name", ["{x} 100%", "it's", "x" * 247, "ü" * 123, "-rf", "a b\u202fc", "犬"]
)
def test_odd_names_of_listed_pictures(tmp_path, name):
    plain_folder(tmp_path)
    shutil.copy(tmp_path / "images/a.jpg", tmp_path / "images" / f"{name}.jpg")
    with (tmp_path / "labels.csv").open("a", encoding="utf-8") as file:
        file.write(f"{name}.jpg,cat\n")
    dataset, _ = prepare(tmp_path)
    assert dataset.read_image(name).shape == (16, 24, 3)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    plain_folder(tmp_path)
    (tmp_path / "images/a.jpg").write_bytes(b"")
    (tmp_path / "labels.csv").write_text(
        "image,tags\na,cat\nb,dog\nlost.jpg,dog\n../c,dog\nb,seed\n"
    )
    with pytest.raises(UserError) as error:
        prepare(tmp_path)
    lines = str(error.value).split("\n")
    assert [line.removeprefix(f"{tmp_path}/")[:40] for line in lines] == [
        "labels.csv line 5: image is '../c'; expe",
        "labels.csv line 6: image 'b' occurs twic",
        "labels.csv line 4: no picture 'lost'; ex",
        f"1 bad image file: {tmp_path}"[:40],
    ]


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_damaged_pictures_and_masks_are_placed_or_told(tmp_path, picture_format):
    with_masks(tmp_path, [half(1)])
    write_picture(tmp_path / "x.png")
    Image.open(tmp_path / "x.png").save(tmp_path / "images/p1.jpg", format=picture_format)
    files = {path: path.read_bytes() for path in tmp_path.glob("*/p1.*")}
    draw = random.Random(0)
    for number in range(60):
        for path, data in files.items():
            damaged = bytearray(data)
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            path.write_bytes(damaged[: draw.choice([None, draw.randrange(len(damaged))])])
        try:
            dataset, _ = prepare(tmp_path, ["val"], longest_side=draw.choice([None, 12]))
        except UserError as error:
            assert "p1" in str(error), number
        else:
            assert dataset.read_image("p1").shape[:2] == dataset.read_mask("p1").shape
            assert set(np.unique(read_mask(dataset.mask_path("p1")))) <= {0, 1, 255}
