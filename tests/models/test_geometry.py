"""Tests of the positions of feature cells: declared, measured, and for a known pattern."""

import copy
from functools import cache

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_core.config.backbone import BackboneConfig
from wsss_core.models.backbone import build_backbone
from wsss_core.models.cell_positions import Cells, locate_cells
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.ops.grid import pixels, resample

SLOW = pytest.mark.slow
# Name, output stride, and how many pixels may be missed: none of these, but for networks whose
# shortcuts lie half a cell beside the branches that they are added to.
FAMILIES = [
    ("tf_efficientnet_lite0", 16, 0.5),  # pads like TensorFlow
    ("resnet18", 8, 0.5),
    ("convnext_atto", 8, 0.5),  # joins patches
    ("regnety_002", 16, 0.5),  # squeezes and excites
    pytest.param("tf_efficientnet_lite0", 8, 0.5, marks=SLOW),
    pytest.param("efficientnet_lite0", 16, 0.5, marks=SLOW),
    pytest.param("convnext_atto", 32, 0.5, marks=SLOW),
    pytest.param("mobilenetv3_small_050", 16, 0.5, marks=SLOW),
    pytest.param("resnet50d", 16, 1.0, marks=SLOW),
    pytest.param("test_byobnet", 16, 1.0, marks=SLOW),
]
families = pytest.mark.parametrize(("name", "output_stride", "missed"), FAMILIES)
HEIGHT, WIDTH = 64, 1024
GATES = {"semodule", "squeezeexcite", "effectivesemodule", "globalresponsenorm"}


def averaging(network: nn.Module) -> nn.Module:
    """A copy in which each layer takes means: what is left is where it takes them.

    Norms, activations, gates and what looks at the whole map are gone; maxima became means.
    """
    network = copy.deepcopy(network).double().eval()
    for name, module in list(network.named_modules()):
        kind = type(module).__name__.lower()
        if isinstance(module, nn.MaxPool2d):
            other = nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
            network.set_submodule(name, other)
        elif kind in GATES or "activation" in type(module).__module__:
            network.set_submodule(name, nn.Identity())
        elif "norm" in kind and "conv" not in kind:
            network.set_submodule(name, nn.Identity())
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            nn.init.constant_(parameter, 1.0 if "gamma" in name else 0.0)
        else:
            nn.init.constant_(parameter, 1 / parameter[0].numel())
    return network


def measure(network: nn.Module) -> list[Cells]:
    """The centres of what two neighbouring cells of each map depend on, in the middle."""
    image = torch.ones(1, 3, HEIGHT, WIDTH, dtype=torch.double, requires_grad=True)
    measured = []
    for feature in averaging(network)(image):
        middle = feature.shape[-1] // 2
        first, second = (_centre(feature[..., middle + i].sum(), image) for i in (0, 1))
        stride = second - first
        measured.append(Cells(stride, first - stride * middle))
    return measured


def _centre(value: Tensor, image: Tensor) -> float:
    (gradient,) = torch.autograd.grad(value, image, retain_graph=True)
    profile = gradient.sum((0, 1, 2))
    return float((profile * torch.arange(WIDTH)).sum() / profile.sum())


@cache
def network_of(name: str, output_stride: int) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, features_only=True, output_stride=output_stride)
    return network.eval()


@families
def test_the_grid_that_is_claimed_is_the_one_that_is_measured(name, output_stride, missed):
    network = network_of(name, output_stride)
    for claimed, measured in zip(locate_cells(network), measure(network), strict=True):
        assert claimed.stride == pytest.approx(measured.stride, abs=0.1)
        assert claimed.offset == pytest.approx(measured.offset, abs=missed)


