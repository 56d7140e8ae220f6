"""Tests of the note on the precision in which results were computed."""

import numpy as np
import pytest

from wsss_core.data.computed_in import ComputedIn, deviations, mask_notes, read_computed_in
from wsss_core.data.images import write_mask
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.runtime.errors import UserError

BOTH = ComputedIn("bfloat16", "float32")


def test_a_note_is_in_masks_and_in_score_files(tmp_path):
    mask = np.zeros((3, 4), dtype=np.uint8)
    write_mask(tmp_path / "a.png", mask, notes=mask_notes(BOTH))
    (tmp_path / "other").mkdir()
    write_mask(tmp_path / "other" / "a.png", mask)
    assert read_computed_in(tmp_path.rglob("*.png")) == [BOTH]
    for name, computed_in in (("a", BOTH), ("b", None)):
        with ScoreWriter(
            tmp_path / f"{name}.npz", kind="cam", class_names=["cat"], computed_in=computed_in
        ):
            pass
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    assert ScoreReader(paths, kind="cam", class_names=["cat"]).computed_in == [BOTH]


def test_a_damaged_note_is_named(tmp_path):
    path = tmp_path / "a.png"
    write_mask(path, np.zeros((3, 4), dtype=np.uint8), notes={"computed_in": "[]"})
    with pytest.raises(UserError, match="a.png: computed_in is not what a stage has written"):
        read_computed_in([path])


@pytest.mark.parametrize(
    ("precisions", "expected"),
    [
        ([], None),
        ([ComputedIn("float32", "float32"), ComputedIn(None, "float32")], None),
        ([BOTH, BOTH], "trained in bfloat16"),
        ([ComputedIn(None, "bfloat16")], "applied in bfloat16"),
        (
            [BOTH, ComputedIn("bfloat16", "bfloat16")],
            "trained in bfloat16, applied in bfloat16 and float32",
        ),
    ],
)
def test_only_other_precisions_are_told(precisions, expected):
    assert deviations(precisions) == expected
