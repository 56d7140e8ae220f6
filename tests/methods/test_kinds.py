"""Tests of each kind of method: losses, their gradients and weights."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from tests.methods.tiny_trainings import branch_config, cam_training, seam_training
from wsss_core.config.canny import CannyConfig
from wsss_core.config.training import OptimConfig, TrainingConfig
from wsss_core.losses.smoothness import OPERATORS, smoothness_loss
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.ops.cam import share_of_maximum
from wsss_core.ops.canny import cast_canny_edges
from wsss_core.ops.grid import even, pick, pixels, within
from wsss_core.ops.present import present_pairs
from wsss_core.training.distributed import Part, losses_of_batch
from wsss_core.training.loop import train

RELEASED = OPERATORS["released"]
SEAM_LOSSES = {"classification", "adaptive_min", "er", "ecr"}
SMOOTHING_LOSSES = {"boundary", "smoothness", "foreground"}


def losses_of(training, batch):
    """As the only process's."""
    return losses_of_batch(training(batch), Part(0, 1, len(batch["label"])))


def make_batch(*, label: list[list[float]] | None = None) -> dict[str, Tensor]:
    """Two images of 48 x 48 noise; the first class lies at the upper left of both."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(2, 48, 48, dtype=torch.uint8)
    mask[:, :24, :20] = 1
    mask[:, 40:] = 255
    return {
        "image": torch.rand(2, 3, 48, 48, generator=generator),
        "label": (labels := torch.tensor(label or [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])),
        "present": present_pairs(labels),
        "mask": mask,
        "edges": (torch.rand(2, 1, 48, 48, generator=generator) < 0.1).float(),
    }


def _reached(training: nn.Module, loss: Tensor) -> set[str]:
    """The parts of a network that a loss trains."""
    training.zero_grad()
    loss.backward(retain_graph=True)
    learning = {
        name.removeprefix("seam.").removeprefix("net.")
        for name, p in training.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }
    return {name.split(".")[0] for name in learning}


def test_cam_has_one_loss_that_trains_the_whole_network() -> None:
    training = cam_training()
    batch = {name: x for name, x in make_batch().items() if name in ("image", "label")}
    losses = training(batch)
    assert set(losses) == set(training.loss_weights) == {"classification"}
    assert losses["classification"].isfinite() and losses["classification"].shape == ()
    losses["classification"].backward()
    assert all(p.grad.abs().sum() > 0 for p in training.parameters())


def test_the_losses_of_seam_need_images_and_labels_only() -> None:
    training = seam_training()
    given = ("image", "label", "present")
    losses = training({name: x for name, x in make_batch().items() if name in given})
    assert set(losses) == set(training.loss_weights) == SEAM_LOSSES
    assert all(loss.isfinite() and loss.shape == () and loss > 0 for loss in losses.values())
    assert set(training.loss_weights.values()) == {1.0}


@pytest.mark.parametrize("canny", [False, True])
@pytest.mark.parametrize("stride", [1, 4])
def test_a_smoothing_branch_adds_its_two_losses(canny: bool, stride: int) -> None:
    smoothing = branch_config(
        canny=canny, stride=stride, lambda_boundary=0.5, lambda_smoothness=2.0
    )
    training = seam_training(smoothing)
    losses = losses_of(training, make_batch())
    assert set(losses) == SEAM_LOSSES | SMOOTHING_LOSSES
    assert all(loss.isfinite() and loss.shape == () and loss > 0 for loss in losses.values())
    weights = dict.fromkeys(SEAM_LOSSES, 1.0) | {"boundary": 0.5, "smoothness": 2.0}
    assert training.loss_weights == weights


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {}),
        ({"operators": "text"}, {"operators": OPERATORS["text"]}),
        ({"padding": "replicate"}, {"operators": RELEASED._replace(padding="replicate")}),
        ({"order_weights": (3.0, 4.0)}, {"operators": RELEASED._replace(order_weights=(3.0, 4.0))}),
        ({"edge_alpha": 1.0}, {"edge_alpha": 1.0}),
        ({"mean_over": "present"}, {"num_classes": None}),
        ({"without_boundary": "smooth"}, {"without_boundary": "smooth"}),
        ({"score": "normalized"}, {}),
        ({"reference_size": 96}, {"pixel_size": (96 / 24, 96 / 12)}),
    ],
)
def test_a_choice_of_the_branch_reaches_the_smoothness_loss(change, expected) -> None:
    """The loss is what `smoothness_loss` gives with it, as a mean over both scales."""
    batch = make_batch()
    training = seam_training(branch_config(**change), dropout=0.0).eval()
    losses = []
    for index, scale in enumerate(training.seam.at_scales(batch["image"])):
        side = scale.size[0] // 2  # the stride
        geometry = training.net.backbone.geometry
        logits = geometry.spread(scale.output.cam_logits, scale.size, (side, side))
        grid = within(even(scale.size, (side, side)), geometry.copy((48, 48), scale.size))
        mask = pick(batch["mask"], pixels((48, 48)), grid)
        boundary = semantic_boundary(mask, num_classes=4, radius=1)[:, 1:]
        choices = {"num_classes": 4, "operators": RELEASED, "without_boundary": "leave"} | expected
        if "pixel_size" in choices:
            choices["pixel_size"] = choices["pixel_size"][index]
        present = batch["label"]
        score = share_of_maximum(logits) if "score" in change else logits.sigmoid()
        losses.append(smoothness_loss(score, boundary, present=present, **choices))
    found = losses_of(training, batch)["smoothness"]
    torch.testing.assert_close(found, torch.stack(losses).mean())


def test_a_wider_boundary_relaxes_more() -> None:
    narrow, wide = (
        seam_training(branch_config(boundary_radius=radius), dropout=0.0) for radius in (1, 2)
    )
    assert wide(make_batch())["smoothness"] < narrow(make_batch())["smoothness"]


@pytest.mark.parametrize("scale", [0.5, 0.33])
def test_sizes_are_rounded_down_as_in_the_reference(scale: float) -> None:
    """0.33 of 48 is 15.84."""
    training = seam_training(scale=scale)
    seen = []
    training.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-2:]))
    training(make_batch())
    small = nn.functional.interpolate(make_batch()["image"], scale_factor=scale)
    assert seen == [(48, 48), small.shape[-2:]]


def test_edges_of_the_network_s_input_take_no_files() -> None:
    """They are found of each image at each scale; and their value is the head's input."""
    batch = {name: x for name, x in make_batch().items() if name != "edges"}
    losses = []
    for value in (1.0, 255.0):
        canny = CannyConfig(input="normalized_cast", edge_value=value)
        training = seam_training(branch_config(stride=1, head="released"), dropout=0.0, canny=canny)
        edges = default_collate([training.of_image(image) for image in batch["image"]])
        for index, scale in enumerate(training.seam.at_scales(batch["image"])):
            normalized = training.net.backbone.normalize(scale.image).numpy()
            expected = cast_canny_edges(normalized, low=10, high=100)[:, None] / 255
            np.testing.assert_array_equal(edges[f"edges_{index}"].numpy(), expected)
        losses.append(training(batch | edges)["boundary"])
    assert losses[1] > 5 * losses[0]
    assert seam_training(branch_config()).of_image is None


