"""Tests of prediction for any pictures; a bad picture must not stop the others."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from PIL import Image

from wsss_core.cli.export import main as export
from wsss_core.cli.main import main as run_wsss
from wsss_core.cli.predict import main, parse, to_numbers
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.crf import CrfConfig
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.dataset import Dataset
from wsss_core.data.image_pyramid import first_argmax, image_pyramid
from wsss_core.data.images import read_image, read_mask
from wsss_core.data.score_maps import ScoreReader
from wsss_core.data.weights import save_weights
from wsss_core.export.formats import load_format
from wsss_core.models.deeplab import build_deeplab
from wsss_core.predict.enlarge import MAX_VALUES, enlarged_argmax, shrink
from wsss_core.predict.pictures import Picture
from wsss_core.predict.segmenter import CRF, Failure, Prediction, Segmenter, usual_scale
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.forms.coco import read_coco
from wsss_core.runtime.errors import UserError
from wsss_core.stages.segment import (
    average_logits,
    average_logits_of_batch,
    load_segmenter,
    segment,
)
from wsss_core.stages.segment_crf import refine_prob
from wsss_core.stages.train_segmenter import segmenter_metadata

CLASSES = ("red thing", "grün")
PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    backbone = BackboneConfig(name="test_byobnet", output_stride=16)
    config = SegmenterConfig(backbone=backbone, epochs=1, rates=(1,), scale=(0.5, 1.0))
    torch.manual_seed(0)
    network = build_deeplab(config, num_classes=3)
    with torch.no_grad():
        network.head.branches[0].weight.mul_(1000)  # so that not all pixels are of one class
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    save_weights(path, network.state_dict(), segmenter_metadata(config, CLASSES))
    return path


def _noise(height: int, width: int, *, seed: int = 0) -> Image.Image:
    cells = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "my pictures"
    folder.mkdir()
    _noise(70, 90).save(folder / "Größe 1.jpg")
    _noise(61, 47, seed=1).save(folder / "b.png")
    return folder


def _predict(network: torch.nn.Module, *paths: Path, longest_side: int = 0, **config: object):
    items = [Picture(path.stem, path) for path in paths]
    settings = SegmentConfig(**{"scales": (1.0,), "flip": False, **config})
    segmenter = Segmenter(
        network, ("background", *CLASSES), config=settings, longest_side=longest_side
    )
    return {picture.name: result for picture, result in segmenter.each(items)}


def _run(*arguments: object) -> None:
    main([*map(str, arguments), "--device", "cpu"])


def test_masks_are_those_of_the_workflow(weights: Path, tmp_path: Path) -> None:
    dataset = Dataset(root=tmp_path, class_names=CLASSES, labels={})
    (tmp_path / "images").mkdir()
    sizes = {"a": (64, 96), "b": (53, 71), "c": (1, 1), "d": (200, 9)}
    for seed, (name, size) in enumerate(sizes.items()):
        _noise(*size, seed=seed).save(tmp_path / "images" / f"{name}.png")
    config = SegmentConfig(scales=(0.75, 1.0), flip=True)
    network = load_segmenter(weights).network
    expected = {r.image_id: r for r in segment(network, dataset, [*sizes], config=config)}
    _run("--weights", weights, "--scales", "0.75,1", "--flip", "--probs", tmp_path / "images",
         tmp_path / "out")  # fmt: skip
    assert len(np.unique(expected["b"].mask)) > 1
    for name, size in sizes.items():
        mask = read_mask(tmp_path / "out" / "masks" / f"{name}.png")
        assert mask.shape == size
        np.testing.assert_array_equal(mask, expected[name].mask)
        probs = ScoreReader(
            [tmp_path / "out" / "probs" / f"{name}.npz"], kind="prob", class_names=CLASSES
        )
        np.testing.assert_allclose(probs.read(name).scores, expected[name].prob, atol=0.005, rtol=0)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("L", "png"), ("RGBA", "webp"), ("P", "gif"), ("CMYK", "tif"), ("1", "bmp"), ("I;16", "png"),
     ("LA", "png"), ("YCbCr", "jpg"), ("RGB", "avif"), ("RGB", "heic"), ("F", "tif")],
)  # fmt: skip
def test_every_kind_of_picture_is_segmented(weights, tmp_path, mode, suffix) -> None:
    path = tmp_path / f"x.{suffix}"
    if mode == "I;16":
        Image.fromarray(np.full((40, 50), 40000, dtype=np.uint16)).save(path)
    else:
        _noise(40, 50).convert(mode).save(path)
    _run("--weights", weights, path, tmp_path / "out")
    assert read_mask(tmp_path / "out" / "masks" / "x.png").shape == (40, 50)
    assert read_image(tmp_path / "out" / "overlays" / "x.jpg").shape == (40, 50, 3)


def test_masks_are_upright(weights: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    _noise(40, 50).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    network = load_segmenter(weights).network
    result = _predict(network, tmp_path / "turned.jpg")["turned"]
    assert result.mask.shape == (50, 40)
    Image.fromarray(read_image(tmp_path / "turned.jpg")).save(tmp_path / "upright.png")
    upright = _predict(network, tmp_path / "upright.png")["upright"]
    np.testing.assert_array_equal(result.mask, upright.mask)


def test_large_pictures_are_segmented_smaller_and_their_edges_are_smooth(weights, tmp_path) -> None:
    _noise(120, 200).save(tmp_path / "x.png")
    network = load_segmenter(weights).network
    result = _predict(network, tmp_path / "x.png", longest_side=50)["x"]
    assert result.image.shape == (120, 200, 3)
    assert result.scores.shape == (3, 8, 13)
    small = image_pyramid("x", shrink(result.image, 50), scales=(1.0,), flip=False)
    logits = average_logits(network, small)
    enlarged = F.interpolate(logits[None], (120, 200), mode="bilinear", align_corners=False)[0]
    np.testing.assert_array_equal(result.mask, enlarged.argmax(dim=0).numpy())
    assert len(np.unique(result.mask)) > 1


def test_the_crf_of_a_large_picture_is_of_the_small_one_and_enlarged(weights, tmp_path) -> None:
    _noise(120, 200).save(tmp_path / "x.png")
    crf = CrfConfig(iterations=1)
    network = load_segmenter(weights).network
    result = _predict(network, tmp_path / "x.png", longest_side=50, crf=crf)["x"]
    classes, refined = refine_prob(shrink(result.image, 50), result.scores, config=crf)
    assert refined.shape == (len(classes), 30, 50)
    maps = [cv2.resize(r, (200, 120), interpolation=cv2.INTER_LINEAR) for r in refined]
    np.testing.assert_array_equal(result.mask, classes[np.argmax(maps, axis=0)])


@pytest.mark.parametrize("size", [(60, 91), (64, 64), (1, 7), (200, 3)])
@pytest.mark.parametrize("max_values", [1, 1000, 5000])
def test_strips_are_parts_of_the_whole(size, max_values) -> None:
    torch.manual_seed(0)
    scores = torch.randn(5, 16, 23)
    whole = F.interpolate(scores[None], size, mode="bilinear", align_corners=False)[0].argmax(dim=0)
    mask = enlarged_argmax(scores, size, max_values=max_values)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, whole.numpy())


def test_memory_does_not_grow_with_the_picture(monkeypatch) -> None:
    sizes = []

    def noted(enlarged):
        sizes.append(enlarged.numel())
        return first_argmax(enlarged)

    monkeypatch.setitem(enlarged_argmax.__globals__, "first_argmax", noted)
    assert enlarged_argmax(torch.zeros(200, 8, 8), (300, 2000)).shape == (300, 2000)
    assert len(sizes) > 1
    assert max(sizes) <= MAX_VALUES


@pytest.mark.parametrize("max_values", [1, 10**6])
def test_what_is_not_sure_enough_is_marked(max_values) -> None:
    """Probabilities of 0.5 and of 0.9, as logits and as they are."""
    prob = torch.tensor([[[0.5, 0.9]], [[0.5, 0.1]]])
    for scores, are_logits in ((prob.log(), True), (prob, False)):
        options = {"are_logits": are_logits, "max_values": max_values}
        assert enlarged_argmax(scores, (1, 2), confidence=0.6, **options).tolist() == [[255, 0]]
        assert enlarged_argmax(scores, (1, 2), confidence=0.4, **options).tolist() == [[0, 0]]


def test_one_call_in_python(weights, pictures) -> None:
    """A path, an image of PIL and an array are the same picture; names are those of indices."""
    segmenter = Segmenter.load(weights, device="cpu", scales=[1], crf=True)
    path = pictures / "b.png"
    by_path = segmenter(path)
    assert by_path.class_names == ("background", *CLASSES)
    assert by_path.mask.shape == (61, 47)
    assert by_path.scores.shape == (3, 16, 12)
    np.testing.assert_allclose(by_path.scores.sum(axis=0), 1, atol=1e-5)
    for picture in (str(path), Image.open(path), read_image(path)):
        np.testing.assert_array_equal(segmenter(picture).mask, by_path.mask)
    ((_, one_of_many),) = segmenter.each([Picture("b", path)])
    np.testing.assert_array_equal(one_of_many.mask, by_path.mask)


def test_mistakes_in_python_are_told(weights, pictures) -> None:
    segmenter = Segmenter.load(weights, device="cpu")
    with pytest.raises(
        UserError, match=r"float64 \[4, 4, 3\]; expected uint8 \[height, width, 3\]"
    ):
        segmenter(np.zeros((4, 4, 3)))
    (pictures / "b.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"b\.png: "):
        segmenter(pictures / "b.png")


@pytest.mark.parametrize(
    ("size", "longest_side", "expected"),
    [((30, 60), 0, (30, 60)), ((30, 60), 60, (30, 60)), ((30, 61), 60, (30, 60)),
     ((900, 1), 30, (30, 1)), ((1, 90), 30, (1, 30))],
)  # fmt: skip
def test_shrink(size, longest_side, expected) -> None:
    assert shrink(np.zeros((*size, 3), dtype=np.uint8), longest_side).shape == (*expected, 3)


def test_too_little_memory_fails_one_picture(weights, pictures, monkeypatch) -> None:
    def run_out(network, pyramids, **options) -> torch.Tensor:
        if any(pyramid.image_id == "b" for pyramid in pyramids):
            raise torch.OutOfMemoryError
        return average_logits_of_batch(network, pyramids, **options)

    monkeypatch.setitem(usual_scale.__globals__, "average_logits_of_batch", run_out)
    monkeypatch.setattr(Segmenter, "_batch_size", lambda *_: 8)
    shutil.copy(pictures / "b.png", pictures / "c.png")
    network = load_segmenter(weights).network
    names = ("b.png", "c.png", "Größe 1.jpg")
    results = _predict(network, *(pictures / name for name in names))
    assert results["b"] == Failure(
        "too large for the GPU's memory; expected a smaller --longest-side"
    )
    assert isinstance(results["c"], Prediction) and isinstance(results["Größe 1"], Prediction)


@pytest.mark.parametrize("flip", [False, True])
def test_pictures_of_one_size_go_through_a_gpu_together(
    weights, tmp_path, monkeypatch, flip
) -> None:
    """Batches change nothing, whatever lies between the pictures; on the CPU there are none."""
    sizes = {"a": 40, "b": 40, "c": 40, "d": 52, "e": 40, "g": 40}
    for seed, (name, height) in enumerate(sizes.items()):
        _noise(height, 50, seed=seed).save(tmp_path / f"{name}.png")
    (tmp_path / "f.png").write_text("no picture")
    pictures = [Picture(name, tmp_path / f"{name}.png") for name in sorted([*sizes, "f"])]
    network = load_segmenter(weights).network
    segmenter = Segmenter(network, CLASSES, config=SegmentConfig(scales=(0.5, 1.0), flip=flip))
    alone = list(segmenter.each(pictures))
    seen = []

    def noted(network, pyramids, **options) -> torch.Tensor:
        seen.append("".join(pyramid.image_id for pyramid in pyramids))
        return average_logits_of_batch(network, pyramids, **options)

    monkeypatch.setitem(usual_scale.__globals__, "average_logits_of_batch", noted)
    list(segmenter.each(pictures))
    monkeypatch.setattr(Segmenter, "_batch_size", lambda *_: 2)
    together = list(segmenter.each(pictures))
    assert seen == [*"abcdeg", "ab", "c", "d", "e", "g"]
    assert [picture.name for picture, _ in together] == list("abcdefg")
    for (_, one), (_, other) in zip(alone, together, strict=True):
        if isinstance(one, Failure):
            assert one == other
            continue
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert (one.mask != other.mask).mean() < 0.001  # ties


def test_broken_pictures_are_told_and_the_others_done(weights, pictures, tmp_path, capsys) -> None:
    whole = (pictures / "Größe 1.jpg").read_bytes()
    (pictures / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (pictures / "page.png").write_text("<html>")
    (pictures / "empty.png").touch()
    with pytest.raises(UserError, match="^3 of 5 pictures have no mask, see above$"):
        _run("--weights", weights, pictures, tmp_path / "out")
    said = capsys.readouterr()
    lines = said.err.splitlines()[-3:]
    assert [line.split(":")[0] for line in lines] == [
        str(pictures / name) for name in ("cut.jpg", "empty.png", "page.png")
    ]
    assert "cannot be decoded (image file is truncated" in lines[0]
    assert lines[2].endswith("is no JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC")
    masks = sorted(path.name for path in (tmp_path / "out" / "masks").iterdir())
    assert masks == ["Größe 1.png", "b.png"]
    assert said.out.splitlines()[-1] == "pictures: 5, done before: 0"


def test_the_table_gives_each_class_its_share(weights, pictures, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    _run("--weights", weights, pictures, out)
    masks = {path.stem: read_mask(path) for path in (out / "masks").iterdir()}
    with (out / "class_coverage.csv").open(encoding="utf-8") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(masks) == {"Größe 1", "b"}
    for name, mask in masks.items():
        for index, class_name in enumerate(("background", *CLASSES)):
            assert float(rows[name][class_name]) == pytest.approx(
                100 * (mask == index).mean(), abs=0.006
            )
    pixels = np.concatenate([mask.ravel() for mask in masks.values()])
    table = capsys.readouterr().out
    for index in np.unique(pixels):
        assert f"{100 * (pixels == index).mean():.2f} %" in table


def test_what_is_done_is_left_out(weights, pictures, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    run = ("--weights", weights, pictures, out)
    _run(*run)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*/*.*")}
    first_table = (out / "class_coverage.csv").read_text()
    (out / "masks" / "b.png").unlink()
    _run(*run)
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*/*.*")}
    assert {path.name for path in after if after[path] != before[path]} == {"b.png", "b.jpg"}
    assert capsys.readouterr().out.splitlines()[-1] == "pictures: 2, done before: 1"
    assert (out / "class_coverage.csv").read_text() == first_table
    _run(*run, "--overwrite")
    assert all(path.stat().st_mtime_ns > time for path, time in after.items())
    _run(*run, "--probs")  # one more kind of file, the same masks
    assert len(list((out / "probs").iterdir())) == 2


def test_a_mask_is_of_its_picture_and_not_of_its_name(weights, pictures, tmp_path, capsys) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    _noise(80, 33, seed=5).save(other / "b.png")
    (other / "Größe 1.jpg").write_bytes((pictures / "Größe 1.jpg").read_bytes())
    _run("--weights", weights, pictures, out)
    _run("--weights", weights, other, out)
    assert capsys.readouterr().out.splitlines()[-1] == "pictures: 2, done before: 1"
    assert read_mask(out / "masks" / "b.png").shape == (80, 33)
    _noise(81, 33, seed=6).save(other / "b.png")  # edited
    _run("--weights", weights, other, out)
    assert read_mask(out / "masks" / "b.png").shape == (81, 33)
    (other / "b.png").write_bytes(b"")
    with pytest.raises(UserError, match="1 of 2 pictures have no mask"):
        _run("--weights", weights, other, out)
    assert not (out / "masks" / "b.png").exists()


def test_shares_are_of_all_masks_of_the_folder(weights, pictures, tmp_path) -> None:
    for picture in pictures.iterdir():
        _run("--weights", weights, picture, tmp_path / "out")
    with (tmp_path / "out" / "class_coverage.csv").open(encoding="utf-8") as file:
        assert [row["image"] for row in csv.DictReader(file)] == ["Größe 1", "b"]


def test_folders_are_kept_and_the_output_is_none_of_the_input(weights, pictures) -> None:
    (pictures / "deeper").mkdir()
    _noise(20, 30).save(pictures / "deeper" / "b.png")
    for _ in range(2):
        _run("--weights", weights, "--probs", pictures, pictures / "out")
    masks = pictures / "out" / "masks"
    found = sorted(path.relative_to(masks).as_posix() for path in masks.rglob("*.png"))
    assert found == ["Größe 1.png", "b.png", "deeper/b.png"]
    assert read_mask(masks / "deeper" / "b.png").shape == (20, 30)
    with np.load(pictures / "out" / "probs" / "deeper" / "b.npz") as file:
        assert file["scores/b"].shape == (3, 5, 8)
    with (pictures / "out" / "class_coverage.csv").open(encoding="utf-8") as file:
        assert [row["image"] for row in csv.DictReader(file)] == ["Größe 1", "b", "deeper/b"]


def test_masks_for_other_tools(weights, pictures, tmp_path) -> None:
    """What a person corrects in CVAT or Label Studio comes back as the dataset that it was."""
    out = tmp_path / "out"
    formats = ("--format", "coco", "--format", "cutout", "--no-overlays")
    _run("--weights", weights, *formats, pictures, out)
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == [
        *("annotations.json", "class_coverage.csv", "cutouts", "masks", "predict.json"),
    ]
    for name in ("b", "Größe 1"):
        mask = read_mask(out / "masks" / f"{name}.png")
        with Image.open(out / "cutouts" / f"{name}.png") as cutout:
            np.testing.assert_array_equal(np.array(cutout)[..., 3] > 0, mask > 0)
    annotations = out / "annotations.json"
    again = read_coco({annotations: json.loads(annotations.read_text("utf-8"))}, Findings())
    assert sorted(again.masks) == ["Größe 1", "b"]
    for name, mask in again.masks.items():
        np.testing.assert_array_equal(mask.draw(), read_mask(out / "masks" / f"{name}.png"))


def test_unknown_pixels_are_in_no_share(weights, pictures, tmp_path) -> None:
    out = tmp_path / "out"
    _run("--weights", weights, "--confidence", "1", "--format", "coco", pictures / "b.png", out)
    mask = read_mask(out / "masks" / "b.png")
    known = mask[mask != 255]
    assert 0 < len(known) < mask.size
    annotations = json.loads((out / "annotations.json").read_text())["annotations"]
    assert {a["category_id"] for a in annotations} == {*known.tolist()} - {0}
    with (out / "class_coverage.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    for index, name in enumerate(("background", *CLASSES)):
        assert float(row[name]) == pytest.approx(100 * (known == index).mean(), abs=0.006)
    with pytest.raises(UserError, match="other confidence; expected a new folder, or --overwrite"):
        _run("--weights", weights, pictures, out)


def test_two_calls_on_one_folder_share_the_work(weights, pictures, tmp_path) -> None:
    command = [
        sys.executable,
        "-m",
        "wsss_core",
        "predict",
        "--weights",
        weights,
        "--device",
        "cpu",
    ]
    calls = [
        subprocess.Popen([*command, pictures, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = sorted(call.communicate(timeout=300)[0].splitlines()[-1] for call in calls)
    assert told == ["pictures: 2, done before: 0", "pictures: 2, done before: 2"]


def test_only_what_was_made_is_removed(weights, pictures, tmp_path) -> None:
    out = tmp_path / "out"
    _run("--weights", weights, pictures, out)
    (out / "masks" / "notes.txt").write_text("mine")
    _run("--weights", weights, "--overwrite", pictures / "b.png", out)
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["b.png", "notes.txt"]
    (tmp_path / "mine" / "overlays").mkdir(parents=True)
    (tmp_path / "mine" / "overlays" / "b.jpg").write_text("mine")
    for options in ((), ("--overwrite",)):
        with pytest.raises(UserError, match="mine: holds overlays without a predict.json"):
            _run("--weights", weights, *options, pictures, tmp_path / "mine")
    assert (tmp_path / "mine" / "overlays" / "b.jpg").read_text() == "mine"


def test_masks_are_those_of_the_network_s_onnx_file(weights, pictures, tmp_path) -> None:
    """On every processor, also on one with units for bfloat16."""
    out = tmp_path / "out"
    _run("--weights", weights, "--scales", "1", pictures, out)
    export(["--weights", str(weights), "--format", "onnx", str(tmp_path)])
    run = load_format("onnx", tmp_path / "segmenter.onnx")
    for path in pictures.iterdir():
        image = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)[None]
        _, mask = run(torch.from_numpy(image.copy()))
        found = read_mask(out / "masks" / f"{path.stem}.png")
        assert len(np.unique(found)) > 1
        assert (mask[0].numpy() == found).mean() > 0.999


def test_the_documented_lines_give_the_same_masks(weights, pictures, tmp_path, monkeypatch) -> None:
    """Those of docs/predict.md, which use nothing of this package."""
    page = (PROJECT / "docs/predict.md").read_text()
    (lines,) = re.findall(r"^    import json, numpy.*?\n(?=\S)", page, re.M | re.S)
    export(["--weights", str(weights), "--format", "onnx", str(tmp_path / "exported")])
    Image.open(pictures / "b.png").convert("RGB").save(tmp_path / "picture.jpg", quality=95)
    _run("--weights", weights, "--scales", "1", tmp_path / "picture.jpg", tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(textwrap.dedent(lines), names)
    np.testing.assert_array_equal(names["mask"][0], read_mask(tmp_path / "out/masks/picture.png"))
    told = names["session"].get_modelmeta().custom_metadata_map
    assert json.loads(told["scale"]) == 0.75 and len(json.loads(told["mean"])) == 3


def test_the_precision_is_told_and_another_wants_another_folder(
    weights, pictures, tmp_path, monkeypatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)  # without units for bfloat16
    for precision in ("float32", "auto"):
        _run("--weights", weights, "--precision", precision, pictures, out)
        assert json.loads((out / "predict.json").read_text())["precision"] == "float32"
    with pytest.raises(UserError, match="out: holds predictions with other precision; expected"):
        _run("--weights", weights, "--precision", "bfloat16", pictures, out)


def test_other_settings_want_another_folder(weights, pictures, tmp_path) -> None:
    out = tmp_path / "out"
    _run("--weights", weights, pictures, out)
    told = json.loads((out / "predict.json").read_text())
    assert told["scales"] == [0.75]  # the middle of 0.5 to 1
    assert told["classes"] == {"background": "#000000", "red thing": "#800000", "grün": "#008000"}
    expected = "out: holds predictions with other scales, flip; expected a new folder, or --overwr"
    with pytest.raises(UserError, match=expected):
        _run("--weights", weights, "--scales", "1", "--flip", pictures, out)
    _run("--weights", weights, "--scales", "1", "--flip", "--overwrite", pictures / "b.png", out)
    assert [path.name for path in (out / "masks").iterdir()] == ["b.png"]


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_note_is_told(weights, pictures, tmp_path, text) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/predict.json").write_text(text)
    with pytest.raises(UserError, match=r"predict.json: damaged; expected a new folder, or --over"):
        _run("--weights", weights, pictures, tmp_path / "out")
    _run("--weights", weights, pictures, tmp_path / "out", "--overwrite")


def test_mistakes_are_told_before_anything_is_written(weights, pictures, tmp_path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match="nothing: no such file or folder; expected pictures"):
        _run("--weights", weights, tmp_path / "nothing", out)
    with pytest.raises(UserError, match=r"w\.pt: weights file not found"):
        _run("--weights", tmp_path / "w.pt", pictures, out)
    assert not out.exists()
    (tmp_path / "dataset" / "masks").mkdir(parents=True)
    with pytest.raises(UserError, match="dataset: holds masks without a predict.json; expected a"):
        _run("--weights", weights, "--overwrite", pictures, tmp_path / "dataset")
    assert list((tmp_path / "dataset").rglob("*")) == [tmp_path / "dataset" / "masks"]
    with pytest.raises(UserError, match=r"b\.png: a file; expected a folder to write to, as last"):
        _run("--weights", weights, pictures / "Größe 1.jpg", pictures / "b.png")


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "tpu", "gpu 1"])
def test_a_device_that_is_not_there_is_told(
    weights, pictures, tmp_path, monkeypatch, device
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match=f"--device {device}: no such device; expected auto, cpu"):
        main(["--weights", str(weights), "--device", device, str(pictures), str(tmp_path / "out")])


def test_options_may_stand_anywhere() -> None:
    args = parse(["a", "--weights", "w.pt", "b", "--flip", "out"])
    assert (args.pictures, args.output) == ([Path("a"), Path("b")], Path("out"))
    assert to_numbers("0.5,1") == (0.5, 1.0)
    config = SegmenterConfig(backbone={"name": "resnet38d"}, epochs=1, scale=(0.6, 0.9))
    assert usual_scale(config) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (("--scales", "big"), "--scales: expected numbers separated by commas, got 'big'"),
        (("--scales", "1,nan"), "--scales: expected numbers from 0.05 to 16, got '1,nan'"),
        (("--scales", "inf"), "--scales: expected numbers from 0.05 to 16, got 'inf'"),
        (("--confidence", "60"), "--confidence: expected 0 to 1, got '60'"),
        (("--longest-side", "-5"), "--longest-side: expected 0 or more, got '-5'"),
    ],
)
def test_bad_options_are_told(option, expected, capsys) -> None:
    with pytest.raises(SystemExit):
        parse(["--weights", "w.pt", *option, "a", "out"])
    assert capsys.readouterr().err.splitlines()[-1] == f"wsss predict: error: argument {expected}"


def test_the_package_is_a_command(weights, tmp_path) -> None:
    command = [sys.executable, "-m", "wsss_core", "predict", "--weights", weights, "x.png"]
    done = subprocess.run(
        [*map(str, command), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 1
    assert done.stderr == "loading\nerror: x.png: no such file or folder; expected pictures\n"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(
    weights, pictures, tmp_path, monkeypatch, capsys
) -> None:
    _run("--weights", weights, pictures / "b.png", tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "overlays")
    (tmp_path / "out" / "overlays").touch()
    command = ["wsss", "predict", "--weights", weights, "--device", "cpu", pictures]
    monkeypatch.setattr(sys, "argv", [*map(str, command), str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        run_wsss()
    assert ended.value.code == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"error: {tmp_path}/out/overlays: File exists"


def test_the_package_installs_the_command() -> None:
    try:
        distribution("wsss-core")
    except PackageNotFoundError:
        pytest.skip("the package is not installed, as make does it")
    command = Path(sys.executable).parent / "wsss"
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "predict   segment pictures" in done.stdout


def test_the_crf_is_that_of_the_shipped_config() -> None:
    shipped = yaml.safe_load((PROJECT / "config.yaml").read_text())
    assert CrfConfig.model_validate(shipped["segment"]["crf"]) == CRF
