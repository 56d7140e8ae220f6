import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.prepare.voc.devkit import (
    CLASSES,
    LABELS,
    SBD_TRAIN,
    SBD_VAL,
    TEST,
    TRAIN,
    VAL,
    annotation,
    mask_of,
    write_lines,
    write_mat,
    write_tiny_voc,
    write_trainval,
)
from wsss_core.data.dataset import open_dataset, part_ids
from wsss_core.data.images import read_mask, write_mask
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.prepare.id_lists import read_ids, read_splits
from wsss_core.prepare.source import choose_classes
from wsss_core.prepare.voc import lists as lists_of_voc
from wsss_core.prepare.voc.source import read_voc
from wsss_core.runtime.errors import UserError
from wsss_core.stages.prepare_dataset import prepare_dataset

SCORED = ["train", "val"]
TRAIN_AUG = sorted({*TRAIN, *SBD_TRAIN, *SBD_VAL} - {*VAL})
PROJECT = Path(__file__).parents[3]
ANIMALS = PROJECT.parent / "shared" / "voc-animals"
ANIMAL_CLASSES = ["cat", "cow", "dog", "horse", "person", "sheep"]


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Three directories with what the archives of trainval, test and SBD hold."""
    return write_tiny_voc(tmp_path / "voc")


def read_tiny(voc, **options):
    return read_voc(voc / "trainval", scored_splits=SCORED, sbd=voc / "sbd", **options)


def devkit(voc):
    return voc / "trainval" / "VOCdevkit" / "VOC2012"


def test_voc_becomes_a_dataset(voc, tmp_path):
    prepare_dataset(read_tiny(voc), tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert dataset.class_names == CLASSES
    assert dataset.split("train_aug") == TRAIN_AUG
    assert (dataset.split("train"), dataset.split("val")) == (TRAIN, VAL)
    assert not dataset.has_split("test")
    assert sorted(dataset.labels) == sorted({*TRAIN_AUG, *VAL})
    for image_id, label in dataset.labels.items():
        assert {CLASSES[k] for k in np.flatnonzero(label)} == {*LABELS[image_id]}
    assert part_ids(dataset, "train_only", SCORED) == ["2008_000001", "2008_000002", "2008_000003"]


def test_photographs_and_masks_are_linked(voc, tmp_path):
    prepare_dataset(read_tiny(voc), tmp_path / "data", workers=2)
    for name, file in (("images", "JPEGImages"), ("masks", "SegmentationClass")):
        (path,) = (tmp_path / "data" / name).glob(f"{VAL[0]}.*")
        assert path.resolve() == (devkit(voc) / file / path.name).resolve()


def test_masks_of_sbd_are_for_images_that_have_none_in_voc(voc, tmp_path):
    source = read_tiny(voc)
    assert source.masks[TRAIN[0]].suffix == ".png"  # with void, which SBD's has not
    prepare_dataset(source, tmp_path / "data")
    np.testing.assert_array_equal(
        read_mask(tmp_path / "data/masks/2008_000003.png"), mask_of(["horse"])
    )
    assert (read_mask(tmp_path / "data/masks" / f"{TRAIN[0]}.png") == 255).any()
    write_lines(voc / "lists/train_aug.txt", TRAIN)
    without = read_voc(voc / "trainval", scored_splits=["train_aug"], id_lists=voc / "lists")
    assert sorted(without.masks) == TRAIN


@pytest.mark.parametrize("above", ["trainval", "trainval/VOCdevkit", "trainval/VOCdevkit/VOC2012"])
def test_the_devkit_is_found_from_above(voc, above):
    source = read_voc(voc / above, scored_splits=SCORED, sbd=voc / "sbd/benchmark_RELEASE")
    assert source.root == devkit(voc)


def test_test_images_are_segmented_only(voc, tmp_path):
    """They have no label, and digests of their own: nothing that is learnt depends on them."""
    for name, test in (("with", voc / "test"), ("without", None)):
        prepare_dataset(read_tiny(voc, test=test), tmp_path / name)
    dataset = open_dataset(tmp_path / "with")
    assert part_ids(dataset, "test", SCORED) == TEST
    assert not {*TEST} & {*dataset.labels}
    assert dataset.read_image(TEST[0]).shape == (30, 40, 3)
    for file in ("image_digests.csv", "mask_digests.csv", "labels.csv", "splits/train_aug.txt"):
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes()
    lines = (tmp_path / "with/test_digests.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["image", *TEST]
    assert (tmp_path / "without/test_digests.csv").read_text() == "image,sha256\n"


def test_id_lists_in_place_of_the_official_ones(voc):
    for split, ids in (("train_aug", TRAIN), ("train", TRAIN[:2]), ("val", VAL[1:])):
        write_lines(voc / "lists" / f"{split}.txt", ids)
    source = read_voc(voc / "trainval", scored_splits=SCORED, id_lists=voc / "lists")
    assert source.splits == {"train_aug": TRAIN, "train": TRAIN[:2], "val": VAL[1:]}
    assert sorted(source.labels) == sorted([*TRAIN, *VAL[1:]])


@pytest.fixture
def pets(voc):
    """A cat, a dog and an aeroplane to train on; scored are another cat and dog, and a person."""
    write_lines(voc / "lists/train_aug.txt", ["2008_000001", "2008_000002", TRAIN[0]])
    write_lines(voc / "lists/val.txt", VAL)
    return {"devkit": voc / "trainval", "scored_splits": ["val"], "id_lists": voc / "lists"}


def test_classes_by_name_leave_out_images_of_others(pets, tmp_path):
    prepare_dataset(choose_classes(read_voc(**pets), ["dog", "cat"]), tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert dataset.class_names == ("dog", "cat")
    assert dataset.split("train_aug") == ["2008_000001", "2008_000002"]
    assert dataset.split("val") == VAL[:2]  # the third has a person too
    assert dataset.labels[VAL[0]].tolist() == [0, 1]
    for image_id, index in zip(VAL[:2], (2, 1), strict=True):
        assert set(np.unique(dataset.read_mask(image_id))) == {0, index, 255}
    assert not (tmp_path / "data/images" / f"{TRAIN[0]}.jpg").exists()


def test_what_a_mask_shows_beyond_the_label_is_ignored(voc, pets, tmp_path):
    mask = mask_of(["cat", "sofa"])
    write_mask(devkit(voc) / "SegmentationClass" / f"{VAL[0]}.png", mask)
    prepare_dataset(choose_classes(read_voc(**pets), ["cat", "dog"]), tmp_path / "data")
    prepared = open_dataset(tmp_path / "data").read_mask(VAL[0])
    np.testing.assert_array_equal(prepared == 1, mask == CLASSES.index("cat") + 1)
    np.testing.assert_array_equal(prepared == 255, mask == CLASSES.index("sofa") + 1)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["cat", "dgo"], "dataset.classes has dgo; expected some of aeroplane, bicycle"),
        (["boat"], r"each image in train_aug of \S*/VOC2012 has another class than boat"),
    ],
)
def test_classes_that_cannot_be_chosen(voc, classes, message):
    with pytest.raises(UserError, match=message):
        choose_classes(read_tiny(voc), classes)


def test_a_chosen_class_that_is_not_trained_is_refused(pets, tmp_path):
    source = choose_classes(read_voc(**pets), ["cat", "dog", "person"])
    with pytest.raises(UserError, match="no image in train_aug of .* has the label person; "):
        prepare_dataset(source, tmp_path / "data")


def test_shipped_lists_of_voc_animals_are_of_voc_and_held_out():
    lists = read_splits(PROJECT / "configs/voc-animals", required=["train_aug", *SCORED])
    train_aug, train, val = (set(ids) for ids in lists.values())
    assert (len(train_aug), len(train), len(val)) == (1800, 370, 200)
    voc = set(read_ids(lists_of_voc.TRAIN_AUG))
    assert train <= train_aug <= voc
    assert not val & voc


@pytest.mark.skipif(not ANIMALS.is_dir(), reason=f"needs {ANIMALS}")
def test_voc_animals_is_a_choice_of_classes_and_ids(tmp_path):
    """From its labels a VOC is built, with a bus on some images, and from that the labels again."""
    expected = read_folder(ANIMALS, scored_splits=SCORED, findings=Findings())
    labels = {
        image_id: [name for name, value in zip(ANIMAL_CLASSES, label, strict=True) if value]
        for image_id, label in expected.labels.items()
    }
    others = {f"2013_{i:06}": ["cat", "bus"] for i in range(3)}
    lists = expected.splits
    write_trainval(tmp_path, labels | others, train=lists["train"], val=lists["val"])
    for split, ids in lists.items():
        more = others if split == "train_aug" else []
        write_lines(tmp_path / "lists" / f"{split}.txt", [*ids, *more])
    source = read_voc(tmp_path, scored_splits=SCORED, id_lists=tmp_path / "lists")
    animals = choose_classes(source, ANIMAL_CLASSES)
    assert animals.class_names == expected.class_names
    assert animals.splits == expected.splits
    assert animals.labels == expected.labels
    assert animals.images.keys() == expected.images.keys()


def remove(*parts):
    return lambda voc: voc.joinpath(*parts).unlink()


IN_VOC = ("trainval", "VOCdevkit", "VOC2012")
SPOILS = {
    "nothing there": (
        lambda voc: shutil.rmtree(voc / "trainval"),
        r"trainval has no unpacked VOC 2012 \(trainval\); expected a directory with Annotations, "
        r"JPEGImages, SegmentationClass, ImageSets/Segmentation",
    ),
    "no masks at all": (
        lambda voc: shutil.rmtree(devkit(voc) / "SegmentationClass"),
        r"VOC2012 has no SegmentationClass; expected all of an unpacked VOC 2012 \(trainval\): "
        r"unpack it again",
    ),
    "no test list": (
        remove("test", "VOCdevkit", "VOC2012", "ImageSets", "Segmentation", "test.txt"),
        r"test/VOCdevkit/VOC2012 has no ImageSets/Segmentation/test.txt; expected all of",
    ),
    "no lists of SBD": (
        remove("sbd", "benchmark_RELEASE", "dataset", "val.txt"),
        r"benchmark_RELEASE/dataset has no val.txt; expected all of an unpacked SBD",
    ),
    "split missing": (
        remove(*IN_VOC, "ImageSets", "Segmentation", "val.txt"),
        r"ImageSets/Segmentation/val.txt is missing; expected a text file",
    ),
    "id twice": (
        lambda voc: write_lines(devkit(voc) / "ImageSets/Segmentation/val.txt", [*VAL, VAL[0]]),
        r"Segmentation/val.txt lists 2009_000001 more than once; expected each once",
    ),
    "unknown id": (
        lambda voc: write_lines(devkit(voc) / "ImageSets/Segmentation/val.txt", ["2009_7"]),
        r"1 image listed for \S*/VOC2012 without an annotation \S*/Annotations/<id>.xml: 2009_7",
    ),
    "list of another tool": (
        lambda voc: write_lines(
            devkit(voc) / "ImageSets/Segmentation/val.txt", ["/JPEGImages/a.jpg /a.png"]
        ),
        r"Segmentation/val.txt line 1 is '/JPEGImages/a.jpg /a.png'; expected an image id",
    ),
    "image missing": (
        remove(*IN_VOC, "JPEGImages", "2008_000002.jpg"),
        r"1 image of the split train_aug without a JPEG in \S*/JPEGImages or \S*/test/\S*: 2008_0",
    ),
    "test image missing": (
        remove("test", "VOCdevkit", "VOC2012", "JPEGImages", f"{TEST[0]}.jpg"),
        rf"1 image of the split test without a JPEG in .*: {TEST[0]}",
    ),
    "annotation missing": (
        remove(*IN_VOC, "Annotations", "2008_000002.xml"),
        r"1 image listed for \S*/VOC2012 without an annotation .*: 2008_000002",
    ),
    "annotation broken": (
        lambda voc: (devkit(voc) / "Annotations/2008_000002.xml").write_text("<annotation>"),
        r"1 bad annotation: \S*/2008_000002.xml cannot be read \(no element found: line 1",
    ),
    "unknown class": (
        lambda voc: (devkit(voc) / "Annotations/2008_000002.xml").write_text(
            annotation("2008_000002", ["unicorn"])
        ),
        r"2008_000002.xml has an object 'unicorn', which is no class of VOC",
    ),
    "scored mask missing": (
        remove(*IN_VOC, "SegmentationClass", f"{VAL[1]}.png"),
        r"1 image of the scored split val without a mask in \S*/SegmentationClass or \S*/cls: ",
    ),
    "wrong mask": (
        lambda voc: write_mask(
            devkit(voc) / "SegmentationClass" / f"{VAL[1]}.png", np.zeros((9, 9), np.uint8)
        ),
        r"1 bad mask size: \S*/2009_000002.png is 9x9 for an image of 40x30",
    ),
    "wrong index": (
        lambda voc: write_mask(
            devkit(voc) / "SegmentationClass" / f"{VAL[1]}.png", np.full((30, 40), 21, np.uint8)
        ),
        r"1 bad mask index: \S*/2009_000002.png has 21; there are 20 classes",
    ),
    "mat truncated": (
        lambda voc: (voc / "sbd/benchmark_RELEASE/dataset/cls/2008_000003.mat").write_bytes(b""),
        r"1 bad SBD mask: \S*/2008_000003.mat cannot be read .*; expected MAT files with a uint8",
    ),
    "mat of another size": (
        lambda voc: write_mat(
            voc / "sbd/benchmark_RELEASE/dataset/cls/2008_000003.mat", np.zeros((9, 8), np.uint8)
        ),
        r"1 bad mask size: \S*/2008_000003.mat is 8x9 for an image of 40x30",
    ),
}


@pytest.mark.parametrize("kind", SPOILS)
def test_bad_input_is_one_line_and_leaves_an_old_result(voc, tmp_path, kind):
    output = tmp_path / "results" / "data"
    prepare_dataset(read_tiny(voc, test=voc / "test"), output)
    before = {path: path.lstat().st_mtime_ns for path in output.rglob("*")}
    spoil, message = SPOILS[kind]
    spoil(voc)
    with pytest.raises(UserError, match=message) as error:
        prepare_dataset(read_tiny(voc, test=voc / "test"), output)
    assert all(line.strip() for line in str(error.value).split("\n"))
    assert {path: path.lstat().st_mtime_ns for path in output.rglob("*")} == before
    assert [path.name for path in output.parent.iterdir()] == ["data"]


def test_scored_split_that_voc_does_not_have(voc):
    with pytest.raises(UserError, match="evaluation.splits has dev; expected some of train_aug, "):
        read_voc(voc / "trainval", scored_splits=["dev"], sbd=voc / "sbd")


def test_both_trained_and_held_out(voc):
    write_lines(voc / "lists/train_aug.txt", [*TRAIN, VAL[0]])
    write_lines(voc / "lists/val.txt", VAL)
    with pytest.raises(UserError, match=r"1 image in both train_aug and val of \S*/lists: 2009_00"):
        read_voc(voc / "trainval", scored_splits=["val"], id_lists=voc / "lists")
