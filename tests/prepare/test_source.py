from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsss_core.prepare.inspect import mask_indices
from wsss_core.prepare.source import Source, choose_classes, labelled_ids
from wsss_core.runtime.errors import UserError

CLASSES = ("ant", "bee", "cow", "dog")
LABEL = st.tuples(*[st.integers(0, 1)] * len(CLASSES))
CHOICE = st.lists(st.sampled_from(CLASSES), min_size=1, unique=True)


def source_of(labels: list[tuple[int, ...]]) -> Source:
    ids = [f"i{k}" for k in range(len(labels))]
    return Source(
        root=Path("here"),
        class_names=CLASSES,
        mask_classes=CLASSES,
        labels=dict(zip(ids, labels, strict=True)),
        splits={"train_aug": ids, "test": ["unknown"]},
        images={image_id: Path(f"{image_id}.jpg") for image_id in [*ids, "unknown"]},
        masks={image_id: Path(f"{image_id}.png") for image_id in ids[::2]},
    )


@given(labels=st.lists(LABEL, max_size=8), choice=CHOICE)
def test_images_of_chosen_classes_alone_stay_with_their_labels(labels, choice):
    background = (0,) * len(CLASSES)  # shows no other class, whatever is chosen
    source = source_of([background, *labels])
    chosen = choose_classes(source, choice)
    kept = []
    for image_id, label in source.labels.items():
        names = {name for name, value in zip(CLASSES, label, strict=True) if value}
        if names <= set(choice):
            kept.append(image_id)
            ours = zip(choice, chosen.labels[image_id], strict=True)
            assert {name for name, value in ours if value} == names
    assert chosen.splits == {"train_aug": kept, "test": ["unknown"]}
    assert [*chosen.labels] == kept
    assert [*chosen.images] == [*kept, "unknown"]
    assert {*chosen.masks} == {*source.masks} & {*kept}
    assert chosen.class_names == tuple(choice)


def test_all_classes_change_nothing():
    source = source_of([(1, 0, 0, 1), (0, 1, 0, 0)])
    assert choose_classes(source, CLASSES) == source


def test_indices_of_masks_by_hand():
    source = source_of([(0, 0, 0, 1), (0, 1, 0, 0)])
    assert mask_indices(source).tolist() == [0, 1, 2, 3, 4]
    assert mask_indices(choose_classes(source, ["dog", "bee"])).tolist() == [0, 255, 2, 255, 1]


def test_a_class_may_be_chosen_of_those_that_were_chosen_before():
    source = choose_classes(source_of([(0, 0, 0, 1), (0, 1, 0, 0)]), ["dog", "bee"])
    assert mask_indices(choose_classes(source, ["bee"])).tolist() == [0, 255, 1, 255, 255]


def test_unknown_classes_are_named():
    with pytest.raises(UserError) as error:
        choose_classes(source_of([(1, 0, 0, 0)]), ["ant", "bea"])
    assert str(error.value) == "dataset.classes has bea; expected some of ant, bee, cow, dog"


@pytest.mark.parametrize(
    ("scored", "expected"), [(["val"], ["a", "b", "v"]), (["test"], ["a", "b", "t", "v"])]
)
def test_only_test_images_that_are_not_scored_need_no_label(scored, expected):
    splits = {"train_aug": ["b", "a"], "val": ["v"], "test": ["t"]}
    assert labelled_ids(splits, scored_splits=scored) == expected
