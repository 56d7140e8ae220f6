"""Stage train_classifier: the training samples and the initial weights of a classifier.

The losses depend on the kind of the method; see methods/.

Letters: K foreground classes, C = K + 1 with background first.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsss_core.config.classifier import ClassifierConfig, ClassifierTraining
from wsss_core.config.init_file import InitFile
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset
from wsss_core.data.images import IGNORE_INDEX, read_mask
from wsss_core.data.mask_files import find_masks, read_mask_of
from wsss_core.data.transforms import (
    Geometry,
    apply_geometry,
    color_jitter,
    draw_geometry,
    image_tensor,
)
from wsss_core.methods.kinds import find_kind
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.pretrained.classifier import CLASSIFIER, to_classifier
from wsss_core.pretrained.files import check_sha256, read_checkpoint
from wsss_core.pretrained.imagenet import load_pretrained
from wsss_core.pretrained.tensor_names import tensor_shapes
from wsss_core.runtime.errors import UserError, name_some
from wsss_core.training.batches import Batch
from wsss_core.training.loop import TrainableModel


class ClassifierSamples:
    """Images of train_aug with their labels, and with boundaries and edges for smoothing.

    Args:
        dataset: Images, labels and splits.
        config: Crops and colours.
        fill: RGB colour, 0..255, outside the image.
        boundary_dirs: Folders of the label maps from which boundaries are computed.
        map_radius: Half the width of the boundary band, if boundary maps are resized instead of
            label maps; None: label maps are resized.
        canny_dir: Folder of the Canny edges.
        of_image: Function of the method's kind; computes tensors by name from an augmented image,
            [3, crop, crop] in [0, 1].
    """

    def __init__(
        self,
        dataset: Dataset,
        config: ClassifierConfig,
        *,
        fill: tuple[int, int, int],
        boundary_dirs: Sequence[Path] = (),
        map_radius: int | None = None,
        canny_dir: Path | None = None,
        of_image: Callable[[Tensor], Batch] | None = None,
    ) -> None:
        self.dataset = dataset
        self.config = config
        self.fill = fill
        self.map_radius = map_radius
        self.image_ids = dataset.split(TRAIN_SPLIT)
        self.canny_dir = canny_dir
        self.of_image = of_image
        self.boundary_labels = find_masks(boundary_dirs, what="segmentation")
        if boundary_dirs:
            missing = [i for i in self.image_ids if i not in self.boundary_labels]
            if missing:
                raise UserError(f"{missing[0]}: no segmentation for its boundaries")

    def __len__(self) -> int:
        return len(self.image_ids)

    def sample(self, index: int, rng: np.random.Generator) -> Batch:
        """Reads and augments one image.

        Returns:
            image: [3, crop, crop] in [0, 1]; label: [K] in {0, 1}. If needed, mask: uint8
            [crop, crop] class ids, 255 outside the image; or boundary: [C, crop, crop] in [0, 1];
            edges: [1, crop, crop] in [0, 1]; and the tensors of `of_image`.
        """
        image_id = self.image_ids[index]
        image = self.dataset.read_image(image_id)
        geometry = draw_geometry(
            rng,
            height=image.shape[0],
            width=image.shape[1],
            crop_size=self.config.crop_size,
            resize_long=self.config.resize_long,
        )
        # Jitter before padding, so that the padding keeps the colour that normalises to 0.
        jittered = color_jitter(image, rng, self.config.color_jitter)
        crop = apply_geometry(jittered, geometry, interpolation="cubic", fill=self.fill)
        batch = {
            "image": image_tensor(crop),
            "label": torch.from_numpy(self.dataset.labels[image_id]).float(),
        }
        if self.boundary_labels:
            path = self.boundary_labels[image_id]
            mask = read_mask_of(image, path, num_classes=len(batch["label"]))
            if self.map_radius is None:
                mask = apply_geometry(mask, geometry, interpolation="nearest", fill=IGNORE_INDEX)
                batch["mask"] = torch.from_numpy(mask)
            else:
                batch["boundary"] = _boundary_maps(
                    mask, geometry, num_classes=len(batch["label"]) + 1, radius=self.map_radius
                )
        if self.canny_dir is not None:
            edges = read_mask(self.canny_dir / f"{image_id}.png").astype(np.float32) / 255
            edges = apply_geometry(edges, geometry, interpolation="linear")
            batch["edges"] = torch.from_numpy(edges)[None]
        if self.of_image is not None:
            batch |= self.of_image(batch["image"])
        return batch


def _boundary_maps(
    mask: NDArray[np.uint8], geometry: Geometry, *, num_classes: int, radius: int
) -> Tensor:
    """Computes boundary maps at the image's size, then resizes and crops: [C, crop, crop]."""
    ids = torch.from_numpy(mask)[None]
    boundary = semantic_boundary(ids, num_classes=num_classes, radius=radius)[0]
    crops = torch.zeros(num_classes, geometry.crop_size, geometry.crop_size)
    for class_id in np.unique(mask):
        crop = apply_geometry(boundary[class_id].numpy(), geometry, interpolation="cubic")
        crops[class_id] = torch.from_numpy(crop).clamp(0, 1)  # cubic interpolation overshoots
    return crops


