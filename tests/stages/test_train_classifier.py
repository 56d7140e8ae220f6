"""Training of the classifier: samples, losses and their gradients, and what it starts from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.canny import CannyConfig
from wsss_core.config.classifier import ClassifierConfig, ClassifierTraining, SeamConfig
from wsss_core.config.methods import MethodConfig, SmoothingConfig
from wsss_core.config.training import ColorJitter, OptimConfig, TrainingConfig
from wsss_core.data.dataset import Dataset
from wsss_core.data.images import write_mask
from wsss_core.data.weights import save_weights
from wsss_core.models.boundary_head import BoundaryHead
from wsss_core.models.cam_net import CamNet
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.models.seam import SeamNet
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.stages.train_classifier import (
    CamTraining,
    ClassifierSamples,
    SeamTraining,
    build_classifier_training,
)
from wsss_core.training.distributed import Part, losses_of_batch
from wsss_core.training.loop import train

FILL = (124, 116, 104)
COLORS = np.array([[20, 30, 200], [220, 30, 30], [30, 220, 30]], dtype=np.uint8)
BACKBONE = BackboneConfig(name="test_efficientnet", output_stride=8)
SEAM_LOSSES = {"classification", "adaptive_min", "er", "ecr"}
SMOOTHING_LOSSES = {"boundary", "smoothness", "foreground"}


def _classifier(**changes) -> ClassifierConfig:
    return ClassifierConfig(**({"backbone": BACKBONE, "crop_size": 64} | changes))


# Samples


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """Six images whose colour is their class; class 1 is all edges, the rest has none."""
    root = tmp_path_factory.mktemp("dataset")
    for name in ("images", "eval", "train_only", "canny", "splits"):
        (root / name).mkdir()
    rng = np.random.default_rng(0)
    labels = {}
    for index in range(6):
        image_id, class_id = f"i{index}", 1 + index % 2
        mask = np.zeros((40 + 4 * index, 72), dtype=np.uint8)
        mask[10:34, 12:44] = class_id
        image = COLORS[mask] + rng.integers(0, 20, (*mask.shape, 1), dtype=np.uint8)
        Image.fromarray(image).save(root / "images" / f"{image_id}.png")
        write_mask(root / ("eval" if index < 4 else "train_only") / f"{image_id}.png", mask)
        write_mask(root / "canny" / f"{image_id}.png", np.where(mask == 1, 255, 0).astype(np.uint8))
        labels[image_id] = np.array([class_id == 1, class_id == 2], dtype=np.uint8)
    (root / "splits" / "train_aug.txt").write_text("\n".join(labels))
    return Dataset(root=root, class_names=("red", "green"), labels=labels)


def _samples(dataset: Dataset, *, map_radius: int | None = None, **changes) -> ClassifierSamples:
    config = _classifier(**({"resize_long": (48, 96)} | changes))
    return ClassifierSamples(
        dataset,
        config,
        fill=FILL,
        boundary_dirs=[dataset.root / "eval", dataset.root / "train_only"],
        map_radius=map_radius,
        canny_dir=dataset.root / "canny",
    )


@given(seed=st.integers(0, 2**32 - 1), index=st.integers(0, 5))
@settings(max_examples=30)
def test_image_mask_and_edges_stay_together(dataset, seed: int, index: int) -> None:
    sample = _samples(dataset).sample(index, np.random.default_rng(seed))
    image, label, mask, edges = (sample[name] for name in ("image", "label", "mask", "edges"))
    assert (image.shape, image.dtype) == ((3, 64, 64), torch.float32)
    assert (mask.shape, mask.dtype) == ((64, 64), torch.uint8)
    assert (edges.shape, edges.dtype) == ((1, 64, 64), torch.float32)
    assert (label.dtype, label.tolist()) == (torch.float32, [[1, 0], [0, 1]][index % 2])
    assert 0 <= image.min() and image.max() <= 1
    assert 0 <= edges.min() and edges.max() <= 1
    assert set(mask.unique().tolist()) <= {0, 1 + index % 2, 255}
    # Away from edges (where colours mix; the crop's border may be one, just outside), each pixel
    # has its class's colour: the brightest channel is blue for background, red or green for the
    # two classes.
    brightest = image.argmax(dim=0)
    expected = torch.tensor([2, 0, 1])
    for class_id in (0, 1, 2, 255):
        others = nn.functional.pad((mask != class_id).float()[None], (3, 3, 3, 3), value=1)
        inside = nn.functional.max_pool2d(others, 7, 1)[0] == 0
        torch.testing.assert_close(
            edges[0][inside], torch.full_like(image[0][inside], class_id == 1)
        )
        if class_id != 255:
            assert (brightest[inside] == expected[class_id]).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_outside_an_image_are_the_fill_colour_the_ignored_class_and_no_edges(
    dataset, seed: int
) -> None:
    samples = _samples(dataset, crop_size=128, resize_long=(72, 72))
    sample = samples.sample(0, np.random.default_rng(seed))
    outside = sample["mask"] == 255
    assert outside.sum() == 128 * 128 - 40 * 72
    assert not sample["edges"][0][outside].any()
    colors = (sample["image"] * 255).round()[:, outside]
    assert torch.equal(colors, torch.tensor(FILL).float()[:, None].expand_as(colors))


def test_boundary_maps_are_those_of_the_label_map_where_nothing_is_resized(dataset) -> None:
    """Image 5 is 60 x 72; a crop of 128 holds all of it, and around it there is no boundary."""
    changes = {"crop_size": 128, "resize_long": (72, 72)}
    for seed in range(4):
        mask, maps = (
            _samples(dataset, map_radius=radius, **changes).sample(5, np.random.default_rng(seed))
            for radius in (None, 2)
        )
        assert "mask" not in maps
        expected = semantic_boundary(mask["mask"][None], num_classes=3, radius=2)[0]
        inside = mask["mask"] != 255
        assert expected.any()
        torch.testing.assert_close(maps["boundary"][1:], expected[1:])
        assert not maps["boundary"][:, ~inside].any()


@given(seed=st.integers(0, 2**32 - 1), index=st.integers(0, 5))
@settings(max_examples=10)
def test_resized_boundary_maps_are_soft_and_lie_on_the_boundary(dataset, seed, index) -> None:
    hard, soft = (
        _samples(dataset, map_radius=radius).sample(index, np.random.default_rng(seed))
        for radius in (None, 1)
    )
    boundary = soft["boundary"]
    assert (boundary.shape, boundary.dtype) == ((3, 64, 64), torch.float32)
    assert 0 <= boundary.min() and boundary.max() <= 1
    assert not boundary[2 - index % 2].any()  # the other class
    near = semantic_boundary(hard["mask"][None], num_classes=3, radius=5)[0]
    inside = hard["mask"] != 255
    assert not (boundary[1:] * (near[1:] == 0) * eroded(inside, 6)).any()


def eroded(region: Tensor, radius: int) -> Tensor:
    others = nn.functional.pad((~region).float()[None], (radius,) * 4, value=1)
    return nn.functional.max_pool2d(others, 2 * radius + 1, 1)[0] == 0


def test_a_generator_decides_a_sample(dataset) -> None:
    samples = _samples(dataset)
    first, again, other = (samples.sample(3, np.random.default_rng(s)) for s in (1, 1, 2))
    assert len(samples) == 6
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["image"], other["image"])


def test_without_a_branch_there_are_images_and_labels_only(dataset) -> None:
    samples = ClassifierSamples(dataset, _classifier(color_jitter=ColorJitter()), fill=FILL)
    with_branch = _samples(dataset, resize_long=(448, 768))
    rngs = [np.random.default_rng(0) for _ in range(2)]
    sample, other = samples.sample(0, rngs[0]), with_branch.sample(0, rngs[1])
    assert set(sample) == {"image", "label"}
    assert set(other) == {"image", "label", "mask", "edges"}
    assert torch.equal(sample["image"], other["image"])


def test_an_image_without_a_segmentation_is_named(dataset) -> None:
    with pytest.raises(UserError, match="i4: no segmentation to take its boundaries from"):
        ClassifierSamples(dataset, _classifier(), fill=FILL, boundary_dirs=[dataset.root / "eval"])


# Losses


def _smoothing(**changes) -> SmoothingConfig:
    values = {"boundaries_from": "other", "features": (1, 2), "channels": 5, "stride": 2}
    return SmoothingConfig(**(values | changes))


def _cam_training() -> CamTraining:
    torch.manual_seed(0)
    return CamTraining(CamNet(tiny_backbone(), 3, dropout=0.25))


def _losses(training, batch):
    """As the only process's."""
    return losses_of_batch(training(batch), Part(0, 1, len(batch["label"])))


