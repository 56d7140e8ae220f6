"""Tests of the paper's figures: the chosen images, the counts, and the written files."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import write_tiny_dataset
from tests.figures.report.small_experiment import write_experiment
from wsss_core.figures.paper.choose_rows import Row, largest_gains, largest_losses
from wsss_core.figures.paper.definitions import FIGURES
from wsss_core.figures.paper.make_figure import FigureInputs, RunFiles, make_figure
from wsss_core.figures.paper.measured import images_path, read_measured
from wsss_core.figures.paper.occupancy import Occupancy, measure_occupancy
from wsss_core.figures.paper.published import read_published
from wsss_core.figures.paper.tables import build_table
from wsss_core.figures.paper.write import write_table_files
from wsss_core.runtime.errors import UserError

LABELS = {
    name: np.array(label, dtype=np.uint8)
    for name, label in {"a": [1, 0], "b": [1, 0], "c": [0, 1], "d": [1, 1]}.items()
}
OURS = {"a": 60.0, "b": 90.0, "c": 20.0, "d": 99.0}
BASELINE = {"a": 50.0, "b": 60.0, "c": 50.0, "d": 10.0}  # gains 10, 30, -30 and 89


def test_gains_are_of_different_classes_first_and_of_single_ones():
    rows = largest_gains(LABELS, list(LABELS), OURS, BASELINE, 4)
    assert [row.image_id for row in rows] == ["b", "c", "a", "d"]


def test_losses_are_of_the_classes_that_lose_most_and_no_image_comes_twice():
    rows = largest_losses(LABELS, list(LABELS), OURS, BASELINE, [5.0, -5.0], 2)
    assert rows == [Row("c", 2), Row("a", 1)]
    assert largest_losses(LABELS, ["c"], OURS, BASELINE, [-9.0, np.nan], 2) == [Row("c", 2)]


def test_occupancy_is_a_mean_over_images_that_have_the_class():
    counts = pd.DataFrame(
        [("a", 0, 0, 75), ("a", 1, 0, 25), ("b", 0, 1, 50), ("b", 1, 1, 50), ("c", 0, 0, 10)],
        columns=["image", "true", "predicted", "pixels"],
    )
    occupancy = measure_occupancy(counts, ["disc", "square"])
    assert occupancy[0] == pytest.approx((25 + 50) / 2)
    assert np.isnan(occupancy[1])


def test_rank_correlation_by_hand():
    iou = np.array([10.0, 30.0, 20.0, 40.0, np.nan])
    classes = Occupancy("abcde", np.array([1.0, 2.0, 3.0, 4.0, 5.0]), iou)
    # Ranks 1 3 2 4 against 1 2 3 4: 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
    assert classes.rank_correlation() == pytest.approx(0.8)
    assert np.isnan(Occupancy("ab", iou[:2], iou[:2]).rank_correlation())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("paper")
    return write_experiment(root / "tiny", write_tiny_dataset(root / "data"))


def inputs(results, number, methods, image_ids=()):
    stage = FIGURES[number].stage
    runs = {
        method: RunFiles(
            shards=tuple(results.shards(results.first_run(method), stage)),
            counts=images_path(results.scores(results.first_run(method), stage)),
        )
        for method in methods
    }
    missing = [name for name in FIGURES[number].methods.values() if name not in methods]
    return FigureInputs(
        number=number,
        data=results.data,
        split="val",
        image_ids=image_ids,
        runs=runs,
        commands={name: f"snakemake {name}" for name in missing},
    )


@pytest.mark.parametrize("number", FIGURES)
def test_figure_is_a_pdf_a_png_and_a_caption(results, tmp_path, number):
    methods = ("cam", "sb") if number == 1 else ("sb",)
    make_figure(tmp_path / "figure.pdf", inputs(results, number, methods))
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert Image.open(tmp_path / "figure.png").width > 500
    caption = (tmp_path / "figure.md").read_text()
    assert caption.startswith(f"**Figure {number}.** ")
    assert ("- seam: `snakemake seam`" in caption) == (number in (1, 3, 4))
    assert ("From top to bottom: " in caption) == (number != 5)


def test_rule_needs_both_methods_and_caption_says_so(results, tmp_path):
    make_figure(tmp_path / "figure.pdf", inputs(results, 3, ("sb",)))
    assert "These images are sampled: the rule" in (tmp_path / "figure.md").read_text()
    make_figure(tmp_path / "figure.pdf", inputs(results, 1, ("cam", "sb")))
    assert "chosen by rule: the largest gains" in (tmp_path / "figure.md").read_text()


def test_images_that_the_config_names_are_shown(results, tmp_path):
    make_figure(tmp_path / "figure.pdf", inputs(results, 6, ("sb",), ("val_1",)))
    caption = (tmp_path / "figure.md").read_text()
    assert "From top to bottom: val_1; named in the config, paper.images" in caption
    with pytest.raises(UserError, match=r"paper.images.figure_6: 'x' is no image of split 'val'"):
        make_figure(tmp_path / "figure.pdf", inputs(results, 6, ("sb",), ("x",)))


def test_nothing_was_run(results, tmp_path):
    make_figure(tmp_path / "figure.pdf", inputs(results, 5, ()))
    assert "- sb: `snakemake sb`" in (tmp_path / "figure.md").read_text()


@pytest.mark.parametrize("number", range(1, 10))
def test_tables_come_of_the_same_experiment(results, tmp_path, number):
    published = read_published()
    stage = published.tables[number - 1].stage
    paths = [results.scores(run, stage) for run in results.runs if stage in run.stages]
    table = build_table(published, number, read_measured(paths), commands={}, test_miou={})
    write_table_files(tmp_path / "table.csv", table)
    assert "disc, square" in (tmp_path / "table.md").read_text()  # other data than the paper's
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".md", ".tex"}