def check_inputs(
    config: ClassifierTraining,
    *,
    init: Path | None,
    boundaries: Sequence[Path],
    canny: Path | None,
) -> None:
    """Raises UserError if an input of the method is missing."""
    if init is None and isinstance(config.method.init, InitFile):
        raise UserError(f"--init is missing; the method starts from {config.method.init.weights}")
    wanted = config.method.boundary_inputs()
    if wanted is None:
        return
    if not boundaries:
        raise UserError("--boundaries is missing; expected folders of label PNGs")
    if wanted.canny and config.canny.input == "rgb" and canny is None:
        raise UserError("--canny is missing; expected a folder of Canny edges")


def prepare_training(
    config: ClassifierTraining,
    dataset: Dataset,
    *,
    init: Path | None,
    boundaries: Sequence[Path],
    canny: Path | None,
    seed: int,
) -> tuple[TrainableModel, ClassifierSamples]:
    """Builds the model and the samples of the training.

    Args:
        config: The configuration of all classifiers and of the method.
        dataset: Images, labels and splits.
        init: See `start_classifier`.
        boundaries: Folders of the label maps from which boundaries are computed.
        canny: Folder of the Canny edges.
        seed: Seed of the randomly initialised layers.
    """
    check_inputs(config, init=init, boundaries=boundaries, canny=canny)
    torch.manual_seed(seed)
    model = start_classifier(config, len(dataset.class_names), init=init)
    wanted = config.method.boundary_inputs()
    samples = ClassifierSamples(
        dataset,
        config.classifier,
        fill=model.net.backbone.fill,
        boundary_dirs=boundaries,
        map_radius=wanted.map_radius if wanted else None,
        canny_dir=canny,
        of_image=getattr(model, "of_image", None),
    )
    return model, samples


def classifier_metadata(config: ClassifierTraining, class_names: Sequence[str]) -> dict[str, Any]:
    """Returns the metadata from which a network is rebuilt.

    The name of the method is not included, so that methods with equal configs share a training.
    """
    return {
        "network": "classifier",
        "config": config.model_dump(mode="json"),
        "class_names": list(class_names),
    }


def start_classifier(
    config: ClassifierTraining, num_classes: int, *, init: Path | None = None
) -> TrainableModel:
    """Builds a method's model: the network with its initial weights and its losses.

    Args:
        config: The configuration of all classifiers and of the method.
        num_classes: K, without background.
        init: Weights file of another method or a released one; None: ImageNet weights of the
            backbone. SBNet's files also have a boundary head in the released form.

    Raises:
        UserError: The file holds another network, or its sha256 is not that of the config, or the
            backbone does not have the features that the method needs.
    """
    kind = find_kind(config.method.kind)
    net = kind.build_network(config, num_classes, load=load_pretrained if init is None else None)
    if init is not None:
        if isinstance(config.method.init, InitFile):
            check_sha256(init, config.method.init.sha256)
        fresh = _load_init(net, init, num_classes=num_classes)
        if fresh and config.method.epochs == 0:
            raise UserError(
                f"{init}: has no {name_some(fresh)}; expected epochs of at least 1 to train it"
            )
    return kind.build_training(net, config, init=init)


def _load_init(net: nn.Module, path: Path, *, num_classes: int) -> list[str]:
    """Loads a classifier's weights; a missing PCM or background row keeps its random values.

    Returns:
        Names of the tensors that are missing in the file.
    """
    own = net.state_dict()
    has_background = len(own[CLASSIFIER]) > num_classes
    tensors = to_classifier(
        read_checkpoint(path), tensor_shapes(own), source=str(path), background=has_background
    )
    lacking = len(own[CLASSIFIER]) - len(tensors[CLASSIFIER])
    tensors[CLASSIFIER] = torch.cat([own[CLASSIFIER][:lacking], tensors[CLASSIFIER]])
    return list(net.load_state_dict(tensors, strict=False).missing_keys)
