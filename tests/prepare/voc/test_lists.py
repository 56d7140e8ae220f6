import hashlib

from hypothesis import given
from hypothesis import strategies as st

from tests.prepare.voc.devkit import SBD_TRAIN, SBD_VAL, TEST, TRAIN, VAL, write_tiny_voc
from wsss_core.prepare.id_lists import read_ids
from wsss_core.prepare.voc.lists import CLASSES, TRAIN_AUG, augmented_training_ids, official_splits

IDS = st.lists(st.sampled_from([f"2007_{i:06}" for i in range(12)]), unique=True)


def test_facts_are_what_they_were():
    """What the stages were run with: a change of these files does not rerun them."""
    ids = read_ids(TRAIN_AUG)
    assert len(ids) == 10582
    assert ids == sorted(ids)
    digest = "d1326bd532648d73bc4b1bd275434eba81930982dc7401a65a8cecb26c028e24"
    assert hashlib.sha256(TRAIN_AUG.read_bytes()).hexdigest() == digest
    assert CLASSES.read_text().split() == [
        "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
        "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
        "train", "tvmonitor",
    ]  # fmt: skip


@given(train=IDS, sbd_train=IDS, sbd_val=IDS, val=IDS)
def test_augmented_training_ids_are_those_of_a_plain_loop(train, sbd_train, sbd_val, val):
    expected = []
    for image_id in train + sbd_train + sbd_val:
        if image_id not in val and image_id not in expected:
            expected.append(image_id)
    expected.sort()
    got = augmented_training_ids(train=train, sbd_train=sbd_train, sbd_val=sbd_val, val=val)
    assert got == expected


def test_official_lists(tmp_path):
    write_tiny_voc(tmp_path)
    devkit, test = (tmp_path / name / "VOCdevkit/VOC2012" for name in ("trainval", "test"))
    sbd = tmp_path / "sbd/benchmark_RELEASE/dataset"
    assert official_splits(devkit, test=test, sbd=sbd) == {
        "train_aug": sorted({*TRAIN, *SBD_TRAIN, *SBD_VAL} - {*VAL}),
        "train": TRAIN,
        "val": VAL,
        "test": TEST,
    }


def test_the_list_at_hand_stands_in_for_sbd(tmp_path):
    write_tiny_voc(tmp_path)
    splits = official_splits(tmp_path / "trainval/VOCdevkit/VOC2012")
    assert len(splits["train_aug"]) == 10582
    assert "test" not in splits