@families
@torch.no_grad()
def test_a_scene_stays_where_it_is(name, output_stride, missed):
    """Of an image that shows how far right each pixel lies, each map shows it in pixels again."""
    painter = build_backbone(BackboneConfig(name=name, output_stride=output_stride)).double()
    painter.network = averaging(network_of(name, output_stride))
    painter.mean.zero_()
    painter.std.fill_(1)
    size = (HEIGHT, WIDTH)
    ramp = torch.arange(float(WIDTH), dtype=torch.double).expand(1, 3, HEIGHT, WIDTH)
    maps = zip(painter(ramp), painter(torch.ones_like(ramp)), strict=True)
    inner = slice(WIDTH // 3, 2 * WIDTH // 3)  # far from the border, which is zero to the network
    for stage, (shown, total) in enumerate(maps, start=1):
        scene = resample((shown / total)[:, :1], painter.geometry.grid(stage, size), pixels(size))
        assert (scene - ramp[:, :1])[..., inner].abs().max() <= missed


def test_cells_are_found_in_inference_mode():
    """As where a trained network is loaded."""
    with torch.inference_mode():
        network = timm.create_model("resnet18", features_only=True, output_stride=8).eval()
        assert locate_cells(network) == [Cells(stride, 0) for stride in (2, 4, 8, 8, 8)]


def test_the_cells_of_resnet38d():
    network = ResNet38d(width=1 / 64).eval()
    assert locate_cells(network) == [Cells(stride, 0) for stride in network.strides]


@families
@pytest.mark.usefixtures("missed")
def test_a_backbone_has_the_cells_of_its_network(name, output_stride):
    """Before it is simplified, behind its margin; as many cells as cover the image."""
    backbone = build_backbone(BackboneConfig(name=name, output_stride=output_stride)).eval()
    for cells, own in zip(
        backbone.geometry.cells, locate_cells(network_of(name, output_stride)), strict=True
    ):
        margin = backbone.geometry.margin
        assert cells == (own.stride, own.offset + own.stride * (margin // own.stride) - margin)
    features = backbone(torch.rand(1, 3, 50, 71))
    for stage, feature in enumerate(features, start=1):
        assert feature.shape[2:] == backbone.geometry.grid(stage, (50, 71)).size


@pytest.mark.parametrize(
    ("last", "margin", "centred"),
    [
        (Cells(16, 15), 8, Cells(16, 7)),  # pads like TensorFlow
        (Cells(8, 7), 4, Cells(8, 3)),
        (Cells(16, 7.5), 0, Cells(16, 7.5)),  # joins patches
        (Cells(8, 0), 0, Cells(8, 0)),  # pads alike on both sides
    ],
)
def test_a_margin_centres_the_cells_of_the_last_map(last, margin, centred):
    """As much is left before the first cell as behind the last one, to a pixel."""
    assert FeatureGeometry.centred([last]) == FeatureGeometry((centred,), margin=margin)


def test_cells_that_lie_in_the_margin_are_left_out():
    """With a margin of 8, cells at -7, -5, -3, -1, 1 ... are those at 1 ..."""
    geometry = FeatureGeometry.centred([Cells(2, 1), Cells(8, 5), Cells(16, 15)])
    assert geometry == FeatureGeometry((Cells(2, 1), Cells(8, 5), Cells(16, 7)), margin=8)


@families
@pytest.mark.usefixtures("missed")
def test_every_pixel_of_an_image_is_seen(name, output_stride):
    backbone = build_backbone(BackboneConfig(name=name, output_stride=output_stride)).double()
    backbone.network = averaging(network_of(name, output_stride))
    image = torch.rand(1, 3, 64, 64, dtype=torch.double, requires_grad=True)
    (gradient,) = torch.autograd.grad(backbone(image)[-1].sum(), image)
    assert (gradient.abs().sum(1) > 0).all()


def test_maps_are_spread_by_way_of_pixels_where_they_reach_to_the_corners():
    """A map of two cells over five pixels: quarters of the way; then two values for each."""
    geometry = FeatureGeometry((Cells(4, 0),), is_cornered=True)
    maps = torch.tensor([[[[0.0, 4.0]]]])
    assert geometry.spread(maps, (1, 5), (1, 5)).flatten().tolist() == [0, 1, 2, 3, 4]
    assert geometry.spread(maps, (1, 5), (1, 10)).flatten().tolist() == pytest.approx(
        [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4]
    )
    free = FeatureGeometry((Cells(4, 1.5),))
    assert free.spread(maps, (1, 8), (1, 8)).flatten().tolist() == [0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]
    assert free.spread(maps, (1, 8), (1, 2)).flatten().tolist() == [0, 4]


@pytest.mark.parametrize("is_cornered", [False, True])
def test_a_copy_of_an_image_is_resized_as_torch_does(is_cornered):
    image = torch.rand(1, 3, 20, 30)
    geometry = FeatureGeometry((Cells(4, 1.5),), is_cornered=is_cornered)
    found = geometry.resize(image, (6, 9))
    expected = F.interpolate(image, (6, 9), mode="bilinear", align_corners=is_cornered)
    assert torch.equal(found, expected)