def _seam_training(
    smoothing: SmoothingConfig | None = None,
    *,
    scale: float = 0.5,
    dropout: float = 0.25,
    background: bool = False,
    canny: CannyConfig | None = None,
) -> SeamTraining:
    torch.manual_seed(0)
    seam = SeamConfig(scale=scale, pcm_features=(1, 2), pcm_channels=(5, 7), background=background)
    config = ClassifierTraining(
        classifier=_classifier(seam=seam),
        method=MethodConfig(classifier="seam", epochs=1, smoothing=smoothing),
        canny=canny or CannyConfig(),
    )
    net = SeamNet(tiny_backbone(), 3, dropout=dropout, config=seam)
    if smoothing is None:
        return SeamTraining(net, config)
    head = BoundaryHead(
        (4, 6), 4, channels=smoothing.channels, canny=smoothing.canny, form=smoothing.head
    )
    return SeamTraining(net, config, boundary_head=head)


def _batch(*, label: list[list[float]] | None = None) -> dict[str, Tensor]:
    """Two images of 48 x 48 noise; the first class lies at the upper left of both."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(2, 48, 48, dtype=torch.uint8)
    mask[:, :24, :20] = 1
    mask[:, 40:] = 255
    return {
        "image": torch.rand(2, 3, 48, 48, generator=generator),
        "label": torch.tensor(label or [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
        "mask": mask,
        "edges": (torch.rand(2, 1, 48, 48, generator=generator) < 0.1).float(),
    }


def _reached(training: nn.Module, loss: Tensor) -> set[str]:
    """The parts of a network that a loss trains."""
    training.zero_grad()
    loss.backward(retain_graph=True)
    learning = {
        name.removeprefix("net.")
        for name, p in training.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }
    return {name.split(".")[0] for name in learning}


def test_cam_has_one_loss_that_trains_the_whole_network() -> None:
    training = _cam_training()
    batch = {name: x for name, x in _batch().items() if name in ("image", "label")}
    losses = training(batch)
    assert set(losses) == set(training.loss_weights) == {"classification"}
    assert losses["classification"].isfinite() and losses["classification"].shape == ()
    losses["classification"].backward()
    assert all(p.grad.abs().sum() > 0 for p in training.parameters())


def test_the_losses_of_seam_need_images_and_labels_only() -> None:
    training = _seam_training()
    losses = training({name: x for name, x in _batch().items() if name in ("image", "label")})
    assert set(losses) == set(training.loss_weights) == SEAM_LOSSES
    assert all(loss.isfinite() and loss.shape == () and loss > 0 for loss in losses.values())
    assert set(training.loss_weights.values()) == {1.0}


@pytest.mark.parametrize("canny", [False, True])
@pytest.mark.parametrize("stride", [1, 4])
def test_a_smoothing_branch_adds_its_two_losses(canny: bool, stride: int) -> None:
    smoothing = _smoothing(canny=canny, stride=stride, lambda_boundary=0.5, lambda_smoothness=2.0)
    training = _seam_training(smoothing)
    losses = _losses(training, _batch())
    assert set(losses) == SEAM_LOSSES | SMOOTHING_LOSSES
    assert all(loss.isfinite() and loss.shape == () and loss > 0 for loss in losses.values())
    weights = dict.fromkeys(SEAM_LOSSES, 1.0) | {"boundary": 0.5, "smoothness": 2.0}
    assert training.loss_weights == weights


@pytest.mark.parametrize(
    "change",
    [
        {"head": "released"},
        {"derivatives": "sobel"},
        {"padding": "zeros"},
        {"edge_weight": "value"},
        {"order_weights": (10.0, 1.0)},
        {"edge_alpha": 1.0},
        {"boundary_radius": 2},
        {"mean_over": "present"},
        {"reference_size": 448},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_choice_of_the_branch_matters_to_its_losses_alone(change) -> None:
    losses = [
        _seam_training(_smoothing(**changes), dropout=0.0)(_batch()) for changes in ({}, change)
    ]
    changed = {name for name in losses[0] if losses[0][name] != losses[1][name]}
    assert changed and changed <= {"boundary", "smoothness"}


@pytest.mark.parametrize("scale", [0.5, 0.33])
def test_sizes_are_rounded_down_as_in_the_reference(scale: float) -> None:
    """0.33 of 48 is 15.84."""
    training = _seam_training(scale=scale)
    seen = []
    training.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-2:]))
    training(_batch())
    small = nn.functional.interpolate(_batch()["image"], scale_factor=scale)
    assert seen == [(48, 48), small.shape[-2:]]


def test_edges_of_the_network_s_input_take_no_samples() -> None:
    """And their value is the head's input."""
    batch = {name: x for name, x in _batch().items() if name != "edges"}
    losses = []
    for value in (1.0, 255.0):
        canny = CannyConfig(input="normalized_cast", edge_value=value)
        training = _seam_training(_smoothing(stride=1, head="released"), dropout=0.0, canny=canny)
        losses.append(training(batch)["boundary"])
    assert losses[1] > 5 * losses[0]


