"""Tests of inference on images of one pixel, of one column, and of extreme aspect ratio."""

import pytest
import torch

from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.random_walk import RandomWalkConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.image_pyramid import ImagePyramid
from wsss_core.data.score_maps import ScoreRecord
from wsss_core.models.affinity_net import build_affinity_net
from wsss_core.models.backbone import build_backbone
from wsss_core.models.deeplab import build_deeplab
from wsss_core.models.seam import SeamNet
from wsss_core.stages.infer_cam import merge_scales
from wsss_core.stages.random_walk import pseudo_label
from wsss_core.stages.segment import segment_pyramid

pytestmark = pytest.mark.usefixtures("narrow_resnet38d")

RESNET38D = BackboneConfig(name="resnet38d")
RESNET18 = BackboneConfig(name="resnet18", output_stride=16)
RATES = {"aspp": (6, 12), "large_fov": (12,), "deeplabv3": (12, 24)}
SIZES = [(1, 1), (1, 130), (130, 1), (2, 67), (9, 8)]


def pyramid(height: int, width: int) -> ImagePyramid:
    """At half, its own and twice its size, with mirror images."""
    sizes = [(max(1, round(s * height)), max(1, round(s * width))) for s in (0.5, 1, 2)]
    return ImagePyramid("x", (height, width), [torch.rand(2, 3, *size) for size in sizes])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("backbone", [RESNET38D, RESNET18], ids=lambda config: config.name)
def test_cams(backbone, size):
    features = (4, 5) if backbone is RESNET38D else (3, 4)
    config = dict(pcm_features=features, pcm_channels=(4, 8))
    net = SeamNet(build_backbone(backbone), 3, dropout=0.5, **config).eval()
    cam = merge_scales(net, pyramid(*size), [0, 2])
    assert cam.shape == (2, *size)
    assert cam.isfinite().all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("border", ["psa", "full"])
def test_pseudo_labels(border, size):
    net = build_affinity_net(AffinityConfig(backbone=RESNET38D, epochs=1)).eval()
    cam = ScoreRecord((2, 5), torch.rand(2, *size).numpy())
    mask = pseudo_label(net, torch.rand(1, 3, *size), cam, RandomWalkConfig(border=border))
    assert mask.shape == size
    assert set(mask.flat) <= {0, 2, 5}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("backbone", "head"),
    [(RESNET38D, "large_fov"), (RESNET18, "aspp"), (RESNET18, "deeplabv3")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_segmentations(backbone, head, size):
    config = SegmenterConfig(backbone=backbone, head=head, rates=RATES[head], epochs=1)
    network = build_deeplab(config, num_classes=4).eval()
    segmentation = segment_pyramid(network, pyramid(*size))
    assert segmentation.mask.shape == size
    assert torch.from_numpy(segmentation.prob).isfinite().all()
