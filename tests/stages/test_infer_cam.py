"""Tests that CAM inference sums scales and mirror images at the right positions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.cam import CamConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.data.image_pyramid import ImagePyramid
from wsss_core.models.backbone import build_backbone
from wsss_core.models.cam_net import CamNet
from wsss_core.models.seam import SeamNet
from wsss_core.stages.infer_cam import infer_cams, merge_scales


def _net(kind: str, num_classes: int, *, is_cornered: bool = False) -> CamNet:
    torch.manual_seed(0)
    backbone = tiny_backbone(is_cornered=is_cornered)
    if kind == "cam":
        return CamNet(backbone, num_classes, dropout=0.5).eval()
    config = dict(pcm_features=(1, 2), pcm_channels=(5, 7))
    return SeamNet(backbone, num_classes, dropout=0.5, **config).eval()


@pytest.fixture(params=["cam", "seam"])
def net(request) -> CamNet:
    return _net(request.param, 3)


def _pyramid(sizes: list[tuple[int, int]], *, flip: bool) -> ImagePyramid:
    """An image whose size is the first one, with other noise at every scale."""
    generator = torch.Generator().manual_seed(0)
    scaled = []
    for height, width in sizes:
        image = torch.rand(1, 3, height, width, generator=generator)
        scaled.append(torch.cat([image, image.flip(-1)]) if flip else image)
    return ImagePyramid("x", sizes[0], scaled)


def _read(cells: np.ndarray, y: float, x: float) -> np.ndarray:
    """Bilinear value of [K, h, w] at (y, x), in cells; outside counts as the nearest cell."""
    y, x = min(max(y, 0), cells.shape[1] - 1), min(max(x, 0), cells.shape[2] - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, cells.shape[1] - 1), min(left + 1, cells.shape[2] - 1)
    above = cells[:, top, left] + (x - left) * (cells[:, top, right] - cells[:, top, left])
    below = cells[:, bottom, left] + (x - left) * (cells[:, bottom, right] - cells[:, bottom, left])
    return above + (y - top) * (below - above)


def _sum_plainly(net: CamNet, pyramid: ImagePyramid) -> np.ndarray:
    """View by view and pixel by pixel: the cell that covers the pixel's centre, interpolated."""
    height, width = pyramid.size
    total = np.zeros((3, height, width))
    for views in pyramid.scaled:
        for view, mirrored in zip(views, (False, True), strict=False):
            cells = net.infer(view[None])[0].numpy()
            for y in range(height):
                for x in range(width):
                    column = width - 1 - x if mirrored else x
                    scaled_y = (y + 0.5) * view.shape[1] / height
                    scaled_x = (column + 0.5) * view.shape[2] / width
                    total[:, y, x] += _read(cells, scaled_y / 8 - 0.5, scaled_x / 8 - 0.5)
    return total


@pytest.mark.parametrize("flip", [False, True])
def test_the_sum_is_that_over_scales_and_mirror_images(net, flip):
    pyramid = _pyramid([(21, 26), (10, 13), (32, 39)], flip=flip)
    summed = merge_scales(net, pyramid, [0, 1, 2])
    assert summed.shape == (3, 21, 26)
    assert summed.min() >= 0
    np.testing.assert_allclose(summed.numpy(), _sum_plainly(net, pyramid), atol=1e-4)


@pytest.mark.parametrize("kind", ["cam", "seam"])
def test_maps_of_resnet38d_are_enlarged_as_in_the_released_code(kind):
    """First to the scaled image, corners on corners, then to the image's size."""
    net = _net(kind, 3, is_cornered=True)
    pyramid = _pyramid([(21, 26), (10, 13), (32, 39)], flip=True)
    expected = torch.zeros(3, 21, 26)
    for views in pyramid.scaled:
        for view, mirrored in zip(views, (False, True), strict=True):
            cam = net.infer(view[None])
            cam = F.interpolate(cam, view.shape[1:], mode="bilinear", align_corners=True)
            cam = F.interpolate(cam, (21, 26), mode="bilinear", align_corners=False)[0]
            expected += cam.flip(-1) if mirrored else cam
    torch.testing.assert_close(merge_scales(net, pyramid, [0, 1, 2]), expected)


