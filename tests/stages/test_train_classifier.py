"""Tests of classifier training: samples, losses and gradients, initial weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from tests.methods.test_kinds import SEAM_LOSSES, SMOOTHING_LOSSES, losses_of, make_batch
from tests.methods.tiny_trainings import branch_config
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.classifier import ClassifierConfig, ClassifierTraining
from wsss_core.config.smoothing import BranchConfig
from wsss_core.config.training import ColorJitter
from wsss_core.data.dataset import Dataset
from wsss_core.data.images import write_mask
from wsss_core.data.weights import save_weights
from wsss_core.methods import cam, seam, smoothing
from wsss_core.methods.kinds import training_config
from wsss_core.models.resnet38d import ResNet38d
from wsss_core.models.seam import SeamNet
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.stages.train_classifier import ClassifierSamples, start_classifier

FILL = (124, 116, 104)
COLORS = np.array([[20, 30, 200], [220, 30, 30], [30, 220, 30]], dtype=np.uint8)
BACKBONE = BackboneConfig(name="test_efficientnet", output_stride=8)


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
    with pytest.raises(UserError, match="i4: no segmentation for its boundaries"):
        ClassifierSamples(dataset, _classifier(), fill=FILL, boundary_dirs=[dataset.root / "eval"])


def test_a_boundary_mask_that_does_not_fit_its_image_is_refused(dataset, tmp_path) -> None:
    samples = _samples(dataset)
    for mask, message in (
        (np.zeros((41, 72), np.uint8), r"i0\.png: 72x41 pixels, its image has 72x40"),
        (np.full((40, 72), 3, np.uint8), r"i0\.png: class index 3, expected 0 to 2 or 255"),
    ):
        write_mask(tmp_path / "i0.png", mask)
        samples.boundary_labels["i0"] = tmp_path / "i0.png"
        with pytest.raises(UserError, match=message):
            samples.sample(0, np.random.default_rng(0))


# What a training starts from


def _config(
    kind: str = "seam", *, branch: BranchConfig | None = None, **changes
) -> ClassifierTraining:
    method = {"kind": kind, "init": "other", "epochs": 1}
    if branch is not None:
        method |= {"kind": "smoothing", "smoothing": branch.model_dump()}
    classifier = _classifier(**changes).model_dump()
    return training_config({"classifier": classifier, "method": method})


@pytest.fixture(scope="module")
def cam_weights(tmp_path_factory) -> Path:
    return _write_weights(tmp_path_factory.mktemp("cam") / "cam.pt", "cam")


@pytest.fixture(scope="module")
def seam_weights(tmp_path_factory) -> Path:
    return _write_weights(tmp_path_factory.mktemp("seam") / "seam.pt", "seam")


def _write_weights(path: Path, kind: str) -> Path:
    torch.manual_seed(7)
    training = start_classifier(_config(kind), 2, init=None)
    save_weights(path, training.net.state_dict(), {})
    return path


def _read_weights(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_the_network_follows_from_the_method() -> None:
    assert isinstance(start_classifier(_config("cam"), 2), cam.Training)
    assert isinstance(start_classifier(_config("seam"), 2), seam.Training)
    training = start_classifier(_config(branch=branch_config()), 2)
    assert isinstance(training, smoothing.Training) and isinstance(training.net, SeamNet)
    with torch.no_grad():
        losses = losses_of(training, make_batch(label=[[1.0, 0.0], [1.0, 1.0]]))
    assert set(losses) == SEAM_LOSSES | SMOOTHING_LOSSES
    assert all(loss.isfinite() for loss in losses.values())


def test_seam_starts_from_cam_with_a_new_pcm(cam_weights: Path) -> None:
    given_tensors = _read_weights(cam_weights)
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        training = start_classifier(_config("seam"), 2, init=cam_weights)
        states.append(training.net.state_dict())
    new = {name for name in states[0] if name.startswith("pcm.")}
    assert set(states[0]) == set(given_tensors) | new
    for state in states:
        assert all(torch.equal(state[name], given_tensors[name]) for name in given_tensors)
    assert len(new) == 3
    assert not any(torch.equal(states[0][name], states[1][name]) for name in new)


@pytest.mark.parametrize("branch", [None, branch_config()], ids=["seam", "smoothing"])
def test_seam_starts_from_seam_with_its_pcm(
    seam_weights: Path, branch: BranchConfig | None
) -> None:
    config = _config("seam", branch=branch)
    state = start_classifier(config, 2, init=seam_weights).net.state_dict()
    given_tensors = _read_weights(seam_weights)
    assert set(state) == set(given_tensors)
    assert all(torch.equal(state[name], tensor) for name, tensor in given_tensors.items())


def test_cam_starts_from_seam_without_its_pcm(seam_weights: Path) -> None:
    state = start_classifier(_config("cam"), 2, init=seam_weights).net.state_dict()
    given_tensors = _read_weights(seam_weights)
    assert set(state) == {name for name in given_tensors if not name.startswith("pcm.")}
    assert all(torch.equal(tensor, given_tensors[name]) for name, tensor in state.items())


def test_weights_for_other_classes_are_refused_in_one_line(cam_weights: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        run_command(lambda: start_classifier(_config("cam"), 3, init=cam_weights))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {cam_weights}: does not fit the method's network")
    assert "classifier.weight" in line


def test_weights_of_another_backbone_are_refused(cam_weights: Path) -> None:
    other = BackboneConfig(name="test_resnet", output_stride=8)
    with pytest.raises(UserError, match=r"cam\.pt: does not fit the method's network"):
        start_classifier(_config("cam", backbone=other), 2, init=cam_weights)


@pytest.mark.parametrize("canny", [False, True])
@pytest.mark.parametrize("features", [(5, 6), (1, 3), (1, 3, 5, 6)])
def test_the_features_of_table_v(monkeypatch, features: tuple[int, ...], canny: bool) -> None:
    monkeypatch.setattr("wsss_core.models.backbone.ResNet38d", _Narrow)
    branch = branch_config(features=features, canny=canny, stride=1)
    backbone = BackboneConfig(name="resnet38d")
    training = start_classifier(_config(branch=branch, backbone=backbone), 2, init=None)
    losses = losses_of(training, make_batch(label=[[1.0, 0.0], [1.0, 1.0]]))
    losses["boundary"].backward()
    learning = {name.split(".")[0] for name, p in training.named_parameters() if p.grad is not None}
    assert learning == {"seam", "branch"}
    assert losses["boundary"].isfinite() and losses["smoothness"].isfinite()


class _Narrow(ResNet38d):
    def __init__(self) -> None:
        super().__init__(width=1 / 8)


@pytest.mark.parametrize("features", [(1, 6), (6, 7)])
def test_a_smoothing_branch_on_a_stage_that_is_not_there_is_refused(
    features: tuple[int, ...],
) -> None:
    config = _config(branch=branch_config(features=features))
    message = rf"smoothing\.features is \[{features[0]}, {features[1]}\]; expected stages 1 to 5"
    with pytest.raises(UserError, match=message):
        start_classifier(config, 2, init=None)