def test_boundary_maps_stand_in_for_label_maps() -> None:
    """At the image's size, those of the label maps give the loss of the label maps."""
    batch = _batch()
    maps = semantic_boundary(batch["mask"], num_classes=4, radius=1)
    results = []
    for resize in ("labels", "maps"):
        smoothing = _smoothing(stride=1, boundary_resize=resize)
        training = _seam_training(smoothing, scale=1.0, dropout=0.0)
        results.append(training(batch | {"boundary": maps}))
    for name in ("boundary", "smoothness"):
        # Maps may lie in another order in memory, and be summed in another.
        torch.testing.assert_close(results[0][name], results[1][name], rtol=1e-6, atol=0)


def test_a_background_of_its_own_is_smoothed_too() -> None:
    """Only by this loss; with no class present, it is the only one."""
    batch = _batch(label=[[0.0] * 3] * 2)
    losses = [
        _seam_training(_smoothing(), dropout=0.0, background=background)(batch)
        for background in (False, True)
    ]
    assert losses[0]["smoothness"] == 0 and losses[1]["smoothness"] > 0


def test_the_branch_may_learn_like_the_backbone() -> None:
    for group, other in (("head", "backbone"), ("backbone", "head")):
        training = _seam_training(_smoothing(lr_group=group))
        groups = {name: {id(p) for p in params} for name, params in training.param_groups().items()}
        branch = {id(p) for p in training.boundary_head.parameters()}
        assert branch <= groups[group] and not branch & groups[other]
        assert len(groups["head"] | groups["backbone"]) == len(list(training.parameters()))


