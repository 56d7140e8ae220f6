"""Tests of score files: values are read back to within a bin, and damage is reported."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wsss_core.data.score_maps import Kind, ScoreReader, ScoreWriter, encode, score_levels
from wsss_core.runtime.errors import UserError

CLASSES = ("cat", "cow", "dog")
HEIGHT, WIDTH = 5, 7

unit_floats = st.floats(0, 1, width=32)
score_arrays = hnp.arrays(np.float32, (40,), elements=unit_floats)


def random_scores(seed: int, *leading: int) -> np.ndarray:
    return np.random.default_rng(seed).random((*leading, HEIGHT, WIDTH), dtype=np.float32)


def write_cams(path: Path, images: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    scores = {name: random_scores(seed, len(images[name])) for seed, name in enumerate(images)}
    with ScoreWriter(path, kind="cam", class_names=CLASSES) as writer:
        for name, class_ids in images.items():
            writer.write(name, class_ids, scores[name])
    return scores


def open_cams(*paths: Path, class_names: tuple[str, ...] = CLASSES) -> ScoreReader:
    return ScoreReader(paths, kind="cam", class_names=class_names)


def test_codes_by_hand() -> None:
    scores = np.array([0.0, 0.001, 0.005, 0.0051, 0.3, 0.3001, 1.0], dtype=np.float32)
    codes = encode(scores, "cam")
    assert codes.tolist() == [0, 1, 1, 2, 60, 61, 200]
    expected = [0.0, 0.0025, 0.0025, 0.0075, 0.2975, 0.3025, 0.9975]
    np.testing.assert_allclose(score_levels("cam")[codes], expected, atol=1e-7)
    assert encode(np.array([0, 0.25, 1], dtype=np.float32), "prob").tolist() == [0, 128, 255]


@settings(max_examples=50)
@given(scores=score_arrays)
def test_cam_thresholds_are_exact(scores: np.ndarray) -> None:
    stored = score_levels("cam")[encode(scores, "cam")]
    for step in range(100):
        threshold = np.float32(step / 100)
        np.testing.assert_array_equal(stored > threshold, scores > threshold)


def test_cam_scores_on_thresholds_stay_on_them() -> None:
    scores = (np.arange(100) / 100).astype(np.float32)
    stored = score_levels("cam")[encode(scores, "cam")]
    assert not (stored > scores).any()
    above = np.nextafter(scores, np.float32(1)) + np.float32(1e-6)
    assert (score_levels("cam")[encode(above, "cam")] > scores).all()


@pytest.mark.parametrize(("kind", "bound"), [("cam", 0.0025), ("seed", 0.004), ("prob", 0.004)])
@settings(max_examples=50)
@given(scores=score_arrays)
def test_error_is_bounded_and_order_is_kept(kind: Kind, bound: float, scores: np.ndarray) -> None:
    stored = score_levels(kind)[encode(scores, kind)]
    assert np.abs(stored - scores).max() <= bound + 1e-6
    ranked = np.argsort(scores, kind="stable")
    assert (np.diff(stored[ranked]) >= 0).all()
    assert (stored[scores == 0] == 0).all()


def test_small_probabilities_stay_apart() -> None:
    small = np.array([0.0, 2e-5, 1e-4, 1e-3, 1e-2], dtype=np.float32)
    assert len(set(encode(small, "prob").tolist())) == len(small)


@pytest.mark.parametrize(
    ("kind", "class_ids", "leading"),
    [
        ("cam", (1, 3), (2,)),
        ("cam", (), (0,)),
        ("seed", (0, 2), (2, 2)),
        ("prob", (0, 1, 2, 3), (4,)),
    ],
)
def test_round_trip(
    tmp_path: Path, kind: Kind, class_ids: tuple[int, ...], leading: tuple[int, ...]
) -> None:
    scores = random_scores(0, *leading)
    with ScoreWriter(tmp_path / "a.npz", kind=kind, class_names=CLASSES) as writer:
        writer.write("x", class_ids, scores)
    record = ScoreReader([tmp_path / "a.npz"], kind=kind, class_names=CLASSES).read("x")
    assert record.class_ids == class_ids
    assert record.scores.dtype == np.float32
    assert record.scores.shape == scores.shape
    np.testing.assert_allclose(record.scores, scores, atol=0.0041)


def test_shards_are_read_by_image(tmp_path: Path) -> None:
    first = write_cams(tmp_path / "0.npz", {"a": (1,), "b": (2, 3)})
    write_cams(tmp_path / "1.npz", {"c": ()})
    reader = open_cams(tmp_path / "0.npz", tmp_path / "1.npz")
    assert reader.image_ids == ["a", "b", "c"]
    assert reader.class_ids("b") == (2, 3)
    assert reader.read("c").scores.shape == (0, HEIGHT, WIDTH)
    np.testing.assert_allclose(reader.read("b").scores, first["b"], atol=0.0026)


def test_numpy_reads_the_file_without_pickle(tmp_path: Path) -> None:
    scores = write_cams(tmp_path / "0.npz", {"a": (1,)})
    with np.load(tmp_path / "0.npz", allow_pickle=False) as file:
        codes, levels = file["scores/a"], file["levels"]
    assert codes.dtype == np.uint8
    np.testing.assert_allclose(levels[codes], scores["a"], atol=0.0026)


def test_equal_scores_give_equal_files(tmp_path: Path) -> None:
    for name in ("0.npz", "1.npz"):
        write_cams(tmp_path / name, {"a": (1,), "b": (2, 3)})
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()


def read_maxima(reader: ScoreReader, images: list[str]) -> list[float]:
    return [float(reader.read(image).scores.max()) for image in images * 20]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_share_a_used_reader(tmp_path: Path, method: str) -> None:
    write_cams(tmp_path / "0.npz", {name: (1, 2) for name in "abcdef"})
    reader = open_cams(tmp_path / "0.npz")
    expected = read_maxima(reader, reader.image_ids)
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.starmap(read_maxima, [(reader, reader.image_ids)] * 4)
    assert results == [expected] * 4


def test_a_reader_inherited_by_a_fork_opens_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which one it reads shows where another file has taken the place of the one that is open."""
    path = tmp_path / "0.npz"
    write_cams(path, {"a": (1,)})
    reader = open_cams(path)
    before = reader.read("a").scores
    path.unlink()
    write_cams(path, {"other": (1,), "a": (1,)})
    np.testing.assert_array_equal(reader.read("a").scores, before)
    monkeypatch.setattr("os.getpid", lambda: -1)
    now = open_cams(path).read("a").scores
    assert (now != before).any()
    np.testing.assert_array_equal(reader.read("a").scores, now)


