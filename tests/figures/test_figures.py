"""Tests of the report's figures: the chosen images, the computed values, and complete files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.figures.loss_curves import (
    Curves,
    draw_loss_curves,
    loss_colors,
    read_curves,
    smooth,
    smoothing_window,
    write_loss_curves,
)
from wsss_core.figures.qualitative_results import (
    choose_images,
    paint_heat,
    write_qualitative_results,
)
from wsss_core.runtime.errors import UserError

# --- loss curves ---


def plain_smooth(values: np.ndarray, window: int) -> np.ndarray:
    half = window // 2
    return np.array([values[max(0, i - half) : i + half + 1].mean() for i in range(len(values))])


@settings(max_examples=50)
@given(values=st.lists(st.floats(-10, 10), min_size=1, max_size=60), half=st.integers(0, 5))
def test_smooth_matches_plain_loop(values: list[float], half: int) -> None:
    array = np.array(values)
    window = 2 * half + 1
    np.testing.assert_allclose(smooth(array, window), plain_smooth(array, window), atol=1e-12)


@settings(max_examples=50)
@given(num_values=st.integers(1, 5000))
def test_smoothing_window_is_odd_and_fits(num_values: int) -> None:
    window = smoothing_window(num_values)
    assert window % 2 == 1
    assert window <= num_values


def history(num_rows: int, **losses: float) -> pd.DataFrame:
    step = np.arange(1, num_rows + 1)
    clock = {"step": step, "epoch": step // 5, "lr": 0.1, "loss": sum(losses.values())}
    return pd.DataFrame(clock | losses)


def test_panels_are_stages_by_methods(tmp_path: Path) -> None:
    curves = [
        Curves("classifier", "cam", history(12, classification=0.5)),
        Curves("classifier", "sb", history(30, classification=0.5, boundary=0.001)),
        Curves("classifier", "sb", history(30, classification=0.6, boundary=0.001)),
        Curves("affinity", "sb", history(1, affinity=0.2)),
    ]
    figure = draw_loss_curves(curves)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [
        "classifier, cam",
        "classifier, sb",
        "affinity, sb",
    ]
    assert [axes.get_yscale() for axes in shown] == ["linear", "log", "linear"]
    legend = [text.get_text() for text in shown[1].get_legend().get_texts()]
    assert legend == ["weighted sum", "classification", "boundary"]
    assert len(set(loss_colors(curves).values())) == len(loss_colors(curves))
    for name in ("curves.svg", "again.svg", "curves.png"):
        write_loss_curves(tmp_path / name, curves)
    assert (tmp_path / "curves.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()
    assert Image.open(tmp_path / "curves.png").width > 500


def test_imported_weights_have_no_panel(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("step,epoch,lr,loss\n")
    curves = [
        read_curves("classifier/seam/0", path),
        Curves("classifier", "sb", history(12, classification=0.5)),
    ]
    figure = draw_loss_curves(curves)
    assert [axes.get_visible() for axes in figure.axes] == [False, True]
    assert all(axes.get_visible() is False for axes in draw_loss_curves(curves[:1]).axes)


def test_label_of_a_history(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    history(3, affinity=0.2).to_csv(path, index=False)
    curves = read_curves("affinity/sb/seed0", path)
    assert (curves.stage, curves.method, curves.losses) == ("affinity", "sb", ["affinity"])
    with pytest.raises(UserError, match="'affinity': expected <stage>/<method>"):
        read_curves("affinity", path)
    path.write_text("step,epoch\n1,1\n")
    with pytest.raises(UserError, match="history.csv: there is no column 'loss'"):
        read_curves("affinity/sb", path)


# --- qualitative results ---


def test_images_are_spread_over_classes() -> None:
    labels = {f"cat{i}": np.array([1, 0, 0], dtype=np.uint8) for i in range(50)}
    labels |= {f"dog{i}": np.array([0, 1, 0], dtype=np.uint8) for i in range(3)}
    labels |= {f"both{i}": np.array([1, 1, 0], dtype=np.uint8) for i in range(2)}
    labels["none"] = np.zeros(3, dtype=np.uint8)
    chosen = choose_images(labels, list(labels), 6)
    assert len(set(chosen)) == 6
    counts = np.sum([labels[image_id] for image_id in chosen], axis=0)
    assert abs(int(counts[0]) - int(counts[1])) <= 1
    assert "none" not in choose_images(labels, list(labels), 100)
    assert len(choose_images(labels, list(labels), 100)) == 55


@settings(max_examples=50)
@given(order=st.permutations(range(6)))
def test_choice_does_not_depend_on_order(order: list[int]) -> None:
    labels = {f"i{i}": np.array([i % 2, i > 2], dtype=np.uint8) for i in range(6)}
    shuffled = [f"i{i}" for i in order]
    assert choose_images(labels, shuffled, 3) == choose_images(labels, list(labels), 3)


def test_heat_ignores_order_of_classes_and_allows_none() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)
    scores = rng.random((3, 4, 5), dtype=np.float32)
    np.testing.assert_array_equal(paint_heat(photo, scores), paint_heat(photo, scores[::-1]))
    assert paint_heat(photo, scores[:0]).shape == photo.shape
    hot = paint_heat(photo, np.ones((1, 4, 5), dtype=np.float32)).astype(int)
    assert (hot[..., 0] > hot[..., 2]).all()


@pytest.mark.parametrize("stages", [[], ["pseudo label", "segmentation"]])
def test_qualitative_results_have_the_columns_of_the_method(
    tiny_dataset: Path, tmp_path: Path, stages: list[str]
) -> None:
    dataset = open_dataset(tiny_dataset)
    image_ids = choose_images(dataset.labels, dataset.split("val"), 8)
    with ScoreWriter(tmp_path / "c.npz", kind="cam", class_names=dataset.class_names) as writer:
        for image_id in image_ids:
            class_ids = [int(k) + 1 for k in np.flatnonzero(dataset.labels[image_id])]
            shape = (len(class_ids), *dataset.read_mask(image_id).shape)
            writer.write(image_id, class_ids, np.full(shape, 0.5))
    cams = ScoreReader([tmp_path / "c.npz"], kind="cam", class_names=dataset.class_names)
    masks = {image_id: dataset.mask_path(image_id) for image_id in image_ids}
    write_qualitative_results(
        tmp_path / "qualitative_results.jpg",
        dataset,
        image_ids,
        cams=cams,
        masks=dict.fromkeys(stages, masks),
        title="sb, seed 0, val",
    )
    with Image.open(tmp_path / "qualitative_results.jpg") as picture:
        assert picture.width == pytest.approx(110 * (0.25 + 2.54 * (3 + len(stages))), abs=2)


def test_qualitative_results_name_a_missing_mask(tiny_dataset: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny_dataset)
    with ScoreWriter(tmp_path / "c.npz", kind="cam", class_names=dataset.class_names) as writer:
        writer.write("val_0", (1,), np.ones((1, 48, 46)))
    cams = ScoreReader([tmp_path / "c.npz"], kind="cam", class_names=dataset.class_names)
    with pytest.raises(UserError, match="image val_0 has no mask, expected val_0.png"):
        write_qualitative_results(
            tmp_path / "s.jpg", dataset, ["val_0"], cams=cams, masks={"segmentation": {}}, title=""
        )
