"""Stage train_segmenter: trains the segmentation network on pseudo labels."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsss_core.config.init_file import InitFile
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset
from wsss_core.data.images import IGNORE_INDEX
from wsss_core.data.mask_files import find_masks, read_mask_of
from wsss_core.data.transforms import apply_geometry, color_jitter, draw_geometry, image_tensor
from wsss_core.losses.segmentation import segmentation_loss
from wsss_core.models.deeplab import DeepLab, build_deeplab, highest
from wsss_core.pretrained.deeplabv3 import (
    backbone_tensors,
    head_tensors,
    is_torchvision,
    read_coco,
)
from wsss_core.pretrained.files import check_sha256, read_checkpoint, read_metadata
from wsss_core.pretrained.imagenet import load_pretrained, load_tensors
from wsss_core.pretrained.tensor_names import Tensors, below, load_checked, tensor_shapes
from wsss_core.runtime.errors import UserError, name_some
from wsss_core.training.batches import Batch
from wsss_core.training.distributed import Losses, MeanOf
from wsss_core.training.loss_monitor import Alarm


def find_pseudo_labels(directories: Sequence[Path], image_ids: Sequence[str]) -> dict[str, Path]:
    """Finds the pseudo label `<id>.png` of each image.

    Args:
        directories: Folders of pseudo labels; an image may be in only one of them.
        image_ids: All training images.

    Raises:
        UserError: A directory or a pseudo label is missing, or an image has two pseudo labels.
    """
    found = find_masks(directories, what="pseudo label")
    missing = [image_id for image_id in image_ids if image_id not in found]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(image_ids)} training images have no pseudo label in "
            f"{name_some([str(directory) for directory in directories])}: {name_some(missing)}"
        )
    return {image_id: found[image_id] for image_id in image_ids}


class SegmenterSamples:
    """Crops of training images with their pseudo labels (`loop.Samples`)."""

    def __init__(
        self,
        dataset: Dataset,
        pseudo_labels: Mapping[str, Path],
        *,
        config: SegmenterConfig,
        fill: tuple[int, int, int],
    ) -> None:
        """Stores what the samples depend on.

        Args:
            dataset: The images.
            pseudo_labels: Pseudo label of each training image.
            config: Crop size, range of scales, colour jitter.
            fill: RGB colour, 0..255, outside an image.
        """
        self.dataset = dataset
        self.image_ids = list(pseudo_labels)
        self.pseudo_labels = pseudo_labels
        self.config = config
        self.fill = fill

    def __len__(self) -> int:
        return len(self.image_ids)

    def sample(self, index: int, rng: np.random.Generator) -> Batch:
        """Reads and augments one image.

        Returns:
            image: [3, crop, crop] in [0, 1]; mask: uint8 [crop, crop] class ids, 255 outside the
            image and where the pseudo label is ignored.
        """
        image_id = self.image_ids[index]
        image = self.dataset.read_image(image_id)
        num_classes = len(self.dataset.class_names)
        mask = read_mask_of(image, self.pseudo_labels[image_id], num_classes=num_classes)
        geometry = draw_geometry(
            rng,
            height=mask.shape[0],
            width=mask.shape[1],
            crop_size=self.config.crop_size,
            scale=self.config.scale,
        )
        if self.config.color_jitter is not None:
            # Before padding, so that the padding keeps the colour that normalises to 0.
            image = color_jitter(image, rng, self.config.color_jitter)
        crop = apply_geometry(image, geometry, interpolation="cubic", fill=self.fill)
        target = apply_geometry(mask, geometry, interpolation="nearest", fill=IGNORE_INDEX)
        return {"image": image_tensor(crop), "mask": torch.from_numpy(target)}


def check_segmenter(config: SegmenterConfig, *, init: Path | None, gpus: int) -> None:
    """Raises UserError if weights are missing, or if a GPU would get too few images.

    In deeplabv3, one BatchNorm sees the mean over each image, a single cell per image. It needs at
    least two images.
    """
    if config.init not in ("imagenet", "coco") and init is None:
        raise UserError("--init is missing; expected a weights file for the config's init")
    if config.head == "deeplabv3" and config.batch_size < 2 * gpus:
        raise UserError(
            f"segmenter.batch_size is {config.batch_size}; expected at least 2 images for each of "
            f"{gpus} GPUs, as the head is deeplabv3"
        )


def start_segmenter(config: SegmenterConfig, *, num_classes: int, init: Path | None) -> DeepLab:
    """Builds the network with its initial weights.

    Args:
        config: The network and the weights of its backbone.
        num_classes: C, background included.
        init: Weights file of a whole segmenter: ours, or torchvision's DeepLabv3, whose layer of
            classes is then initialised randomly. If config.init is 'classifier', it is a weights
            file of the classifier. None: the weights follow from the config.

    Raises:
        UserError: The file holds another network, or its sha256 is not that of the config.
    """
    if config.init == "coco":
        return _start_deeplabv3(config, read_coco(), num_classes=num_classes, source="coco")
    if init is None:
        load = partial(load_pretrained, any_classes=config.extra_supervision is not None)
        return build_deeplab(config, num_classes=num_classes, load=load)
    if isinstance(config.init, InitFile):
        check_sha256(init, config.init.sha256)
        told = read_metadata(init).get("config", {}).get("extra_supervision")
        if told is not None and config.extra_supervision is None:
            raise UserError(f"{init} was trained on {told}; expected extra_supervision to say so")
    tensors = read_checkpoint(init)
    if is_torchvision(tensors):
        return _start_deeplabv3(config, tensors, num_classes=num_classes, source=str(init))
    network = build_deeplab(config, num_classes=num_classes)
    if config.init == "classifier":
        backbone = below("backbone.", tensors)
        load_checked(
            network.backbone, backbone, what=f"{init}: its backbone is not the segmenter's"
        )
    else:
        load_checked(network, tensors, what=f"{init}: does not fit the segmenter")
    return network


def _start_deeplabv3(
    config: SegmenterConfig, tensors: Tensors, *, num_classes: int, source: str
) -> DeepLab:
    if config.head != "deeplabv3" or config.extra_supervision is None:
        raise UserError(
            f"{source}: a DeepLabv3, trained on masks; expected head 'deeplabv3' and an "
            "extra_supervision that says so"
        )
    # The weights are loaded before the backbone is modified, in place of the config's weights.
    backbone = config.backbone.model_copy(update={"weights": source})
    load = partial(load_tensors, tensors=backbone_tensors(tensors), source=source)
    network = build_deeplab(
        config.model_copy(update={"backbone": backbone}), num_classes=num_classes, load=load
    )
    shapes = tensor_shapes(network.head.state_dict())
    head = head_tensors(tensors, shapes, source=source)
    network.head.load_state_dict(head, strict=False)
    return network


class SegmenterTraining(nn.Module):
    """The network with its losses (`loop.TrainableModel`).

    With several scales, each scale has a loss, and the maximum over all scales has one. The losses
    are summed, as in the DeepLab-v2 code that the paper uses.
    """

    alarms: tuple[Alarm, ...] = ()

    def __init__(self, net: DeepLab) -> None:
        super().__init__()
        self.net = net
        names = ["cross_entropy", *(f"cross_entropy_{scale:g}" for scale in net.scales)]
        if net.scales:
            names.append("cross_entropy_max")
        self.loss_weights = dict.fromkeys(names, 1.0)

    def forward(self, batch: Batch) -> Losses:
        """Computes the unweighted cross-entropies by name for a batch of `SegmenterSamples`."""
        logits = self.net.at_scales(batch["image"])
        if len(logits) > 1:
            logits.append(highest(logits))
        height, width = batch["mask"].shape[-2:]
        size = (height, width)
        num_labelled = (batch["mask"] != IGNORE_INDEX).sum()
        losses = (
            segmentation_loss(self.net.backbone.geometry.spread(one, size, size), batch["mask"])
            for one in logits
        )
        return {
            name: MeanOf(loss, num_labelled)
            for name, loss in zip(self.loss_weights, losses, strict=True)
        }

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters of the pretrained backbone and of the new head."""
        return {
            "backbone": list(self.net.backbone.parameters()),
            "head": list(self.net.head.parameters()),
        }


def segmenter_metadata(config: SegmenterConfig, class_names: Sequence[str]) -> dict[str, Any]:
    """Returns the metadata from which a network is rebuilt."""
    return {
        "network": "deeplab",
        "class_names": list(class_names),
        "config": config.model_dump(mode="json"),
    }


def prepare_training(
    config: SegmenterConfig,
    dataset: Dataset,
    pseudo_labels: Sequence[Path],
    *,
    init: Path | None,
    gpus: int,
    seed: int,
) -> tuple[SegmenterTraining, SegmenterSamples]:
    """Builds the model and the samples of the training.

    Args:
        config: Configuration of the training.
        dataset: The images.
        pseudo_labels: Folders of pseudo labels.
        init: See `start_segmenter`.
        gpus: Number of GPUs that share a batch.
        seed: Seed of the randomly initialised layers.
    """
    check_segmenter(config, init=init, gpus=gpus)
    labels = find_pseudo_labels(pseudo_labels, dataset.split(TRAIN_SPLIT))
    torch.manual_seed(seed)
    net = start_segmenter(config, num_classes=1 + len(dataset.class_names), init=init)
    samples = SegmenterSamples(dataset, labels, config=config, fill=net.backbone.fill)
    return SegmenterTraining(net), samples