def test_a_smoothing_branch_leaves_the_losses_of_seam_as_they_are() -> None:
    results = []
    for smoothing in (None, _smoothing()):
        training = _seam_training(smoothing)
        torch.manual_seed(1)
        results.append(training(_batch()))
    for name in SEAM_LOSSES:
        assert torch.equal(results[0][name], results[1][name])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("classification", {"backbone", "classifier"}),
        ("er", {"backbone", "classifier"}),
        ("ecr", {"pcm"}),
        ("adaptive_min", {"pcm"}),
        ("boundary", {"backbone", "boundary_head"}),
        ("smoothness", {"backbone", "classifier"}),
    ],
)
def test_a_loss_trains_its_parts_of_seam_and_no_other(name: str, parts: set[str]) -> None:
    training = _seam_training(_smoothing())
    assert _reached(training, training(_batch())[name]) == parts


def test_all_losses_together_train_every_parameter() -> None:
    training = _seam_training(_smoothing())
    sum(_losses(training, _batch()).values()).backward()
    assert all(p.grad.abs().sum() > 0 for p in training.parameters())


def test_two_branches_that_see_the_same_agree() -> None:
    """At scale 1 and without dropout: no difference between them, and the loss of either."""
    training = _seam_training(scale=1.0, dropout=0.0)
    batch = _batch()
    losses = _losses(training, batch)
    assert losses["er"] == 0
    cam_logits = training.net(batch["image"]).cam_logits
    resized = nn.functional.interpolate(
        cam_logits, (48, 48), mode="bilinear", align_corners=training.net.backbone.align_corners
    )
    expected = nn.functional.multilabel_soft_margin_loss(resized.mean((2, 3)), batch["label"])
    torch.testing.assert_close(losses["classification"], expected)


