"""Tests of segmenter training: samples, pseudo labels, and a network that learns."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from torch import Tensor, nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.config.training import ColorJitter, OptimConfig
from wsss_core.data.dataset import Dataset
from wsss_core.data.images import write_mask
from wsss_core.models.cell_positions import Cells
from wsss_core.models.deeplab import Aspp, DeepLab, build_deeplab
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.models.large_fov import LargeFov
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.runtime.errors import UserError
from wsss_core.stages.train_segmenter import (
    SegmenterSamples,
    SegmenterTraining,
    check_segmenter,
    find_pseudo_labels,
    segmenter_metadata,
)
from wsss_core.training.loop import train
from wsss_core.training.optim import build_optimizer

FILL = (124, 116, 104)
CLASSES = ("red", "green")
COLORS = np.array([[20, 30, 200], [220, 30, 30], [30, 220, 30]], dtype=np.uint8)


def _config(**changes) -> SegmenterConfig:
    values = {
        "backbone": BackboneConfig(name="tf_efficientnet_lite0", output_stride=8),
        "epochs": 1,
        "crop_size": 64,
        "scale": (0.5, 1.5),
    }
    return SegmenterConfig(**(values | changes))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """Six images whose colour is their class, with a pseudo label each."""
    root = tmp_path_factory.mktemp("dataset")
    for name in ("images", "labels", "splits"):
        (root / name).mkdir()
    rng = np.random.default_rng(0)
    for index in range(6):
        height, width = 40 + 8 * index, 72
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[10:30, 12:40] = 1 + index % 2
        mask[30:33, 12:40] = 255
        image = COLORS[np.where(mask == 255, 0, mask)] + rng.integers(
            0, 20, (height, width, 1), dtype=np.uint8
        )
        Image.fromarray(image).save(root / "images" / f"i{index}.png")
        write_mask(root / "labels" / f"i{index}.png", mask)
    (root / "splits" / "train_aug.txt").write_text("\n".join(f"i{k}" for k in range(6)))
    return Dataset(root=root, class_names=CLASSES, labels={})


@pytest.fixture(scope="module")
def labels(dataset: Dataset) -> dict[str, Path]:
    return find_pseudo_labels([dataset.root / "labels"], dataset.split("train_aug"))


@given(seed=st.integers(0, 2**32 - 1), index=st.integers(0, 5))
@settings(max_examples=30)
def test_image_and_mask_stay_together(dataset, labels, seed: int, index: int) -> None:
    samples = SegmenterSamples(dataset, labels, config=_config(), fill=FILL)
    sample = samples.sample(index, np.random.default_rng(seed))
    image, mask = sample["image"], sample["mask"]
    assert image.shape == (3, 64, 64)
    assert (image.dtype, mask.dtype) == (torch.float32, torch.uint8)
    assert set(mask.unique().tolist()) <= {0, 1 + index % 2, 255}
    # Away from edges (where colours mix), each pixel has its class's colour; the first channel
    # that is bright is blue for background, red or green for the two classes.
    brightest = image.argmax(dim=0)
    expected = torch.tensor([2, 0, 1])
    for class_id in (0, 1, 2):
        inside = nn.functional.max_pool2d((mask != class_id).float()[None], 7, 1, 3)[0] == 0
        assert (brightest[inside] == expected[class_id]).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_what_lies_outside_an_image_is_ignored_and_of_the_fill_colour(
    dataset, labels, seed: int
) -> None:
    config = _config(crop_size=128, scale=(1.0, 1.0), color_jitter=ColorJitter())
    samples = SegmenterSamples(dataset, labels, config=config, fill=FILL)
    sample = samples.sample(0, np.random.default_rng(seed))
    ignored_inside = 3 * 28
    assert (sample["mask"] == 255).sum() == 128 * 128 - 40 * 72 + ignored_inside
    padding = (sample["image"] * 255).round() == torch.tensor(FILL).view(3, 1, 1)
    assert padding.all(dim=0).sum() >= 128 * 128 - 40 * 72


def test_a_generator_decides_a_sample(dataset, labels) -> None:
    config = _config(color_jitter=ColorJitter())
    samples = SegmenterSamples(dataset, labels, config=config, fill=FILL)
    first, again, other = (samples.sample(3, np.random.default_rng(s)) for s in (1, 1, 2))
    assert len(samples) == 6
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["mask"], again["mask"])
    assert not torch.equal(first["image"], other["image"])


def test_pseudo_labels_are_found_and_digested_by_content(tmp_path: Path) -> None:
    mask = np.zeros((4, 4), dtype=np.uint8)
    for part, name in (("a", "x"), ("b", "y")):
        (tmp_path / part).mkdir()
        write_mask(tmp_path / part / f"{name}.png", mask)
    parts = [tmp_path / "a", tmp_path / "b"]
    found = find_pseudo_labels(parts, ["y", "x"])
    assert list(found.items()) == [("y", parts[1] / "y.png"), ("x", parts[0] / "x.png")]
    assert found == find_pseudo_labels(parts[::-1], ["y", "x"])


def test_missing_and_doubled_pseudo_labels_are_named(tmp_path: Path) -> None:
    mask = np.zeros((4, 4), dtype=np.uint8)
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        write_mask(tmp_path / part / "x.png", mask)
    with pytest.raises(UserError, match=r"2 of 3 .* have no pseudo label in .*a: y, z"):
        find_pseudo_labels([tmp_path / "a"], ["x", "y", "z"])
    with pytest.raises(UserError, match=r"b/x\.png: there is a pseudo label .*a/x\.png already"):
        find_pseudo_labels([tmp_path / "a", tmp_path / "b"], ["x"])
    with pytest.raises(UserError, match="nowhere: no such directory"):
        find_pseudo_labels([tmp_path / "nowhere"], ["x"])


def test_bad_pseudo_labels_are_named(dataset, tmp_path: Path) -> None:
    path = tmp_path / "i0.png"
    samples = SegmenterSamples(dataset, {"i0": path}, config=_config(), fill=FILL)
    write_mask(path, np.zeros((41, 72), dtype=np.uint8))
    with pytest.raises(UserError, match=r"i0\.png: 72x41 pixels, its image has 72x40"):
        samples.sample(0, np.random.default_rng(0))
    write_mask(path, np.full((40, 72), 3, dtype=np.uint8))
    with pytest.raises(UserError, match=r"i0\.png: class index 3, expected 0 to 2 or 255"):
        samples.sample(0, np.random.default_rng(0))
    write_mask(path, np.full((40, 72), 255, dtype=np.uint8))
    assert (samples.sample(0, np.random.default_rng(0))["mask"] == 255).all()


def test_each_gpu_gets_two_images_where_a_batch_norm_needs_them() -> None:
    content = {"backbone": {"name": "resnet101"}, "epochs": 1, "batch_size": 4}
    config = SegmenterConfig.model_validate(content | {"head": "deeplabv3"})
    check_segmenter(config, init=None, gpus=0)
    check_segmenter(config, init=None, gpus=2)
    with pytest.raises(UserError, match="batch_size is 4; expected at least 2 images for each of"):
        check_segmenter(config, init=None, gpus=3)
    check_segmenter(SegmenterConfig.model_validate(content), init=None, gpus=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop_size": 31}, "crop_size"),
        ({"scale": (1.5, 0.5)}, "expected 0 < lowest <= highest"),
        ({"scale": (0, 1)}, r"scale\.0\n  Input should be greater than or equal to 0\.05"),
        ({"epochs": 0}, "epochs is 0; expected at least 1 unless init is a weights file"),
        ({"rates": ()}, "rates"),
        ({"rate": (6,)}, "rate"),
        ({"multi_scale": (1.0,)}, "multi_scale"),
        ({"head": "fov"}, "'aspp', 'large_fov' or 'deeplabv3'"),
        ({"head": "large_fov"}, r"rates is \[6, 12, 18, 24\]; expected one dilation for large_fov"),
        ({"head": "deeplabv3", "batch_size": 1}, "batch_size is 1; expected at least 2"),
        ({"init": "coco"}, "head is 'aspp'; expected 'deeplabv3', as init is 'coco'"),
        ({"init": "coco", "head": "deeplabv3"}, "extra_supervision is null; expected 'COCO masks'"),
    ],
)
def test_config_names_a_bad_value(change, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _config(**change)


def test_metadata_rebuilds_the_config() -> None:
    config = _config(color_jitter=ColorJitter(hue=0.2))
    metadata = segmenter_metadata(config, CLASSES)
    assert SegmenterConfig.model_validate(metadata["config"]) == config
    assert metadata["class_names"] == ["red", "green"]


def test_param_groups_are_all_parameters_once() -> None:
    backbone = ResNet38d(width=1 / 32)
    model = SegmenterTraining(DeepLab(backbone, Aspp(backbone.channels[-1], 3, rates=(1,))))
    groups = model.param_groups()
    assert {id(p) for p in groups["head"]} == {id(p) for p in model.net.head.parameters()}
    together = [id(p) for group in groups.values() for p in group]
    assert sorted(together) == sorted(id(p) for p in model.parameters())


def _rates(network: DeepLab) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of each trained parameter, by name, as in config.yaml."""
    config = OptimConfig(lr=2.5e-4, head_lr_factor=10, bias_lr_factor=2, momentum=0.9)
    model = SegmenterTraining(network)
    optimizer = build_optimizer(model.param_groups(), config)
    names = {id(p): name for name, p in network.named_parameters()}
    return {
        names[id(p)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }


def test_rates_over_resnet38d() -> None:
    """Its BatchNorms and first layers are frozen, its convolutions have no biases."""
    backbone = ResNet38d(width=1 / 32)
    rates = _rates(DeepLab(backbone, LargeFov(backbone.channels[-1], 3, rate=12)))
    assert {name: rates.pop(name) for name in list(rates) if name.startswith("head.")} == {
        "head.fov.weight": (2.5e-3, 5e-4),
        "head.mix.weight": (2.5e-3, 5e-4),
        "head.classifier.weight": (2.5e-3, 5e-4),
        "head.classifier.bias": (5e-3, 0.0),
    }
    assert set(rates.values()) == {(2.5e-4, 5e-4)}
    assert all(re.fullmatch(r"backbone\.b[3-7](_\d)?\.conv_branch\w+\.weight", n) for n in rates)
    assert len(rates) == sum(p.requires_grad for p in backbone.parameters())


def test_rates_over_resnet101() -> None:
    """DeepLab-v2 as published: convolutions x1, the head's weights x10 and biases x20."""
    config = _config(backbone=BackboneConfig(name="resnet101", output_stride=8))
    rates = _rates(build_deeplab(config, num_classes=3))
    for index in range(4):
        assert rates.pop(f"head.branches.{index}.weight") == (2.5e-3, 5e-4)
        assert rates.pop(f"head.branches.{index}.bias") == (5e-3, 0.0)
    assert set(rates.values()) == {(2.5e-4, 5e-4)}
    assert len(rates) == 104  # 1 + 3 * 33 convolutions and 4 projections


def test_each_scale_has_a_loss_and_so_has_their_highest() -> None:
    torch.manual_seed(0)
    network = DeepLab(_Cells(), nn.Conv2d(8, 3, 1), scales=(0.75, 0.5))
    model = SegmenterTraining(network)
    mask = torch.randint(0, 3, (2, 64, 64), dtype=torch.uint8)
    losses = model({"image": torch.rand(2, 3, 64, 64), "mask": mask})
    assert model.loss_weights == {
        "cross_entropy": 1.0,
        "cross_entropy_0.75": 1.0,
        "cross_entropy_0.5": 1.0,
        "cross_entropy_max": 1.0,
    }
    assert losses.keys() == model.loss_weights.keys()
    assert len({round(loss.mean.item(), 6) for loss in losses.values()}) == 4


def test_losses_of_the_scales_by_hand() -> None:
    """Logits that are the same everywhere: class 0 is surest at full size, class 1 at half."""

    class Sizes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            value = [2.0, 0.0] if x.shape[-1] == 4 else [0.0, 2.0]
            return torch.tensor(value).view(1, 2, 1, 1).expand(1, 2, *x.shape[2:])

    model = SegmenterTraining(DeepLab(_Cells(), Sizes(), scales=(0.5,)))
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    mask[:, 0] = 255
    losses = model({"image": torch.rand(1, 3, 32, 32), "mask": mask})
    assert losses["cross_entropy"].mean.item() == pytest.approx(math.log(1 + math.exp(-2)))
    assert losses["cross_entropy_0.5"].mean.item() == pytest.approx(math.log(1 + math.exp(2)))
    assert losses["cross_entropy_max"].mean.item() == pytest.approx(math.log(2))


class _Cells(nn.Module):
    """A backbone of one convolution, stride 8."""

    geometry = FeatureGeometry((Cells(8, 3.5),))

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 8, stride=8)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [nn.functional.relu(self.conv(image))]


def test_network_learns_the_colours(dataset, labels, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = _config(
        epochs=20, batch_size=3, optim=OptimConfig(name="adamw", lr=3e-3, weight_decay=0)
    )
    history = train(
        SegmenterTraining(DeepLab(_Cells(), Aspp(8, 3, rates=(1,)))),
        SegmenterSamples(dataset, labels, config=config, fill=FILL),
        config=config,
        loss_weights={"cross_entropy": 1.0},
        seed=0,
        gpus=0,
        threads=1,
        work_dir=tmp_path / "work",
        checkpoint_minutes=10.0,
        log_every=10,
        key="",
        desc="Segmenter",
    )
    assert history[-1]["cross_entropy"] < 0.6 * history[0]["cross_entropy"]