def test_boundary_maps_stand_in_for_label_maps() -> None:
    """At the image's size, those of the label maps give the loss of the label maps."""
    batch = make_batch()
    maps = semantic_boundary(batch["mask"], num_classes=4, radius=1)
    results = []
    for resize in ("labels", "maps"):
        smoothing = branch_config(stride=1, boundary_resize=resize)
        training = seam_training(smoothing, scale=1.0, dropout=0.0)
        results.append(training(batch | {"boundary": maps}))
    for name in ("boundary", "smoothness"):
        # Maps may lie in another order in memory, and be summed in another.
        torch.testing.assert_close(results[0][name], results[1][name], rtol=1e-6, atol=0)


def test_a_background_of_its_own_is_smoothed_too() -> None:
    """Only by this loss; with no class present, it is the only one."""
    batch = make_batch(label=[[0.0] * 3] * 2)
    losses = [
        seam_training(branch_config(), dropout=0.0, background=background)(batch)
        for background in (False, True)
    ]
    assert losses[0]["smoothness"] == 0 and losses[1]["smoothness"] > 0


def test_the_branch_may_learn_like_the_backbone() -> None:
    for group, other in (("head", "backbone"), ("backbone", "head")):
        training = seam_training(branch_config(lr_group=group))
        groups = {name: {id(p) for p in params} for name, params in training.param_groups().items()}
        branch = {id(p) for p in training.branch.head.parameters()}
        assert branch <= groups[group] and not branch & groups[other]
        assert len(groups["head"] | groups["backbone"]) == len(list(training.parameters()))


