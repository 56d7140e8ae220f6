"""Tests of the preset `released`: losses and gradients against the released code's formulas.

The formulas are written out below as they are described for that code: 21 channels, including
background, from the classifier on; maps of the input's size; convolutions with fixed kernels. Of
the package, only the parameters are used.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor
from torch.utils.data import default_collate

from tests.config.test_experiment import PAPER, merged
from wsss_core.config.experiment import load_experiment, training_sections
from wsss_core.methods import smoothing
from wsss_core.methods.kinds import training_config
from wsss_core.models.boundary_head import BoundaryHead
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.ops.present import present_pairs
from wsss_core.stages.train_classifier import start_classifier

PRESET = yaml.safe_load((Path(__file__).parents[2] / "configs/presets/released.yaml").read_text())
NUM_CLASSES = 5
SIDE = 96  # 0.3 of it is 28.8, which the released code rounds down
LOSSES = ("classification", "adaptive_min", "er", "ecr", "boundary", "smoothness")


class _Narrow(ResNet38d):
    def __init__(self) -> None:
        super().__init__(width=1 / 8)  # narrower ones: see broken_gradients.py


def training(**branch) -> smoothing.Training:
    """sb of the preset on a narrow ResNet38d, in evaluation mode for want of dropout."""
    experiment = load_experiment(merged(merged(PAPER, PRESET), {"preset": "released"}))
    sections = training_sections(experiment, "sb")
    sections["classifier"]["backbone"]["weights"] = None
    sections["method"]["smoothing"] |= branch
    sections["method"]["pcm_channels"] = (4, 8)
    torch.manual_seed(0)
    return start_classifier(training_config(sections), NUM_CLASSES).eval()


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr("wsss_core.models.backbone.ResNet38d", _Narrow)


def batch(model: smoothing.Training) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(2, 3, 12, 12, generator=generator)
    image = F.interpolate(coarse, (SIDE, SIDE), mode="bicubic").clamp(0, 1)
    label = torch.tensor([[1.0, 0, 1, 0, 0], [0.0, 0, 0, 1, 0]])
    soft = F.interpolate(torch.rand(2, NUM_CLASSES + 1, 9, 9, generator=generator), (SIDE, SIDE))
    boundary = (soft - 0.6).relu() * F.pad(label, (1, 0), value=1)[:, :, None, None]
    found = {"image": image, "label": label, "boundary": boundary, "present": present_pairs(label)}
    return found | default_collate([model.of_image(x) for x in image])


# The released code's formulas


def up(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def max_norm(x: Tensor) -> Tensor:
    x = x.relu()
    flat = x.flatten(2)
    low, high = flat.min(-1).values[..., None, None], flat.max(-1).values[..., None, None]
    return (x - low - 1e-5).relu() / (high - low + 1e-5)


def one_hot_max(x: Tensor) -> Tensor:
    x = x.detach().clone()
    classes = x[:, 1:]
    classes[classes != classes.max(1, keepdim=True).values] = 0
    return x


def see(model: smoothing.Training, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Raw CAM, refined CAM and boundary logits of a normalised image, all of its size."""
    net, size = model.net, x.shape[-2:]
    features = net.backbone.network(x)
    raw = F.conv2d(features[6], net.classifier.weight)
    with torch.no_grad():
        cam = raw.relu()
        cam = (cam - 1e-5).relu() / (cam.flatten(2).max(-1).values[..., None, None] + 1e-5)
        cam[:, 0] = 1 - cam[:, 1:].max(1).values
        classes = cam[:, 1:]
        classes[classes < classes.max(1, keepdim=True).values] = 0
    pcm = net.pcm
    parts = [
        up(x, cam.shape[-2:]),
        F.conv2d(features[3].detach(), pcm.reduce[0].weight).relu(),
        F.conv2d(features[4].detach(), pcm.reduce[1].weight).relu(),
    ]
    f = F.conv2d(torch.cat(parts, 1), pcm.embed.weight).flatten(2)
    f = f / (f.norm(dim=1, keepdim=True) + 1e-5)
    affinity = (f.transpose(1, 2) @ f).relu()
    affinity = affinity / (affinity.sum(1, keepdim=True) + 1e-5)
    refined = (cam.flatten(2) @ affinity).view(cam.shape)
    return up(raw, size), up(refined, size), see_boundary(model.branch.head, x, features)


def see_boundary(head: BoundaryHead, x: Tensor, features: list[Tensor]) -> Tensor:
    def conv(y, layer):
        return F.conv2d(y, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)

    maps = []
    for reduce, number in zip(head.reduce, (1, 3, 5, 6), strict=True):
        y = conv(conv(features[number - 1], reduce[0]).relu(), reduce[2]).relu()
        maps.append(up(y, x.shape[-2:]))
    joint = torch.cat(maps, 1)
    block, last = head.predict
    y = conv(conv(joint, block.body[0]).relu(), block.body[2])
    attention = y.mean((2, 3), keepdim=True)
    attention = conv(conv(attention, block.attention[1]).relu(), block.attention[3])
    boundary = conv(y + attention + joint, last)
    edges = []
    for image in x.permute(0, 2, 3, 1).numpy():
        wrapped = np.trunc(image).astype(np.int64) % 256
        edges.append(cv2.Canny(wrapped.astype(np.uint8), 10, 100).astype(np.float32))
    edges = torch.from_numpy(np.stack(edges))[:, None].expand_as(boundary)
    return F.conv2d(torch.cat([boundary, edges], 1), head.fuse.weight)