def test_an_absent_class_has_no_part_in_the_smoothness() -> None:
    """Its CAM may be as rough as it likes; without any class there is nothing to smooth."""
    training = _seam_training(_smoothing(), dropout=0.0)
    label = [[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    before = training(_batch(label=label))["smoothness"]
    with torch.no_grad():
        training.net.classifier.weight[1] *= 10
    torch.testing.assert_close(training(_batch(label=label))["smoothness"], before)
    losses = _losses(training, _batch(label=[[0.0] * 3] * 2))
    assert losses["smoothness"] == 0
    assert all(loss.isfinite() for loss in losses.values())


class _BatchSamples:
    """The images of `_batch`, for a training of 30 steps."""

    image_ids = tuple(f"i{index}" for index in range(60))

    def __len__(self) -> int:
        return len(self.image_ids)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        return {name: tensor[index % 2] for name, tensor in _batch().items()}


@pytest.mark.parametrize(("weight", "warnings"), [(1.0, 0), (1000.0, 1)])
def test_a_cam_that_collapses_under_its_smoothness_is_warned_of(
    tmp_path, capsys, weight: float, warnings: int
) -> None:
    smoothing = _smoothing(
        lambda_smoothness=weight, derivatives="sobel", edge_weight="value", reference_size=448
    )
    training = _seam_training(smoothing, dropout=0.0)
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
    [_cam_training(), _seam_training(), _seam_training(_smoothing())],
    ids=["cam", "seam", "smoothing"],
)
def test_param_groups_are_all_parameters_once(training: CamTraining | SeamTraining) -> None:
    groups = training.param_groups()
    assert set(groups) == {"backbone", "head"}
    assert {id(p) for p in groups["backbone"]} == {
        id(p) for p in training.net.backbone.parameters()
    }
    together = [id(p) for group in groups.values() for p in group]
    assert sorted(together) == sorted(id(p) for p in training.parameters())


# What a training starts from


def _config(
    kind: str = "seam", *, smoothing: SmoothingConfig | None = None, **changes
) -> ClassifierTraining:
    return ClassifierTraining(
        classifier=_classifier(**changes),
        method=MethodConfig(classifier=kind, init="other", epochs=1, smoothing=smoothing),
    )


@pytest.fixture(scope="module")
def cam_weights(tmp_path_factory) -> Path:
    return _write_weights(tmp_path_factory.mktemp("cam") / "cam.pt", "cam")


@pytest.fixture(scope="module")
def seam_weights(tmp_path_factory) -> Path:
    return _write_weights(tmp_path_factory.mktemp("seam") / "seam.pt", "seam")


def _write_weights(path: Path, kind: str) -> Path:
    torch.manual_seed(7)
    training = build_classifier_training(_config(kind), 2, init=None)
    save_weights(path, training.net.state_dict(), {})
    return path


def _read_weights(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_the_network_follows_from_the_method() -> None:
    cam = build_classifier_training(_config("cam"), 2, init=None)
    seam = build_classifier_training(_config("seam"), 2, init=None)
    assert isinstance(cam, CamTraining) and not isinstance(cam.net, SeamNet)
    assert isinstance(seam.net, SeamNet) and seam.boundary_head is None
    smoothing = build_classifier_training(_config(smoothing=_smoothing()), 2, init=None)
    with torch.no_grad():
        losses = _losses(smoothing, _batch(label=[[1.0, 0.0], [1.0, 1.0]]))
    assert set(losses) == SEAM_LOSSES | SMOOTHING_LOSSES
    assert all(loss.isfinite() for loss in losses.values())


def test_seam_starts_from_cam_with_a_new_pcm(cam_weights: Path) -> None:
    given_tensors = _read_weights(cam_weights)
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        training = build_classifier_training(_config("seam"), 2, init=cam_weights)
        states.append(training.net.state_dict())
    new = {name for name in states[0] if name.startswith("pcm.")}
    assert set(states[0]) == set(given_tensors) | new
    for state in states:
        assert all(torch.equal(state[name], given_tensors[name]) for name in given_tensors)
    assert len(new) == 3
    assert not any(torch.equal(states[0][name], states[1][name]) for name in new)


@pytest.mark.parametrize("smoothing", [None, _smoothing()], ids=["seam", "smoothing"])
def test_seam_starts_from_seam_with_its_pcm(
    seam_weights: Path, smoothing: SmoothingConfig | None
) -> None:
    config = _config("seam", smoothing=smoothing)
    state = build_classifier_training(config, 2, init=seam_weights).net.state_dict()
    given_tensors = _read_weights(seam_weights)
    assert set(state) == set(given_tensors)
    assert all(torch.equal(state[name], tensor) for name, tensor in given_tensors.items())


def test_cam_starts_from_seam_without_its_pcm(seam_weights: Path) -> None:
    state = build_classifier_training(_config("cam"), 2, init=seam_weights).net.state_dict()
    given_tensors = _read_weights(seam_weights)
    assert set(state) == {name for name in given_tensors if not name.startswith("pcm.")}
    assert all(torch.equal(tensor, given_tensors[name]) for name, tensor in state.items())


def test_weights_for_other_classes_are_refused_in_one_line(cam_weights: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        run_command(lambda: build_classifier_training(_config("cam"), 3, init=cam_weights))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {cam_weights}: does not fit the method's network")
    assert "classifier.weight" in line


def test_weights_of_another_backbone_are_refused(cam_weights: Path) -> None:
    other = BackboneConfig(name="test_resnet", output_stride=8)
    with pytest.raises(UserError, match=r"cam\.pt: does not fit the method's network"):
        build_classifier_training(_config("cam", backbone=other), 2, init=cam_weights)


@pytest.mark.parametrize("canny", [False, True])
@pytest.mark.parametrize("features", [(5, 6), (1, 3), (1, 3, 5, 6)])
def test_the_features_of_table_v(monkeypatch, features: tuple[int, ...], canny: bool) -> None:
    monkeypatch.setattr("wsss_core.models.backbone.ResNet38d", _Narrow)
    smoothing = _smoothing(features=features, canny=canny, stride=1)
    backbone = BackboneConfig(name="resnet38d")
    training = build_classifier_training(
        _config(smoothing=smoothing, backbone=backbone), 2, init=None
    )
    losses = _losses(training, _batch(label=[[1.0, 0.0], [1.0, 1.0]]))
    losses["boundary"].backward()
    learning = {name.split(".")[0] for name, p in training.named_parameters() if p.grad is not None}
    assert learning == {"net", "boundary_head"}
    assert losses["boundary"].isfinite() and losses["smoothness"].isfinite()


class _Narrow(ResNet38d):
    def __init__(self) -> None:
        super().__init__(width=1 / 8)


@pytest.mark.parametrize("features", [(1, 6), (0, 1)])
def test_a_smoothing_branch_on_a_stage_that_is_not_there_is_refused(
    features: tuple[int, ...],
) -> None:
    config = _config(smoothing=_smoothing(features=features))
    message = rf"smoothing\.features is \[{features[0]}, {features[1]}\]; expected stages 1 to 5"
    with pytest.raises(UserError, match=message):
        build_classifier_training(config, 2, init=None)
