"""Tests of segmentation: geometry of scales, flips and padding; CRF; programs."""

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from torch import Tensor, nn

from tests.conftest import write_image_digests
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.crf import CrfConfig
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.dataset import Dataset
from wsss_core.data.image_pyramid import ImagePyramid
from wsss_core.data.images import read_mask, write_mask
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.data.transforms import image_tensor, resize
from wsss_core.data.weights import load_weights, save_weights
from wsss_core.models.cell_positions import Cells
from wsss_core.models.deeplab import DeepLab, build_deeplab
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.ops.crf import dense_crf
from wsss_core.runtime.errors import UserError
from wsss_core.stages.segment import (
    PROB_STRIDE,
    average_logits,
    best_class,
    load_segmenter,
    segment,
)
from wsss_core.stages.segment_crf import candidate_classes, refine_mask, segmentation_crf
from wsss_core.stages.train_segmenter import segmenter_metadata

CRF = CrfConfig(iterations=3)
CLASSES = ("red", "green")
SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"


class _MeanColour(nn.Module):
    """A backbone of stride 8 whose cells are the mean colours of their pixels."""

    geometry = FeatureGeometry((Cells(8, 3.5),))

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.5, 0.5]))

    def forward(self, image: Tensor) -> list[Tensor]:
        return [nn.functional.avg_pool2d(image, 8, ceil_mode=True)]


def _colour_network(head: nn.Module | None = None) -> DeepLab:
    """Logits are ten times the image's colour channels, or what `head` makes of the colours."""
    if head is None:
        head = nn.Conv2d(3, 3, 1, bias=False)
        with torch.no_grad():
            head.weight.copy_(10 * torch.eye(3).view(3, 3, 1, 1))
    return DeepLab(_MeanColour(), head).eval()