def roughness(prob: Tensor, boundary: Tensor, present: Tensor) -> Tensor:
    channels = prob.shape[1]

    def filtered(kernel: list[list[float]]) -> Tensor:
        weight = torch.tensor(kernel).expand(channels, 1, 3, 3)
        return F.conv2d(prob, weight, padding=1, groups=channels)

    def psi(x: Tensor) -> Tensor:
        return (x.abs().mul(torch.exp(-10 * boundary)) ** 2 + 0.001**2) ** 0.5

    horizontal = filtered([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    vertical = filtered([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]])
    curvature = filtered([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    first = ((psi(horizontal) + psi(vertical)) * present).mean()
    return 10 * first + (psi(curvature) * present).mean()


def released_losses(model: smoothing.Training, given: dict[str, Tensor]) -> dict[str, Tensor]:
    mean, std = (torch.tensor(x)[:, None, None] for x in (ResNet38d.mean, ResNet38d.std))
    present = F.pad(given["label"], (1, 0), value=1)[:, :, None, None]
    image = (given["image"] - mean) / std
    small = F.interpolate(image, scale_factor=0.3, mode="bilinear", align_corners=True)
    maps = F.interpolate(given["boundary"], scale_factor=0.3, mode="bilinear", align_corners=True)
    size = small.shape[-2:]
    terms: dict[str, list[Tensor]] = {name: [] for name in LOSSES}
    cams, refined_cams = [], []
    for x, boundary in ((image, given["boundary"]), (small, maps)):
        cam, refined, logits = see(model, x)
        terms["boundary"].append(F.binary_cross_entropy(logits.sigmoid(), boundary * present))
        terms["smoothness"].append(roughness(cam.sigmoid(), boundary, present))
        score = cam.mean((2, 3))[:, 1:]
        terms["classification"].append(F.multilabel_soft_margin_loss(score, given["label"]))
        strongest = (refined * present)[:, 1:].max(1).values.flatten(1)
        quarter = strongest.shape[1] // 4
        terms["adaptive_min"].append(strongest.topk(quarter, largest=False).values.relu().mean())
        cams.append(up(max_norm(cam), size) * present)
        refined_cams.append(up(max_norm(refined), size) * present)
    losses = {name: sum(values) / 2 for name, values in terms.items()}
    losses["er"] = (cams[0][:, 1:] - cams[1][:, 1:]).abs().mean()
    for cam in cams:
        cam[:, 0] = 1 - cam[:, 1:].max(1).values
    count = int((NUM_CLASSES + 1) * size[0] * size[1] * 0.2)
    losses["ecr"] = sum(
        (one_hot_max(target) - refined).abs().flatten(1).topk(count).values.mean()
        for refined, target in zip(refined_cams, reversed(cams), strict=True)
    )
    return losses


def gradients(model: smoothing.Training, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward(retain_graph=True)
    return {
        name: p.grad.clone()
        for name, p in model.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_are_those_of_the_released_code(name: str) -> None:
    model = training()
    given = batch(model)
    ours, theirs = model(given)[name], released_losses(model, given)[name]
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    found, expected = gradients(model, ours), gradients(model, theirs)
    assert set(found) == set(expected)
    for parameter, gradient in expected.items():
        error = (found[parameter] - gradient).norm() / gradient.norm()
        assert error < 1e-5, parameter


def test_weights_of_the_losses() -> None:
    seam = dict.fromkeys(("classification", "adaptive_min", "er", "ecr"), 1.0)
    assert training().loss_weights == seam | {"boundary": 0.01, "smoothness": 1.0}


def test_only_the_smoothness_trains_the_background() -> None:
    """Row 0 of fc8; the others get their gradient from classification and ER too."""
    model = training()
    losses = model(batch(model))
    for name in LOSSES:
        gradient = gradients(model, losses[name]).get("seam.net.classifier.weight")
        reached = set() if gradient is None else set(gradient.abs().sum((1, 2, 3)).nonzero()[:, 0])
        rows = {int(row) for row in reached}
        assert (0 in rows) == (name == "smoothness"), name
        assert bool(rows - {0}) == (name in ("classification", "er", "smoothness")), name


def test_the_first_blocks_do_not_learn_from_f1() -> None:
    """F_1 is of a frozen layer: the boundary loss reaches the backbone by the other three."""
    model = training(features=(1,))
    reached = gradients(model, model(batch(model))["boundary"])
    assert reached and all(name.startswith("branch.") for name in reached)


def test_the_branch_learns_like_pretrained_layers() -> None:
    model = training()
    groups, branch = model.param_groups(), {id(p) for p in model.branch.head.parameters()}
    assert branch <= {id(p) for p in groups["backbone"]}
    new = [*model.net.classifier.parameters(), *model.net.pcm.parameters()]
    assert [id(p) for p in groups["head"]] == [id(p) for p in new]