def test_a_smoothing_branch_leaves_the_losses_of_seam_as_they_are() -> None:
    results = []
    for smoothing in (None, branch_config()):
        training = seam_training(smoothing)
        torch.manual_seed(1)
        results.append(training(make_batch()))
    for name in SEAM_LOSSES:
        assert torch.equal(results[0][name], results[1][name])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("classification", {"backbone", "classifier"}),
        ("er", {"backbone", "classifier"}),
        ("ecr", {"pcm"}),
        ("adaptive_min", {"pcm"}),
        ("boundary", {"backbone", "branch"}),
        ("smoothness", {"backbone", "classifier"}),
    ],
)
def test_a_loss_trains_its_parts_of_seam_and_no_other(name: str, parts: set[str]) -> None:
    training = seam_training(branch_config())
    assert _reached(training, training(make_batch())[name]) == parts


def test_all_losses_together_train_every_parameter() -> None:
    training = seam_training(branch_config())
    sum(losses_of(training, make_batch()).values()).backward()
    assert all(p.grad.abs().sum() > 0 for p in training.parameters())


def test_two_branches_that_see_the_same_agree() -> None:
    """At scale 1 and without dropout: no difference between them, and the loss of either."""
    training = seam_training(scale=1.0, dropout=0.0)
    batch = make_batch()
    losses = losses_of(training, batch)
    assert losses["er"] == 0
    cam_logits = training.net(batch["image"]).cam_logits
    resized = nn.functional.interpolate(cam_logits, (48, 48), mode="bilinear", align_corners=True)
    expected = nn.functional.multilabel_soft_margin_loss(resized.mean((2, 3)), batch["label"])
    torch.testing.assert_close(losses["classification"], expected)


def test_an_absent_class_has_no_part_in_the_smoothness() -> None:
    """Its CAM may be as rough as it likes; without any class there is nothing to smooth."""
    training = seam_training(branch_config(), dropout=0.0)
    label = [[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    before = training(make_batch(label=label))["smoothness"]
    with torch.no_grad():
        training.net.classifier.weight[1] *= 10
    torch.testing.assert_close(training(make_batch(label=label))["smoothness"], before)
    losses = losses_of(training, make_batch(label=[[0.0] * 3] * 2))
    assert losses["smoothness"] == 0
    assert all(loss.isfinite() for loss in losses.values())


class _BatchSamples:
    """The images of `_batch`, for a training of 30 steps."""

    image_ids = tuple(f"i{index}" for index in range(60))

    def __len__(self) -> int:
        return len(self.image_ids)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        return {name: tensor[index % 2] for name, tensor in make_batch().items()}


@pytest.mark.parametrize(("weight", "warnings"), [(1.0, 0), (1000.0, 1)])
def test_a_cam_that_collapses_under_its_smoothness_is_warned_of(
    tmp_path, capsys, weight: float, warnings: int
) -> None:
    smoothing = branch_config(
        lambda_smoothness=weight,
        padding="replicate",
        order_weights=(1, 10),
        reference_size=448,
    )
    training = seam_training(smoothing, dropout=0.0)
    with torch.no_grad():
        training.net.classifier.weight.mul_(20)  # as if it had learnt something
    train(
        training,
        _BatchSamples(),
        config=TrainingConfig(epochs=1, batch_size=2, optim=OptimConfig(name="adamw", lr=1e-2)),
        loss_weights=training.loss_weights,
        seed=0,
        gpus=0,
        threads=1,
        work_dir=tmp_path / "state",
        checkpoint_minutes=10.0,
        log_every=10,
        key="",
        desc="sb",
        alarms=training.alarms,
    )
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(lines) == warnings
    assert all("the CAM is collapsing" in line for line in lines)


@pytest.mark.parametrize(
    "training",
    [cam_training(), seam_training(), seam_training(branch_config())],
    ids=["cam", "seam", "smoothing"],
)
def test_param_groups_are_all_parameters_once(training: nn.Module) -> None:
    groups = training.param_groups()
    assert set(groups) == {"backbone", "head"}
    assert {id(p) for p in groups["backbone"]} == {
        id(p) for p in training.net.backbone.parameters()
    }
    together = [id(p) for group in groups.values() for p in group]
    assert sorted(together) == sorted(id(p) for p in training.parameters())
