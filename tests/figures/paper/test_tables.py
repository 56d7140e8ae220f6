"""Tests of the paper's tables: published numbers, and one table against values typed by hand."""

import csv
from pathlib import Path

import numpy as np
import pytest

from wsss_core.data.pixel_counts import write_pixel_counts
from wsss_core.figures.paper.measured import read_measured
from wsss_core.figures.paper.published import read_published
from wsss_core.figures.paper.tables import build_table
from wsss_core.figures.paper.write import to_latex, to_markdown, write_table_files

# Copied from the paper by hand: number, rows, labels and first and last number of the first row of
# the paper, the same of its last.
CORNERS = [
    (1, 4, "CAM", 47.43, 47.36, "Ours", 57.32, 55.24),
    (2, 2, "Baseline", 63.61, 60.08, "Ours", 65.31, 63.01),
    (3, 2, "Baseline", 85.3, 60.1, "Ours", 87.9, 63.0),
    (4, 3, "✓", 55.41, 52.54, "✓", 57.32, 55.24),
    (5, 5, "", 55.41, 52.54, "✓", 55.87, 53.35),
    (6, 6, "0.5", 56.75, 54.48, "2.0", 34.98, 33.36),
    (7, 14, "CCNN", 35.3, 35.6, "Ours", 66.5, 66.7),
    (8, 9, "STC", 49.8, 51.2, "ICD", 67.8, 68.0),
    (9, 7, "CCNN", 68.5, 35.3, "Ours", 89.6, 66.5),
]
CLASSES = ("background", "disc")


@pytest.mark.parametrize("corner", CORNERS, ids=lambda corner: f"table {corner[0]}")
def test_published_numbers_are_those_of_the_paper(corner):
    number, num_rows, *expected = corner
    table = read_published().tables[number - 1]
    rows = [row for row in table.rows if not row.added]
    assert table.number == number
    assert len(rows) == num_rows
    ends = [(row.labels[0], row.published[0], row.published[-1]) for row in (rows[0], rows[-1])]
    assert [*ends[0], *ends[1]] == expected


def test_every_row_has_all_its_numbers_and_a_source():
    published = read_published()
    assert [table.number for table in published.tables] == list(range(1, 10))
    for table in published.tables:
        width = len(published.classes) + 1 if table.by_class else len(table.splits)
        for row in table.rows:
            assert len(row.labels) == len(table.header)
            assert len(row.published) == (0 if row.added else width)
            assert row.method or row.reference in published.references


@pytest.mark.parametrize("number", [3, 9])
def test_classes_average_to_the_mean_that_is_printed(number):
    for row in read_published().tables[number - 1].rows:
        if row.labels == ("AdvErasing",):
            continue  # 55.30 on average, 55.0 as printed
        assert np.mean(row.published[:-1]) == pytest.approx(row.published[-1], abs=0.16), row


def write_scores(folder: Path, method: str, seed: int, *, wrong: int) -> Path:
    """Scores of 40 images, half of them disc, of which some pixels of 100 are taken for ground."""
    path = folder / method / f"seed{seed}/scores/cam.csv"
    path.parent.mkdir(parents=True)
    cells = np.array([[0, 0, 100, 10], [1, 1, 100 - wrong, 10], [1, 0, wrong, 5]])
    images = {f"image_{index}": cells for index in range(40)}
    write_pixel_counts(path.with_name("cam_images.csv"), [("train", images), ("val", images)])
    ground, disc = 10000 / (100 + wrong), 100 - wrong
    rows = [
        f"{method},{seed},cam,{split},0.30,{(ground + disc) / 2},{ground},{disc}"
        for split in ("train", "val")
    ]
    header = "method,seed,stage,split,threshold,miou,background,disc"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_table_by_hand(tmp_path):
    paths = [
        write_scores(tmp_path, "cam", 0, wrong=25),  # 80 and 75: 77.5
        write_scores(tmp_path, "seam", 0, wrong=0),  # 100
        write_scores(tmp_path, "seam", 1, wrong=25),
    ]
    commands = {"sb": "snakemake -- results/x/sb/seed0/scores/cam.csv"}
    table = build_table(read_published(), 1, read_measured(paths), commands=commands, test_miou={})
    write_table_files(tmp_path / "paper/table_1.csv", table)
    with (tmp_path / "paper/table_1.csv").open() as file:
        rows = {(row["Method"], row["column"]): row for row in csv.DictReader(file)}
    cam, seam = rows["CAM", "Val"], rows["CAM + SEAM", "Val"]
    assert (cam["published"], cam["measured"], cam["sd"], cam["seeds"]) == (
        "47.36",
        "77.5",
        "",
        "1",
    )
    assert float(seam["measured"]) == pytest.approx((100 + 77.5) / 2)
    assert float(seam["sd"]) == pytest.approx(22.5 / 2**0.5, abs=1e-3)
    assert seam["seeds"] == "2"
    assert (cam["low"], cam["high"]) == ("77.5", "77.5")  # all images are alike
    assert cam["difference"] == ""  # other classes than the paper's
    assert (rows["Ours", "Val"]["measured"], rows["Ours", "Val"]["command"]) == ("", commands["sb"])
    text = (tmp_path / "paper/table_1.md").read_text()
    assert "**88.75 ± 15.91 (n = 2) [88.8, 88.8]**" in text
    assert "other data than the paper's" in text
    assert commands["sb"] in text


def test_no_bold_face_within_the_paired_interval(tmp_path):
    paths = [write_scores(tmp_path, name, 0, wrong=10) for name in ("cam", "seam")]
    half = np.array([[0, 0, 100, 0], [1, 1, 100, 0]])
    better = {f"image_{index}": half for index in range(3)}
    worse = {f"image_{index}": np.array([[1, 0, 100, 0], [1, 1, 60, 0]]) for index in range(3, 6)}
    for path, images in zip(paths, (better | worse, worse | better), strict=True):
        write_pixel_counts(path.with_name("cam_images.csv"), [("val", images)])
    paths[0].write_text(paths[0].read_text().replace("val,0.30,90", "val,0.30,91"))
    table = build_table(read_published(), 1, read_measured(paths), commands={}, test_miou={})
    assert not any(cell.is_best for row in table.rows for cell in row.cells)


def test_differences_where_classes_are_the_paper_s_and_the_server_s_score():
    published = read_published()
    scores = read_measured([])
    assert build_table(published, 1, scores, commands={}, test_miou={}).columns == ("Train", "Val")
    by_class = build_table(published, 9, scores, commands={}, test_miou={})
    assert by_class.columns[:2] + by_class.columns[-3:] == ("bkg", "aero", "train", "tv", "mIoU")
    table = build_table(published, 7, scores, commands={}, test_miou={"sb": 65.2})
    ours = next(row for row in table.rows if row.labels[0] == "Ours")
    assert ours.cells[1].difference == pytest.approx(65.2 - 66.7)
    assert "65.20" in to_markdown(table)


@pytest.mark.parametrize("number", range(1, 10))
def test_latex_has_as_many_cells_in_each_line(number):
    table = build_table(read_published(), number, read_measured([]), commands={}, test_miou={})
    text = to_latex(table)
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len({line.count(" & ") for line in lines}) == 1
    assert text.count(r"\begin{") == text.count(r"\end{")
