"""Training the segmentation network on pseudo labels."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsss_core.config.init_file import InitFile
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.dataset import IGNORE_INDEX, Dataset
from wsss_core.errors import UserError, name_some
from wsss_core.images import read_mask
from wsss_core.imports.checkpoints import check_sha256, read_checkpoint
from wsss_core.imports.layout import check_tensors, tensor_shapes
from wsss_core.imports.pretrained import load_pretrained
from wsss_core.losses.segmentation import segmentation_loss
from wsss_core.models.deeplab import DeepLab, build_deeplab
from wsss_core.transforms import apply_geometry, color_jitter, draw_geometry, image_tensor

LOSS_WEIGHTS = {"cross_entropy": 1.0}


def find_pseudo_labels(directories: Sequence[Path], image_ids: Sequence[str]) -> dict[str, Path]:
    """Finds the pseudo label `<id>.png` of each image.

    Args:
        directories: Where to look; no image may be in two of them.
        image_ids: Every image that is to be trained on.

    Raises:
        UserError: A directory or an image's pseudo label is missing, or there are two.
    """
    found: dict[str, Path] = {}
    for directory in directories:
        if not directory.is_dir():
            raise UserError(f"{directory}: no such directory, expected pseudo labels <image>.png")
        for path in sorted(directory.glob("*.png")):
            if path.stem in found:
                raise UserError(f"{path}: there is a pseudo label {found[path.stem]} already")
            found[path.stem] = path
    missing = [image_id for image_id in image_ids if image_id not in found]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(image_ids)} training images have no pseudo label in "
            f"{name_some([str(directory) for directory in directories])}: {name_some(missing)}"
        )
    return {image_id: found[image_id] for image_id in image_ids}


def pseudo_labels_digest(pseudo_labels: Mapping[str, Path]) -> str:
    """Digest of the images' ids and pseudo labels, in order: other targets, another training."""
    digest = hashlib.sha256()
    for image_id, path in pseudo_labels.items():
        content = path.read_bytes()
        digest.update(f"{image_id}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


class SegmenterSamples:
    """Crops of training images with their pseudo labels (`engine.Samples`)."""

    def __init__(
        self,
        dataset: Dataset,
        pseudo_labels: Mapping[str, Path],
        *,
        config: SegmenterConfig,
        fill: tuple[int, int, int],
    ) -> None:
        """Prepares to read samples.

        Args:
            dataset: Where the images are.
            pseudo_labels: Pseudo label of each image that is trained on.
            config: Crop size, range of scales, colour jitter.
            fill: RGB 0..255 of what lies outside an image.
        """
        self.dataset = dataset
        self.pseudo_labels = list(pseudo_labels.items())
        self.config = config
        self.fill = fill

    def __len__(self) -> int:
        return len(self.pseudo_labels)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """Reads and augments one image.

        Returns:
            image: [3, crop, crop] in [0, 1]; mask: uint8 [crop, crop] class ids, 255 where the
            image ends or its pseudo label is ignored.
        """
        image_id, path = self.pseudo_labels[index]
        image = self.dataset.read_image(image_id)
        mask = read_mask(path)
        self._check(path, image, mask)
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

    def _check(self, path: Path, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        if mask.shape != image.shape[:2]:
            raise UserError(
                f"{path}: {mask.shape[1]}x{mask.shape[0]} pixels, its image has "
                f"{image.shape[1]}x{image.shape[0]}"
            )
        highest = int(np.max(mask, initial=0, where=mask != IGNORE_INDEX))
        if highest > len(self.dataset.class_names):
            raise UserError(
                f"{path}: class index {highest}, expected 0 to {len(self.dataset.class_names)} "
                f"or {IGNORE_INDEX}"
            )


def start_segmenter(config: SegmenterConfig, *, num_classes: int, init: Path | None) -> DeepLab:
    """Builds the network that the training starts from.

    Args:
        config: Network, and the weights of its backbone.
        num_classes: C, background included.
        init: Weights file of a whole segmenter or, if the config starts from the classifier, of
            that; None: the backbone's ImageNet weights.

    Raises:
        UserError: The file holds another network or is not the one that the config means.
    """
    if init is None:
        return build_deeplab(config, num_classes=num_classes, load=load_pretrained)
    network = build_deeplab(config, num_classes=num_classes)
    if isinstance(config.init, InitFile):
        check_sha256(init, config.init.sha256)
        _load(network, read_checkpoint(init), what=f"{init}: does not fit the segmenter")
        return network
    prefix = "backbone."
    backbone = {
        name.removeprefix(prefix): tensor
        for name, tensor in read_checkpoint(init).items()
        if name.startswith(prefix)
    }
    _load(network.backbone, backbone, what=f"{init}: its backbone is not the segmenter's")
    return network


def _load(module: nn.Module, tensors: dict[str, Tensor], *, what: str) -> None:
    check_tensors(tensors, tensor_shapes(module.state_dict()), what=what)
    module.load_state_dict(tensors)


class SegmenterTraining(nn.Module):
    """The network with its loss (`engine.TrainableModel`)."""

    def __init__(self, network: DeepLab) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Batch of `SegmenterSamples` -> the unweighted cross-entropy."""
        logits = self.network(batch["image"])
        return {"cross_entropy": segmentation_loss(logits, batch["mask"], ignore=IGNORE_INDEX)}

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the pretrained backbone and of the new head."""
        return {
            "backbone": list(self.network.backbone.parameters()),
            "head": list(self.network.head.parameters()),
        }


def segmenter_metadata(config: SegmenterConfig, class_names: Sequence[str]) -> dict[str, Any]:
    """What a weights file must carry for the network to be rebuilt from it alone."""
    return {
        "network": "deeplab",
        "class_names": list(class_names),
        "config": config.model_dump(mode="json"),
    }
