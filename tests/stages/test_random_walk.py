"""Tests of pseudo labels by random walk: one image by hand, and the program."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.random_walk import RandomWalkConfig
from wsss_core.data.images import read_mask
from wsss_core.data.score_maps import ScoreRecord, ScoreWriter
from wsss_core.data.weights import save_weights
from wsss_core.models.affinity_net import AffinityNet, build_affinity_net
from wsss_core.models.backbone import Backbone
from wsss_core.models.cell_positions import Cells
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.runtime.errors import UserError
from wsss_core.stages.random_walk import load_affinity_net, pseudo_label
from wsss_core.stages.train_affinity import affinity_metadata

REPOSITORY = Path(__file__).parents[2]
CLASSES = ("cat", "dog", "cow")
NET_CONFIG = AffinityConfig.model_validate(
    {
        "backbone": {"name": "tf_efficientnet_lite0", "output_stride": 16},
        "features": [3, 5],
        "channels": [4, 8],
        "epochs": 1,
    }
)


class Colours(nn.Module):
    """The mean colour of each 4 x 4 cell, strongly scaled: edges only within one colour."""

    def forward(self, x):
        return [100 * nn.functional.avg_pool2d(x, 4)]


def colour_net(radius=3):
    backbone = Backbone(
        Colours(),
        channels=(3,),
        geometry=FeatureGeometry((Cells(4, 1.5),)),
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        multiple=4,
    )
    net = AffinityNet(backbone, stages=(1,), channels=(3,), radius=radius)
    net.reduce[0].weight.data.copy_(torch.eye(3)[:, :, None, None])
    net.mix.weight.data.copy_(torch.eye(3)[:, :, None, None])
    return net.eval()


@pytest.fixture
def square():
    """A bright rectangle on dark ground, 8 x 10 cells, with a CAM on its inner 6 x 8 only.

    The walk spreads the mean: 0.6 for the class, 0.4 for background. Sides are no multiples of 4.
    """
    image = torch.zeros(1, 3, 62, 79)
    image[..., 16:48, 20:60] = 1
    cam = np.zeros((1, 62, 79), dtype=np.float32)
    cam[0, 20:44, 24:56] = 1
    return image, ScoreRecord((2,), cam)


def expected_square():
    mask = np.zeros((62, 79), dtype=np.uint8)
    mask[16:48, 20:60] = 2
    return mask


@pytest.mark.parametrize("border", ["psa", "full"])
def test_a_cam_fills_its_object(square, border):
    config = RandomWalkConfig(alpha=6, beta=8, log2_steps=6, border=border)
    label = pseudo_label(colour_net(), *square, config)
    assert label.dtype == np.uint8
    assert label.shape == (62, 79)
    assert set(np.unique(label)) == {0, 2}
    assert (label == expected_square()).mean() > 0.93  # bilinear enlargement rounds its corners


def test_background_alpha_decides(square):
    image, cam = square
    faint = ScoreRecord((2,), np.full_like(cam.scores, 0.2))  # 0.8 ** 6 = 0.26, 0.8 ** 9 = 0.13
    assert (pseudo_label(colour_net(), image, faint, RandomWalkConfig(alpha=6)) == 0).all()
    assert (pseudo_label(colour_net(), image, faint, RandomWalkConfig(alpha=9)) == 2).all()


def test_border_rule():
    """With psa's rule no edge starts in the outer columns, which cuts off the first row's ends."""
    image = torch.zeros(1, 3, 64, 64)
    cam = np.zeros((1, 64, 64), dtype=np.float32)
    cam[0, :4, :8] = 1
    config = {"log2_steps": 8, "alpha": 100}
    full, psa = (
        pseudo_label(
            colour_net(),
            image,
            ScoreRecord((1,), cam),
            RandomWalkConfig.model_validate(config | {"border": border}),
        )
        for border in ("full", "psa")
    )
    assert (full == 0).all()
    assert (psa[:3, :6] == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (17, 9)])
@pytest.mark.parametrize("border", ["psa", "full"])
def test_tiny_images(size, border):
    cam = ScoreRecord((3,), np.ones((1, *size), dtype=np.float32))
    label = pseudo_label(
        colour_net(), torch.rand(1, 3, *size), cam, RandomWalkConfig(border=border)
    )
    assert label.shape == size
    assert (label == 3).all()


def test_cells_that_the_edge_cuts_are_filled_with_the_colour_that_is_zero():
    """As in infer_aff.py, which pads the normalised image to a multiple of its stride."""
    net, seen = colour_net(), []
    net.backbone.mean.copy_(torch.tensor([0.1, 0.2, 0.3]))
    net.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.rand(1, 3, 62, 79)
    cam = ScoreRecord((2,), np.ones((1, 62, 79), dtype=np.float32))
    pseudo_label(net, image, cam, RandomWalkConfig())
    assert seen[0].shape == (1, 3, 64, 80)
    torch.testing.assert_close(seen[0][..., :62, :79], image)
    normalized = net.backbone.normalize(seen[0])
    assert normalized[..., 62:, :].count_nonzero() == normalized[..., 79:].count_nonzero() == 0


def test_without_classes_all_is_background():
    cam = ScoreRecord((), np.zeros((0, 9, 7), dtype=np.float32))
    label = pseudo_label(colour_net(), torch.rand(1, 3, 9, 7), cam, RandomWalkConfig())
    assert label.shape == (9, 7)
    assert not label.any()


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    net = build_affinity_net(NET_CONFIG)
    save_weights(tmp_path / "weights.pt", net.state_dict(), affinity_metadata(NET_CONFIG, CLASSES))
    return tmp_path / "weights.pt"


def test_a_net_is_rebuilt_from_its_weights_file(weights):
    torch.manual_seed(0)
    original = build_affinity_net(NET_CONFIG).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(load_affinity_net(weights, CLASSES)(image), original(image))


def test_weights_of_another_network_or_other_classes(weights, tmp_path):
    with pytest.raises(UserError, match="trained on the classes cat, dog, cow"):
        load_affinity_net(weights, ("cat",))
    save_weights(tmp_path / "other.pt", {"weight": torch.zeros(1)}, {"network": "deeplab"})
    with pytest.raises(UserError, match=r"other\.pt: weights of 'deeplab', expected 'affinity'"):
        load_affinity_net(tmp_path / "other.pt", CLASSES)


def test_program(weights, tmp_path):
    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    (root / "classes.txt").write_text("\n".join(CLASSES))
    (root / "labels.csv").write_text("image,cat,dog,cow\nb,1,0,1\na,0,0,0\n")
    sizes = {"b": (40, 70), "a": (33, 20)}
    with ScoreWriter(tmp_path / "cams.npz", kind="cam", class_names=CLASSES) as writer:
        for image_id, class_ids in (("b", (1, 3)), ("a", ())):
            size = sizes[image_id]
            image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / f"images/{image_id}.png")
            cam = rng.uniform(0, 1, (len(class_ids), *size)).astype(np.float32)
            writer.write(image_id, class_ids, cam)
    output = tmp_path / "pseudo_labels"
    command = [sys.executable, "-m", "workflow_scripts.random_walk", "--dataset", root]
    command += ["--weights", weights, "--cams", tmp_path / "cams.npz", "--output", output]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2/2" in done.stderr
    masks = {path.stem: read_mask(path) for path in output.iterdir()}
    assert {image_id: mask.shape for image_id, mask in masks.items()} == sizes
    assert not masks["a"].any()
    assert set(np.unique(masks["b"])) <= {0, 1, 3}
