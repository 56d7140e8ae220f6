"""Tests of the numbers on the report page against hand-worked values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.figures.report.small_experiment import BENCHMARK
from wsss_core.data.pixel_counts import write_pixel_counts
from wsss_core.figures.paper.measured import images_path
from wsss_core.figures.paper.published import read_published
from wsss_core.figures.report.choose import NUM_IMAGES, choose_shown, median_image
from wsss_core.figures.report.coverage import agreements, class_coverage
from wsss_core.figures.report.image_scores import read_counts, score_images
from wsss_core.figures.report.origin import changes
from wsss_core.figures.report.resources import read_costs
from wsss_core.figures.report.results import Results, Run
from wsss_core.figures.report.score_tables import headline, mistakes, read_scores, score_cells
from wsss_core.runtime.duration import duration
from wsss_core.stages.summarise import merge_scores, over_seeds


@pytest.fixture
def results(tmp_path):
    """One method, cam, scored on two images: disc is class 1, square class 2."""
    results = Results(
        folder=tmp_path,
        data=tmp_path / "data",
        splits=("val",),
        shown_split="val",
        shown_part="eval",
        num_shards=1,
        runs=(Run(method="cam", seed=0, stages=("cam",)),),
    )
    path = results.scores(results.runs[0], "cam")
    path.parent.mkdir(parents=True)
    # true class, predicted class, pixels, of these near a boundary
    images = {
        "a": np.array([[0, 0, 60, 5], [1, 1, 30, 10], [1, 0, 10, 5]]),
        "b": np.array([[0, 0, 80, 8], [0, 2, 20, 2]]),
    }
    write_pixel_counts(images_path(path), [("val", images)])
    # background 140 / 170, disc 30 / 40, square 0 / 20
    path.write_text(
        "method,seed,stage,split,threshold,miou,background,disc,square\n"
        "cam,0,cam,val,0.30,52.4510,82.3529,75.0000,0.0000\n"
    )
    return results


def cells_of(results):
    means = over_seeds(merge_scores([results.scores(results.runs[0], "cam")]))
    scores, counts = read_scores(results), read_counts(results)
    return score_cells(results, scores, counts, read_published(), means)


def test_image_score_is_the_mean_over_classes_that_it_has_or_was_given(results):
    scores = score_images(read_counts(results), results, 3)["cam", "cam"]
    assert scores["a"] == pytest.approx(100 * (60 / 70 + 30 / 40) / 2)
    assert scores["b"] == pytest.approx(100 * (80 / 100 + 0) / 2)


def test_trimap_counts_pixels_near_a_boundary_alone(results):
    cells = cells_of(results)
    # background (5 + 8) / (5 + 8 + 5 + 2), disc 10 / 15, square 0 / 2
    expected = 100 * (13 / 20 + 10 / 15 + 0) / 3
    assert cells["cam", "cam", "val"].trimap == pytest.approx(expected)
    assert headline(results, cells) == ("cam", "cam")


def test_precision_and_recall_by_hand(results):
    (one,) = mistakes(read_counts(results), results, 3)
    assert one.recall[:2] == pytest.approx([100 * 140 / 160, 100 * 30 / 40])
    assert np.isnan(one.recall[2])  # no pixel is square
    assert one.precision == pytest.approx([100 * 140 / 150, 100, 0])
    assert one.shares[0] == pytest.approx([87.5, 0, 12.5])


def test_the_papers_numbers_stand_beside_its_classes_alone(results):
    cells = cells_of(results)
    assert cells["cam", "cam", "val"].published is None
    assert cells["cam", "cam", "val"].threshold == 0.3


def test_costs_are_summed_over_jobs(results):
    folder = results.directory(results.runs[0]) / "benchmarks"
    (folder / "infer_cam").mkdir(parents=True)
    for name in ("train_classifier", "infer_cam/eval-0", "infer_cam/eval-1"):
        (folder / f"{name}.tsv").write_text(BENCHMARK)
    costs = read_costs(results)
    assert list(costs.by_rule) == ["train_classifier", "infer_cam"]
    cost = costs.by_rule["infer_cam"]["cam"]
    assert (cost.seconds, cost.cpu_seconds, cost.memory) == (61.0, 40.0, 1024.0)
    assert costs.total.seconds == 91.5
    assert (costs.ended - costs.started).total_seconds() >= 30.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_changes_are_leaves_that_differ():
    shipped = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    used = {"a": {"b": 2, "c": [1, 2]}, "d": {"e": True}}
    assert list(changes(used, shipped)) == [("a.b", "2", "1"), ("d.e", "true", "")]


LABELS = {"x": np.array([1, 1], dtype=np.uint8), "y": np.array([1, 0], dtype=np.uint8)}
SHARES = pd.DataFrame(
    {"background": [90.0, 60.0], "disc": [9.5, 0.9], "square": [0.5, 39.1]}, index=["x", "y"]
)


def test_coverage_beside_tags_by_hand():
    disc, square = class_coverage(SHARES, LABELS, ("disc", "square"))
    assert (disc.tagged, disc.found, disc.both, disc.share) == (2, 1, 1, pytest.approx(5.2))
    assert (square.tagged, square.found, square.both) == (1, 1, 0)
    found = agreements(SHARES, LABELS, ("disc", "square"))
    assert (found["x"].score, found["x"].note) == (50, "not found: square")
    assert (found["y"].score, found["y"].note) == (0, "not found: disc; without a tag: square")


@settings(max_examples=30)
@given(st.integers(0, 150), st.integers(0, 2), st.randoms(use_true_random=False))
def test_images_are_chosen_once_and_the_worst_come_first(count, num_others, random):
    image_ids = [f"image_{number}" for number in range(count)]
    labels = {image_id: np.array([1, 0], dtype=np.uint8) for image_id in image_ids}
    scores = {image_id: random.uniform(0, 100) for image_id in image_ids}
    others = [{i: random.uniform(0, 100) for i in image_ids} for _ in range(num_others)]
    chosen = choose_shown(labels, image_ids, scores, others)
    assert len(chosen) == len(set(chosen)) == min(count, NUM_IMAGES)
    worst = sorted(scores.values())[: min(count, 16)]
    assert [scores[image_id] for image_id in chosen[: len(worst)]] == worst
    for other in others[:1] if num_others == 1 and count else []:
        gain = {image_id: scores[image_id] - other[image_id] for image_id in image_ids}
        assert {max(gain, key=gain.get), min(gain, key=gain.get)} <= set(chosen)


def test_median_image_is_a_shown_one():
    scores = {"a": 10.0, "b": 50.0, "c": 60.0, "d": 90.0, "e": 95.0}
    assert median_image(scores, ["a", "b", "d"]) == "b"
