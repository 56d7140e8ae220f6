"""Stage train_affinity: trains AffinityNet on CRF seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsss_core.config.affinity import AffinityConfig
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset
from wsss_core.data.score_maps import ScoreReader
from wsss_core.data.transforms import apply_geometry, color_jitter, draw_geometry, image_tensor
from wsss_core.losses.affinity import affinity_loss
from wsss_core.models.affinity_net import AffinityNet, build_affinity_net
from wsss_core.ops.affinity import (
    affinity_targets,
    fitting_radius,
    pair_offsets,
    pairwise_affinity,
    seed_label,
)
from wsss_core.ops.grid import Grid, Size
from wsss_core.pretrained.affinity_net import to_affinity_net
from wsss_core.pretrained.files import check_sha256, read_checkpoint
from wsss_core.pretrained.imagenet import load_pretrained
from wsss_core.pretrained.tensor_names import tensor_shapes
from wsss_core.runtime.errors import UserError, name_some
from wsss_core.training.batches import Batch
from wsss_core.training.distributed import Losses, MeanOf
from wsss_core.training.loss_monitor import Alarm

LOSS_WEIGHTS = {"background": 0.25, "foreground": 0.25, "negative": 0.5}  # psa, train_aff.py


class AffinitySamples:
    """Augmented crops of training images with a label per cell (samples for `loop.train`)."""

    def __init__(
        self,
        dataset: Dataset,
        seeds: ScoreReader,
        *,
        config: AffinityConfig,
        grid_of: Callable[[Size], Grid],
        fill: tuple[int, int, int],
    ) -> None:
        """Lists the samples, which are all training images.

        Args:
            dataset: The images.
            seeds: Score files of kind 'seed' with all training images.
            config: Crop, resize and colour jitter.
            grid_of: Returns the grid of the network's features for a given image size.
            fill: RGB colour, 0..255, of the padding around images that are smaller than the crop.

        Raises:
            UserError: An image has no seeds.
        """
        self.dataset = dataset
        self.seeds = seeds
        self.image_ids = dataset.split(TRAIN_SPLIT)
        missing = sorted(set(self.image_ids) - set(seeds.image_ids))
        if missing:
            raise UserError(
                f"{len(missing)} of {len(self.image_ids)} training images have no seeds: "
                f"{name_some(missing)}"
            )
        self.config = config
        self.grid = grid_of((config.crop_size, config.crop_size))
        self.fill = fill

    def __len__(self) -> int:
        return len(self.image_ids)

    def sample(self, index: int, rng: np.random.Generator) -> Batch:
        """Reads and augments one image.

        Colours are changed before the crop, so that the padding keeps the fill colour (psa).

        Returns:
            image: float32 [3, crop, crop] in [0, 1]; label: uint8 [*self.grid.size] class ids, 255
            unknown.
        """
        image_id = self.image_ids[index]
        image = self.dataset.read_image(image_id)
        class_ids, scores = self.seeds.read(image_id)
        geometry = draw_geometry(
            rng,
            height=image.shape[0],
            width=image.shape[1],
            crop_size=self.config.crop_size,
            resize_long=self.config.resize_long,
        )
        jittered = color_jitter(image, rng, self.config.color_jitter)
        crop = apply_geometry(jittered, geometry, interpolation="cubic", fill=self.fill)
        maps = scores.reshape(-1, *scores.shape[-2:]).transpose(1, 2, 0)
        maps = apply_geometry(maps, geometry, interpolation="linear").transpose(2, 0, 1)
        seeds = torch.from_numpy(maps.reshape(2, len(class_ids), *maps.shape[1:]))
        label = seed_label(seeds, class_ids=class_ids, grid=self.grid)
        return {"image": image_tensor(crop), "label": label}


def start_affinity_net(config: AffinityConfig, *, init: Path | None) -> AffinityNet:
    """Builds the network with its initial weights.

    Args:
        config: The network and the weights of its backbone.
        init: Weights file of a whole AffinityNet; None: ImageNet weights of the backbone.

    Raises:
        UserError: The file holds another network, or its sha256 is not that of the config.
    """
    if init is None:
        return build_affinity_net(config, load=load_pretrained)
    check_sha256(init, config.init.sha256 if config.init else None)
    net = build_affinity_net(config)
    shapes = tensor_shapes(net.state_dict())
    net.load_state_dict(to_affinity_net(read_checkpoint(init), shapes, source=str(init)))
    return net


class AffinityTraining(nn.Module):
    """AffinityNet with its losses (`loop.TrainableModel`)."""

    loss_weights = LOSS_WEIGHTS
    alarms: tuple[Alarm, ...] = ()

    def __init__(self, net: AffinityNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, batch: Batch) -> Losses:
        """Computes the three unweighted losses of images [B, 3, H, W] and labels [B, h, w]."""
        features = self.net(batch["image"])
        offsets = pair_offsets(fitting_radius(self.net.radius, *features.shape[-2:]))
        targets = affinity_targets(batch["label"], offsets)
        losses = affinity_loss(pairwise_affinity(features, offsets), targets)._asdict()
        pairs = targets._asdict()
        return {name: MeanOf(loss, pairs[name].sum()) for name, loss in losses.items()}

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters of the pretrained 'backbone' and of the new 'head'."""
        return self.net.param_groups()


def affinity_metadata(config: AffinityConfig, class_names: Sequence[str]) -> dict[str, Any]:
    """Returns the metadata from which a network is rebuilt."""
    return {
        "network": "affinity",
        "class_names": list(class_names),
        "config": config.model_dump(mode="json"),
    }


def prepare_training(
    config: AffinityConfig,
    dataset: Dataset,
    seeds: Sequence[Path],
    *,
    init: Path | None,
    seed: int,
) -> tuple[AffinityTraining, AffinitySamples]:
    """Builds the model and the samples of the training.

    Args:
        config: Configuration of the training.
        dataset: The images.
        seeds: Score files of kind 'seed'.
        init: Weights file of a whole AffinityNet; None: ImageNet weights of the backbone.
        seed: Seed of the randomly initialised layers.
    """
    if config.init is not None and init is None:
        raise UserError(f"--init is missing; the network starts from {config.init.weights}")
    reader = ScoreReader(seeds, kind="seed", class_names=dataset.class_names)
    torch.manual_seed(seed)
    net = start_affinity_net(config, init=init)
    samples = AffinitySamples(
        dataset, reader, config=config, grid_of=net.grid, fill=net.backbone.fill
    )
    return AffinityTraining(net), samples