def _image(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Background is red (the first channel), class 1 green, class 2 blue."""
    return (np.eye(3, dtype=np.uint8) * 230 + 10)[mask]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Five images of different sizes, with a rectangle of class 1 or 2 in each."""
    for name in ("images", "splits"):
        (tmp_path / name).mkdir()
    labels = {}
    for index in range(5):
        mask = np.zeros((60 + 9 * index, 97 - 7 * index), dtype=np.uint8)
        mask[16:48, 24:64] = 1 + index % 2
        Image.fromarray(_image(mask)).save(tmp_path / "images" / f"i{index}.png")
        labels[f"i{index}"] = np.eye(2, dtype=np.uint8)[index % 2]
    (tmp_path / "splits" / "val.txt").write_text("i0\ni1\ni2\n")
    (tmp_path / "splits" / "train_aug.txt").write_text("i3\ni4\n")
    (tmp_path / "classes.txt").write_text("red\ngreen\n")
    rows = [f"{name},{label[0]},{label[1]}" for name, label in labels.items()]
    (tmp_path / "labels.csv").write_text("\n".join(["image,red,green", *rows]) + "\n")
    write_image_digests(tmp_path)
    return Dataset(root=tmp_path, class_names=CLASSES, labels=labels)


def _pyramid(image: NDArray[np.uint8], *, scales: Sequence[float], flip: bool) -> ImagePyramid:
    height, width = image.shape[:2]
    scaled = []
    for scale in scales:
        size = (round(scale * height), round(scale * width))
        view = image_tensor(resize(image, *size, interpolation="linear"))
        scaled.append(torch.stack([view, view.flip(2)] if flip else [view]))
    return ImagePyramid("x", (height, width), scaled)


@given(
    height=st.integers(64, 150),
    width=st.integers(64, 150),
    scale=st.sampled_from([0.5, 0.75, 1.0, 1.3, 1.75]),
    flip=st.booleans(),
)
@settings(max_examples=40)
def test_a_scale_shifts_and_stretches_nothing(
    height: int, width: int, scale: float, flip: bool
) -> None:
    # Channel 0 is a ramp over the columns, channel 1 one over the rows; a network that returns
    # mean colours must give the ramps back, whatever scale and padding lie between.
    ramp_x, ramp_y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    image = np.stack([ramp_x, ramp_y, ramp_x], axis=2).astype(np.uint8)
    pyramid = _pyramid(image, scales=[scale], flip=flip)
    logits = average_logits(_colour_network(nn.Identity()), pyramid)
    grid = tuple(-(-side // PROB_STRIDE) for side in (height, width))
    assert logits.shape == (3, *grid)
    # Not near the border, where cells have padding in them or nothing to interpolate with.
    margin = 1 + math.ceil(12 / scale / PROB_STRIDE)
    inner = (slice(margin, -margin), slice(margin, -margin))
    for channel, (side, cells, axis) in enumerate([(width, grid[1], 1), (height, grid[0], 0)]):
        centres = (torch.arange(cells) + 0.5) * side / cells - 0.5
        expected = centres.view((1, -1) if axis == 1 else (-1, 1)).expand(*grid)
        torch.testing.assert_close(logits[channel][inner] * 255, expected[inner], atol=0.8, rtol=0)


def test_logits_are_averaged_over_scales_and_mirrored_views() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    network = _colour_network(nn.Conv2d(3, 4, 3, padding=1))
    together = average_logits(network, _pyramid(image, scales=(0.5, 1.0), flip=True))
    terms = []
    for scale in (0.5, 1.0):
        one = average_logits(network, _pyramid(image, scales=(scale,), flip=False))
        other = average_logits(network, _pyramid(mirrored, scales=(scale,), flip=False))
        terms += [one, other.flip(2)]
    torch.testing.assert_close(together, torch.stack(terms).mean(dim=0))
    of_mirrored = average_logits(network, _pyramid(mirrored, scales=(0.5, 1.0), flip=True))
    torch.testing.assert_close(of_mirrored.flip(2), together)


def test_best_class_by_hand() -> None:
    # Two cells in a row, eight pixels: the logits cross in the middle.
    logits = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    mask = best_class(logits, (2, 8))
    assert mask.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 2
    assert mask.dtype == np.uint8


@pytest.mark.parametrize("flip", [False, True])
def test_segments_each_image_at_its_own_size(dataset: Dataset, flip: bool) -> None:
    config = SegmentConfig(scales=(0.75, 1.0, 1.5), flip=flip)
    ids = ["i2", "i0", "i4", "i1"]
    results = list(segment(_colour_network(), dataset, ids, config=config))
    assert [result.image_id for result in results] == ids
    for result in results:
        image = dataset.read_image(result.image_id)
        truth = image.argmax(axis=2)
        assert result.mask.shape == truth.shape
        assert (result.mask != truth).mean() < 0.03
        assert result.prob.dtype == np.float32
        assert result.prob.shape == (3, *(-(-side // PROB_STRIDE) for side in truth.shape))
        np.testing.assert_allclose(result.prob.sum(axis=0), 1, rtol=1e-5)


def test_no_images_are_no_segmentations(dataset: Dataset) -> None:
    assert list(segment(_colour_network(), dataset, [], config=SegmentConfig())) == []


def _prob(mask: NDArray[np.uint8], *, sure: float = 0.9, classes: int = 3) -> NDArray[np.float32]:
    prob = np.full((classes, *mask.shape), (1 - sure) / 2, dtype=np.float32)
    np.put_along_axis(prob, mask[None].astype(int), sure, axis=0)
    prob[2] = 1 - prob[0] - prob[1]
    return prob


def test_crf_leaves_out_only_what_cannot_win() -> None:
    prob = np.zeros((5, 2, 2), dtype=np.float32)
    prob[0] = 0.97
    prob[1] = 0.01
    prob[2, 0, 0] = 0.021
    assert candidate_classes(prob).tolist() == [0, 2]
    even = np.full((100, 2, 2), 0.01, dtype=np.float32)
    assert candidate_classes(even).tolist() == [0]


def test_crf_equals_the_one_over_all_classes() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((48, 60), dtype=np.uint8)
    truth[12:36, 20:44] = 2
    noisy = np.where(rng.random((12, 15)) < 0.1, 2 - truth[::4, ::4], truth[::4, ::4])
    prob = np.zeros((5, 12, 15), dtype=np.float32)
    np.put_along_axis(prob, noisy[None].astype(int), 0.7, axis=0)
    prob[[0, 2]] += 0.15
    image = _image(truth)
    refined = refine_mask(image, prob, config=CRF)
    assert (refined == truth).all()
    enlarged = torch.nn.functional.interpolate(
        torch.from_numpy(prob)[None], size=(48, 60), mode="bilinear"
    )[0].numpy()
    full = dense_crf(image, enlarged, **CRF.model_dump()).argmax(axis=0)
    assert (refined == full).all()


def test_crf_of_a_single_class_is_that_class() -> None:
    prob = np.zeros((3, 2, 2), dtype=np.float32)
    prob[1] = 1
    mask = refine_mask(np.zeros((7, 6, 3), dtype=np.uint8), prob, config=CRF)
    assert mask.shape == (7, 6)
    assert mask.dtype == np.uint8
    assert (mask == 1).all()


def test_crf_stage_reads_what_segment_wrote(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "probs.npz"
    config = SegmentConfig(scales=(1.0,), flip=False)
    ids = ["i1", "i3", "i0"]
    with ScoreWriter(path, kind="prob", class_names=CLASSES) as writer:
        for result in segment(_colour_network(), dataset, ids, config=config):
            writer.write(result.image_id, range(3), result.prob)
    probs = ScoreReader([path], kind="prob", class_names=CLASSES)
    masks = dict(segmentation_crf(dataset, probs, config=CRF, processes=2))
    assert list(masks) == ids
    for image_id, mask in masks.items():
        assert (mask == dataset.read_image(image_id).argmax(axis=2)).mean() > 0.99


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    backbone = BackboneConfig(name="tf_efficientnet_lite0", output_stride=8)
    config = SegmenterConfig(backbone=backbone, epochs=1, rates=(2,))
    torch.manual_seed(0)
    network = build_deeplab(config, num_classes=3)
    save_weights(tmp_path / "w.pt", network.state_dict(), segmenter_metadata(config, CLASSES))
    return tmp_path / "w.pt"


def test_a_weights_file_is_all_that_is_needed(weights: Path) -> None:
    network, class_names, config = load_segmenter(weights)
    stored = torch.load(weights, weights_only=True)["state_dict"]
    assert all(torch.equal(value, stored[name]) for name, value in network.state_dict().items())
    assert not network.training
    assert class_names == CLASSES
    assert config.rates == (2,)


@pytest.mark.parametrize(
    "changes",
    [
        {"head": "large_fov", "rates": (2,)},
        {"head": "deeplabv3", "rates": (1, 2)},
        {"multi_scale": (0.75, 0.5)},
    ],
)
def test_every_network_is_rebuilt_from_its_file(tmp_path: Path, changes) -> None:
    backbone = BackboneConfig(name="test_byobnet", output_stride=8)
    config = SegmenterConfig(backbone=backbone, epochs=1, **changes)
    torch.manual_seed(0)
    network = build_deeplab(config, num_classes=3)
    image = torch.rand(2, 3, 48, 64)
    network.train()(image)  # moves the statistics of the head's BatchNorms
    path = tmp_path / "w.pt"
    save_weights(path, network.state_dict(), segmenter_metadata(config, CLASSES))
    rebuilt = load_segmenter(path, CLASSES).network
    assert torch.equal(rebuilt(image), network.eval()(image))
    assert rebuilt.scales == network.scales


def test_weights_of_something_else_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"w\.pt: trained on the classes red, green; .* cat"):
        load_segmenter(weights, ("cat",))
    other = {"network": "affinity", "class_names": list(CLASSES)}
    save_weights(tmp_path / "a.pt", {"weight": torch.zeros(1)}, other)
    with pytest.raises(UserError, match=r"a\.pt: weights of 'affinity', expected 'deeplab'"):
        load_segmenter(tmp_path / "a.pt", CLASSES)


@pytest.mark.parametrize("change", [{"scales": ()}, {"scales": (0.0,)}, {"scale": (1.0,)}])
def test_config_refuses(change) -> None:
    with pytest.raises(ValidationError, match="scale"):
        SegmentConfig(**change)


def _run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPTS / script, *arguments]
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        cwd=SCRIPTS.parent,
        env={"PYTHONPATH": str(SCRIPTS.parent), "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture
def pseudo_labels(dataset: Dataset, tmp_path: Path) -> Path:
    (tmp_path / "pseudo").mkdir()
    for image_id in dataset.split("train_aug"):
        mask = dataset.read_image(image_id).argmax(axis=2).astype(np.uint8)
        write_mask(tmp_path / "pseudo" / f"{image_id}.png", mask)
    return tmp_path / "pseudo"


def test_scripts_train_segment_and_refine(
    dataset: Dataset, pseudo_labels: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    weights, history = run / "weights.pt", run / "history.csv"
    masks, probs, refined = run / "masks", run / "p.npz", run / "refined"
    backbone = {"name": "tf_efficientnet_lite0", "output_stride": 8}
    config = {"backbone": backbone, "epochs": 1, "batch_size": 2, "crop_size": 64, "rates": [2]}

    root = ("--dataset", dataset.root)
    train = [*root, "--pseudo-labels", pseudo_labels, "--output", weights, "--history", history]
    done = _run("train_segmenter.py", *train, "--config", json.dumps(config))
    assert done.returncode == 0, done.stderr
    told = load_weights(weights).metadata
    assert told["class_names"] == list(CLASSES)
    assert (told["seed"], told["code"], told["strides"][-1]) == (0, "", 8)
    assert history.read_text().splitlines()[0] == "step,epoch,lr,loss,cross_entropy"
    assert sorted(path.name for path in run.iterdir()) == [
        "history.csv",
        "tensorboard",
        "weights.pt",
    ]

    shard = ["--part", "eval", "--shard", 1, "--num-shards", 2, "--scored-splits", "val"]
    segment = [*root, "--weights", weights, *shard, "--output", masks]
    config = {"scales": [1.0], "flip": False}
    done = _run("segment.py", *segment, "--probs", probs, "--config", json.dumps(config))
    assert done.returncode == 0, done.stderr
    done = _run("segment_crf.py", *root, "--probs", probs, "--output", refined)
    assert done.returncode == 0, done.stderr
    for directory in (masks, refined):
        assert [path.name for path in directory.iterdir()] == ["i1.png"]
        assert read_mask(directory / "i1.png").shape == (69, 90)


def test_scripts_name_a_mistyped_key(dataset: Dataset, tmp_path: Path) -> None:
    arguments = ["--dataset", dataset.root, "--probs", "p.npz", "--output", tmp_path / "masks"]
    done = _run("segment_crf.py", *arguments, "--config", '{"iteration": 3}')
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: CrfConfig: iteration: Extra inputs are not permitted (got 3)"
    ]
    assert not (tmp_path / "masks").exists()


def test_crf_script_does_not_import_torch() -> None:
    code = "import sys, segment_crf; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={"PYTHONPATH": f"{SCRIPTS}:{SCRIPTS.parent}"},
    )
    assert done.returncode == 0
