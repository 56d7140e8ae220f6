"""Tests of summary.csv and its table: order, numbers, and messages about wrong files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from wsss_core.runtime.errors import UserError
from wsss_core.stages.summarise import (
    MISSING,
    class_columns,
    format_table,
    merge_scores,
    over_seeds,
    read_scores,
    write_summary,
)

HEADER = "method,seed,stage,split,threshold,miou,background,cat"


def write_rows(path: Path, rows: Sequence[str], *, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def score_files(tmp_path: Path) -> list[Path]:
    """Two methods, the one later in the alphabet first, with two seeds of it."""
    return [
        write_rows(
            tmp_path / "0.csv",
            [
                "sb,1,segmentation,val,,62.0000,90.0000,34.0000",
                "sb,1,segmentation,train,,64.0000,90.0000,38.0000",
            ],
        ),
        write_rows(
            tmp_path / "1.csv",
            [
                "sb,1,cam,val,0.41,50.0000,80.0000,20.0000",
                "sb,1,cam,train,0.40,51.0000,80.0000,22.0000",
            ],
        ),
        write_rows(tmp_path / "2.csv", ["sb,0,cam,val,0.43,52.0000,80.0000,24.0000"]),
        write_rows(tmp_path / "3.csv", ["NA,0,cam,val,0.40,48.0000,80.0000,"]),
    ]


def test_rows_are_in_order(score_files: list[Path], tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.csv", merge_scores(score_files))
    assert (tmp_path / "summary.csv").read_text().splitlines() == [
        HEADER,
        "sb,0,cam,val,0.43,52.0000,80.0000,24.0000",
        "sb,1,cam,train,0.40,51.0000,80.0000,22.0000",
        "sb,1,cam,val,0.41,50.0000,80.0000,20.0000",
        "sb,1,segmentation,train,,64.0000,90.0000,38.0000",
        "sb,1,segmentation,val,,62.0000,90.0000,34.0000",
        "NA,0,cam,val,0.40,48.0000,80.0000,",
    ]


def test_summary_reads_as_it_was_written(score_files: list[Path], tmp_path: Path) -> None:
    summary = merge_scores(score_files)
    write_summary(tmp_path / "summary.csv", summary)
    pd.testing.assert_frame_equal(read_scores(tmp_path / "summary.csv"), summary)


def test_only_masks_leave_threshold_empty(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "0.csv", ["sb,0,segmentation,val,,62.0000,90.0000,34.0000"])
    write_summary(tmp_path / "summary.csv", merge_scores([path]))
    assert (tmp_path / "summary.csv").read_text() == path.read_text()


def test_seeds_are_averaged(score_files: list[Path]) -> None:
    means = over_seeds(merge_scores(score_files))
    row = means.loc[("sb", "cam", "val")]
    assert (row["miou"], row["cat"], row["seeds"]) == (51.0, 22.0, 2)
    assert row["sd"] == pytest.approx(2**0.5)
    assert row["threshold"] == pytest.approx(0.42)
    assert pd.isna(means.loc[("sb", "cam", "train"), "sd"])


def test_table_shows_every_score(score_files: list[Path]) -> None:
    lines = format_table(merge_scores(score_files)).splitlines()
    titles, splits, rule, sb, other = lines[:5]
    assert titles.split() == ["CAM", "segmentation"]
    assert splits.split() == ["method", "train", "val", "train", "val"]
    assert sb.split() == ["sb", "51.00", "51.00", "±", "1.41", "64.00", "62.00"]
    assert other.split() == ["NA", MISSING, "48.00", MISSING, MISSING]
    assert {len(line) for line in (titles, splits, rule, sb, other)} == {len(rule)}
    notes = " ".join(lines[6:])
    assert "true image labels" in notes
    assert "over the seeds" in notes


@pytest.fixture
def extra_files(score_files: list[Path], tmp_path: Path) -> list[Path]:
    """The same, and a segmentation that has learnt from masks."""
    header = f"{HEADER},extra_supervision"
    row = "NA,0,segmentation,val,,70.0000,90.0000,50.0000,COCO masks"
    return [*score_files[:2], write_rows(tmp_path / "4.csv", [row], header=header), score_files[3]]


def test_extra_supervision_is_one_more_column_after_all_others(
    extra_files: list[Path], tmp_path: Path
) -> None:
    summary = merge_scores(extra_files)
    write_summary(tmp_path / "summary.csv", summary)
    header, *rows = (tmp_path / "summary.csv").read_text().splitlines()
    assert header == f"{HEADER},extra_supervision"
    assert rows[-2:] == [
        "NA,0,cam,val,0.40,48.0000,80.0000,,",
        "NA,0,segmentation,val,,70.0000,90.0000,50.0000,COCO masks",
    ]
    assert class_columns(summary) == ["background", "cat"]
    pd.testing.assert_frame_equal(read_scores(tmp_path / "summary.csv"), summary)


def test_extra_supervision_is_marked_in_the_table(extra_files: list[Path]) -> None:
    lines = format_table(merge_scores(extra_files)).splitlines()
    assert lines[4].split() == ["NA", MISSING, "48.00", MISSING, "70.00", "†"]
    assert "†" not in lines[3]
    assert "† has learnt from more than image-level labels: COCO masks." in " ".join(lines[6:])


def test_other_precisions_than_float32_are_told(extra_files: list[Path], tmp_path: Path) -> None:
    header = f"{HEADER},precision"
    rows = [f"sb,0,segmentation,{s},,70.0,90.0,50.0,trained in bfloat16" for s in ("train", "val")]
    told = write_rows(tmp_path / "5.csv", rows, header=header)
    summary = merge_scores([*extra_files, told])
    assert list(summary)[-2:] == ["extra_supervision", "precision"]
    assert class_columns(summary) == ["background", "cat"]
    notes = " ".join(format_table(summary).split())
    assert notes.endswith("segmentation of sb: networks trained in bfloat16.")
    notes = " ".join(format_table(merge_scores([told])).split())
    assert notes.endswith("All networks were trained in bfloat16.")


def test_what_does_not_fit_is_named(score_files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cam of sb, seed 0, has been scored twice on val"):
        merge_scores([*score_files, score_files[2]])
    row = "sb,0,cam,val,0.43,52.0,80.0,24.0"
    other_classes = write_rows(tmp_path / "x.csv", [row], header=HEADER.replace("cat", "dog"))
    with pytest.raises(UserError, match=r"x.csv: columns differ from those of .*0.csv"):
        merge_scores([*score_files, other_classes])
    with pytest.raises(UserError, match="y.csv: stage is 'cams', expected one of cam, random_walk"):
        read_scores(write_rows(tmp_path / "y.csv", [row.replace("cam", "cams")]))
    with pytest.raises(UserError, match="z.csv: first columns are not method,seed"):
        read_scores(write_rows(tmp_path / "z.csv", ["1,2"], header="split,threshold"))
    with pytest.raises(UserError, match="nowhere.csv: No such file or directory; expected a table"):
        read_scores(tmp_path / "nowhere.csv")
