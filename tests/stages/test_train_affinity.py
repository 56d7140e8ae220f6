"""Tests of AffinityNet's samples and losses in the training loop, and of the program."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.conftest import write_image_digests
from wsss_core.config.affinity import AffinityConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.data.weights import load_weights
from wsss_core.models.affinity_net import AffinityNet
from wsss_core.models.backbone import Backbone
from wsss_core.models.cell_positions import Cells
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.ops.grid import spaced
from wsss_core.runtime.errors import UserError
from wsss_core.stages.train_affinity import (
    LOSS_WEIGHTS,
    AffinitySamples,
    AffinityTraining,
)

REPOSITORY = Path(__file__).parents[2]
CLASSES = ("cat", "dog")
CELL = 16
FILL = (1, 2, 3)
CONFIG = {
    "backbone": {"name": "tf_efficientnet_lite0", "output_stride": 16},
    "features": [3, 5],
    "channels": [4, 8],
    "radius": 3,
    "crop_size": 96,
    "epochs": 1,
    "batch_size": 2,
    "color_jitter": {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0},
}


@pytest.fixture
def dataset_and_seeds(tmp_path):
    """Images of which the left part, in another colour, is class 2; one image without a class."""
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    (root / "splits").mkdir()
    (root / "classes.txt").write_text("\n".join(CLASSES))
    (root / "labels.csv").write_text("image,cat,dog\na,0,1\nb,0,1\nempty,0,0\n")
    (root / "splits/train_aug.txt").write_text("a\nb\nempty\n")
    with ScoreWriter(tmp_path / "seeds.npz", kind="seed", class_names=CLASSES) as writer:
        for image_id, size in (("a", (96, 128)), ("b", (64, 64))):
            image = np.full((*size, 3), 200, dtype=np.uint8)
            image[:, :32] = (250, 50, 50)
            seed = np.zeros((2, 2, *size), dtype=np.float32)
            seed[:, 1, :, :32] = seed[:, 0, :, 32:] = 1
            Image.fromarray(image).save(root / f"images/{image_id}.png")
            writer.write(image_id, (0, 2), seed)
        Image.fromarray(np.zeros((96, 96, 3), dtype=np.uint8)).save(root / "images/empty.png")
        writer.write("empty", (0,), np.ones((2, 1, 96, 96), dtype=np.float32))
    write_image_digests(root)
    return open_dataset(root), tmp_path / "seeds.npz"


def samples_of(dataset, seeds_path, **changes):
    seeds = ScoreReader([seeds_path], kind="seed", class_names=CLASSES)
    config = AffinityConfig.model_validate(CONFIG | changes)
    return AffinitySamples(dataset, seeds, config=config, grid_of=grid_of, fill=FILL)


def grid_of(image):
    """Of cells in the middle of their pixels."""
    return spaced(image, stride=CELL, offset=(CELL - 1) / 2)


def colour_of_cells(image):
    """The label that the drawing of an image stands for, by the colour of each pixel."""
    red, green = (image[:2] * 255).round()
    label = torch.full(red.shape, 254)
    label[(red == 250) & (green == 50)] = 2
    label[(red == 200) & (green == 200)] = 0
    label[(red == FILL[0]) & (green == FILL[1])] = 255
    return label


@pytest.mark.parametrize("index", [0, 1])
def test_image_and_label_stay_together(dataset_and_seeds, index):
    samples = samples_of(*dataset_and_seeds)
    for seed in range(8):
        sample = samples.sample(index, np.random.default_rng(seed))
        assert sample["image"].shape == (3, 96, 96)
        assert sample["label"].shape == (6, 6)
        pixels = colour_of_cells(sample["image"])
        cells = pixels.unfold(0, CELL, CELL).unfold(1, CELL, CELL).flatten(2)
        pure = (cells == cells[..., :1]).all(dim=-1)
        assert pure.any()
        assert (sample["label"][pure] == cells[..., 0][pure]).all()


def test_padding_is_unknown_and_keeps_its_colour(dataset_and_seeds):
    jitter = {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.2}
    samples = samples_of(*dataset_and_seeds, color_jitter=jitter)
    sample = samples.sample(1, np.random.default_rng(0))  # 64 x 64 in a crop of 96 x 96
    padding = (sample["image"] * 255).round() == torch.tensor(FILL)[:, None, None]
    assert padding.all(dim=0).sum() == 96**2 - 64**2
    assert (sample["label"] == 255).any()


def test_an_image_without_class_is_background(dataset_and_seeds):
    samples = samples_of(*dataset_and_seeds)
    assert (samples.sample(2, np.random.default_rng(0))["label"] == 0).all()


def test_a_sample_follows_from_its_generator(dataset_and_seeds):
    samples = samples_of(*dataset_and_seeds, resize_long=[100, 200])
    one, again = (samples.sample(0, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one["image"], again["image"])
    assert torch.equal(one["label"], again["label"])


def test_an_image_without_seeds_is_named(dataset_and_seeds):
    dataset, seeds_path = dataset_and_seeds
    (dataset.root / "splits/train_aug.txt").write_text("a\nnobody\n")
    with pytest.raises(UserError, match="1 of 2 training images have no seeds: nobody"):
        samples_of(dataset, seeds_path)


class Colours(nn.Module):
    """The mean colour of each cell, as a stand-in for a backbone."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return [nn.functional.avg_pool2d(x, CELL) * self.scale]


def test_training_separates_the_two_colours(dataset_and_seeds):
    torch.manual_seed(0)
    geometry = FeatureGeometry((Cells(CELL, (CELL - 1) / 2),))
    backbone = Backbone(
        Colours(), channels=(3,), geometry=geometry, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    model = AffinityTraining(AffinityNet(backbone, stages=(1,), channels=(8,), radius=3))
    samples = samples_of(*dataset_and_seeds)
    batch = [samples.sample(0, np.random.default_rng(seed)) for seed in range(4)]
    batch = {name: torch.stack([sample[name] for sample in batch]) for name in batch[0]}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    totals = []
    for _ in range(60):
        losses = model(batch)
        assert losses.keys() == LOSS_WEIGHTS.keys()
        total = sum(LOSS_WEIGHTS[name] * loss.mean for name, loss in losses.items())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.3 * totals[0]


def test_program(dataset_and_seeds, tmp_path):
    dataset, seeds_path = dataset_and_seeds
    output = tmp_path / "out" / "weights.pt"
    history = tmp_path / "out" / "history.csv"
    command = [sys.executable, "-m", "workflow_scripts.train_affinity", "--seed", "1"]
    command += ["--dataset", dataset.root, "--seeds", seeds_path, "--output", output]
    command += ["--history", history, "--config", json.dumps(CONFIG)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    weights = load_weights(output)
    assert weights.metadata["class_names"] == list(CLASSES)
    AffinityConfig.model_validate(weights.metadata["config"])
    rows = list(csv.DictReader(history.open()))
    assert {"step", "epoch", "lr", "loss", *LOSS_WEIGHTS} <= rows[0].keys()