def test_pickle_leaves_open_files_behind(tmp_path: Path) -> None:
    write_cams(tmp_path / "0.npz", {"a": (1,)})
    reader = open_cams(tmp_path / "0.npz")
    before = reader.read("a").scores
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader)).read("a").scores, before)


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "0.npz"
    write_cams(path, {"a": (1,)})
    old = path.read_bytes()
    with pytest.raises(RuntimeError), ScoreWriter(path, kind="cam", class_names=CLASSES) as writer:
        writer.write("b", (2,), random_scores(0, 1))
        raise RuntimeError
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["0.npz"]


@pytest.mark.parametrize(
    ("kind", "class_ids", "scores", "message"),
    [
        ("cam", (1, 4), np.zeros((2, 3, 3)), "not ascending numbers in 0..3"),
        ("cam", (2, 1), np.zeros((2, 3, 3)), "not ascending"),
        ("cam", (0, 1), np.zeros((2, 3, 3)), "a cam has none"),
        ("seed", (1, 2), np.zeros((2, 2, 3, 3)), "do not begin with 0"),
        ("prob", (0, 1), np.zeros((2, 3, 3)), "are not all of 0..3"),
        ("cam", (1,), np.zeros((2, 3, 3)), r"shape \(2, 3, 3\), expected \(1, height, width\)"),
        ("seed", (0, 1), np.zeros((2, 3, 3)), r"expected \(2, 2, height, width\)"),
        ("cam", (1,), np.full((1, 3, 3), np.nan), "scores from nan to nan"),
        ("cam", (1,), np.full((1, 3, 3), 2.0), "scores from 2.0 to 2.0"),
    ],
)
def test_writer_rejects(
    tmp_path: Path, kind: Kind, class_ids: tuple[int, ...], scores: np.ndarray, message: str
) -> None:
    with (
        pytest.raises(UserError, match=f"0.npz: image x: .*{message}"),
        ScoreWriter(tmp_path / "0.npz", kind=kind, class_names=CLASSES) as writer,
    ):
        writer.write("x", class_ids, scores)
    assert not list(tmp_path.iterdir())


def test_writer_rejects_an_image_twice(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="image x: written twice"),
        ScoreWriter(tmp_path / "0.npz", kind="cam", class_names=CLASSES) as writer,
    ):
        for _ in range(2):
            writer.write("x", (1,), random_scores(0, 1))


def test_reader_names_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "0.npz"
    write_cams(path, {"a": (1,)})
    with pytest.raises(UserError, match=r"0.npz: class_names is \['cat', 'cow', 'dog'\], expected"):
        open_cams(path, class_names=("cat", "dog"))
    with pytest.raises(UserError, match="0.npz: kind is 'cam', expected 'seed'"):
        ScoreReader([path], kind="seed", class_names=CLASSES)
    with pytest.raises(UserError, match="image b has no cam scores in .*0.npz"):
        open_cams(path).read("b")
    with pytest.raises(UserError, match="image a: is in .*0.npz already"):
        open_cams(path, path)
    with pytest.raises(UserError, match="1.npz: no such file"):
        open_cams(tmp_path / "1.npz")


def rewrite(path: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents[member] = change(contents[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def test_reader_rejects_another_version(tmp_path: Path) -> None:
    path = tmp_path / "0.npz"
    write_cams(path, {"a": (1,)})
    rewrite(path, "index.json", lambda old: json.dumps(json.loads(old) | {"version": 2}).encode())
    with pytest.raises(UserError, match="0.npz: version is 2, expected 1"):
        open_cams(path)


def test_reader_rejects_damage(tmp_path: Path) -> None:
    path = tmp_path / "0.npz"
    write_cams(path, {"a": (1,)})
    whole = path.read_bytes()
    rewrite(path, "scores/a.npy", lambda old: old[:-1])
    with pytest.raises(UserError, match="0.npz: image a cannot be read"):
        open_cams(path).read("a")
    for content in (whole[: len(whole) // 2], b"", b"not a zip"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="0.npz: not a file of stored score maps"):
            open_cams(path)
