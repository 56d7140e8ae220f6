"""Tests of losses on the maps of present classes against the same losses on all maps."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.methods.test_kinds import losses_of, make_batch
from tests.methods.tiny_trainings import branch_config, seam_training
from wsss_core.losses.classification import classification_loss
from wsss_core.losses.seam import adaptive_min_loss, cross_refinement_loss, equivariance_loss
from wsss_core.losses.smoothness import smoothness_loss
from wsss_core.methods.smoothing import smoothness_operators
from wsss_core.ops.cam import add_background, normalize_cam
from wsss_core.ops.grid import even

LABELS = {
    "one and two classes": [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
    "all and none": [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]],
    "none": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
}


def losses_of_all_maps(training, batch) -> dict[str, Tensor]:
    """Resizes the maps of all classes, as the formulas are usually written."""
    base = getattr(training, "seam", training)
    geometry = training.net.backbone.geometry
    label, scales = batch["label"], base.at_scales(batch["image"])
    present = F.pad(label, (1, 0), value=1.0)[:, :, None, None]

    cams = [geometry.spread(s.output.cam_logits, s.size, s.size) for s in scales]
    refined = [geometry.spread(s.output.refined_cam, s.size, s.size) for s in scales]
    classification = [classification_loss(cam, label) for cam in cams]
    adaptive_min = [
        adaptive_min_loss((r[:, 1:] * label[:, :, None, None]).amax(1)) for r in refined
    ]
    common = scales[1].size
    cams = [geometry.resize(normalize_cam(cam), common) * present[:, 1:] for cam in cams]
    refined = [geometry.resize(normalize_cam(r), common) * present for r in refined]
    scores = [add_background(cam) for cam in cams]
    losses = {
        "classification": torch.stack(classification).mean(),
        "adaptive_min": torch.stack(adaptive_min).mean(),
        "er": equivariance_loss(*cams),
        "ecr": sum(
            cross_refinement_loss(r, s, top_fraction=0.2)
            for r, s in zip(refined, reversed(scores), strict=True)
        ),
    }
    if base is training:
        return losses
    branch, config = training.branch, training.branch.config
    smoothness = []
    for scale in scales:
        size = (scale.size[0] // config.stride, scale.size[1] // config.stride)
        logits = scale.output.cam_logits
        boundary = branch._boundary(batch, scale, even(scale.size, size))
        if branch.background:
            logits = torch.cat([scale.output.background_logits, logits], dim=1)
        smoothness.append(
            smoothness_loss(
                geometry.spread(logits, scale.size, size).sigmoid(),
                boundary[:, -logits.shape[1] :],
                present=present[:, -logits.shape[1] :, 0, 0],
                operators=smoothness_operators(config),
                without_boundary=config.without_boundary,
                edge_alpha=config.edge_alpha,
                num_classes=None if config.mean_over == "present" else 4,
            )
        )
    return losses | {"smoothness": torch.stack(smoothness).mean()}


def gradient(loss: Tensor, weights: list[Tensor]) -> Tensor:
    """Of all weights, one after the other."""
    parts = torch.autograd.grad(loss, weights, retain_graph=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("kind", ["seam", "all", "present", "background"])
def test_losses_and_gradients_are_those_of_all_maps(kind, label):
    branch = None
    if kind != "seam":
        branch = branch_config(mean_over="present" if kind == "present" else "all")
    training = seam_training(branch, dropout=0.0, background=kind == "background").eval()
    batch = make_batch(label=LABELS[label])
    found, expected = losses_of(training, batch), losses_of_all_maps(training, batch)
    weights = [p for p in training.parameters() if p.requires_grad]
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss, rtol=1e-6, atol=1e-9)
        if loss.requires_grad:
            ours, theirs = gradient(found[name], weights), gradient(loss, weights)
            assert (ours - theirs).norm() <= 1e-6 * theirs.norm(), name