def test_raw_cams_are_those_before_the_refinement():
    """Those that a plain classifier of the same weights has."""
    seam, cam = _net("seam", 3), _net("cam", 3)
    cam.load_state_dict(
        {name: x for name, x in seam.state_dict().items() if not name.startswith("pcm.")}
    )
    pyramid = _pyramid([(21, 26), (10, 13)], flip=True)
    raw = merge_scales(seam, pyramid, [0, 2], refined=False)
    assert torch.equal(raw, merge_scales(cam, pyramid, [0, 2]))
    assert torch.equal(raw, merge_scales(cam, pyramid, [0, 2], refined=False))
    assert not torch.allclose(raw, merge_scales(seam, pyramid, [0, 2]))


def test_classes_are_chosen_by_their_channels(net):
    pyramid = _pyramid([(16, 24), (24, 36)], flip=True)
    summed = merge_scales(net, pyramid, [0, 1, 2])
    assert torch.equal(merge_scales(net, pyramid, [2, 0]), summed[[2, 0]])
    assert merge_scales(net, pyramid, []).shape == (0, 16, 24)


def test_the_cam_of_the_mirror_image_is_the_mirror_image_of_the_cam(net):
    """Even where the cells do not fit the image, since each view comes with its mirror image."""
    pyramid = _pyramid([(21, 26), (10, 13)], flip=True)
    mirrored = pyramid._replace(scaled=[views.flip(-1) for views in pyramid.scaled])
    cam = merge_scales(net, pyramid, [0, 1, 2])
    assert cam.amax() > 0
    torch.testing.assert_close(merge_scales(net, mirrored, [0, 1, 2]), cam.flip(-1))


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "convnext_atto"])
def test_flipping_an_image_flips_the_cam_of_real_networks(name):
    torch.manual_seed(0)
    backbone = build_backbone(BackboneConfig(name=name, output_stride=16))
    config = dict(pcm_features=(3, 4), pcm_channels=(8, 8))
    net = SeamNet(backbone, 3, dropout=0.5, **config).eval()
    pyramid = _pyramid([(53, 70), (27, 35)], flip=True)
    mirrored = pyramid._replace(scaled=[views.flip(-1) for views in pyramid.scaled])
    cam, other = (merge_scales(net, views, [0, 1, 2]) for views in (pyramid, mirrored))
    assert cam.std() > 0.01
    assert (cam.flip(-1) - other).abs().mean() < 1e-5


def test_moving_an_image_by_a_cell_moves_its_cam():
    """On a ground of the mean colour, which is what lies around images."""
    net = _net("cam", 3)
    image = torch.full((1, 3, 64, 80), 0.5)
    image[..., 16:40, 24:56] = torch.rand(3, 24, 32)
    moved = image.roll((8, 16), dims=(-2, -1))
    cam, other = (
        merge_scales(net, ImagePyramid("x", (64, 80), [views]), [0, 1, 2])
        for views in (image, moved)
    )
    assert (cam.roll((8, 16), dims=(-2, -1)) - other).abs().max() < 1e-5
    assert cam.std() > 0.01


@pytest.mark.parametrize("kind", ["cam", "seam"])
def test_an_image_gets_a_map_of_its_size_for_each_present_class(tiny_dataset, kind):
    dataset = open_dataset(tiny_dataset)
    ids = ["train_0", "train_3", "val_0"]
    config = CamConfig(scales=(0.5, 1.0), flip=True)
    cams = list(infer_cams(_net(kind, 2), dataset, ids, config=config))
    assert [(c.image_id, c.class_ids) for c in cams] == [
        ("train_0", (1, 2)),
        ("train_3", (2,)),
        ("val_0", (1,)),
    ]
    for image_id, class_ids, cam in cams:
        height, width = dataset.read_image(image_id).shape[:2]
        assert cam.shape == (len(class_ids), height, width)
        assert cam.dtype == np.float32
        assert cam.min() >= 0 and cam.max() <= 1


def test_a_class_that_responds_spans_the_whole_range(tiny_dataset):
    (image,) = infer_cams(
        _net("seam", 2), open_dataset(tiny_dataset), ["train_0"], config=CamConfig(scales=(1.0,))
    )
    np.testing.assert_array_equal(image.cam.min((1, 2)), 0)
    np.testing.assert_allclose(image.cam.max((1, 2)), 1, atol=1e-3)


def test_an_image_without_a_label_gets_no_map(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    labels = dataset.labels | {"train_1": np.zeros(2, dtype=np.uint8)}
    dataset = replace(dataset, labels=labels)
    cams = list(infer_cams(_net("cam", 2), dataset, ["train_1", "train_2"], config=CamConfig()))
    assert [(c.image_id, c.class_ids) for c in cams] == [("train_1", ()), ("train_2", (1,))]
    assert cams[0].cam.shape == (0, 48, 41)
    assert cams[1].cam.shape == (1, 48, 42)
