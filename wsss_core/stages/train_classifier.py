"""Stage train_classifier: CAM, SEAM, and SEAM with the smoothing branch.

Letters: B images, K foreground classes, C = K + 1 with background first, H W pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from wsss_core.config.classifier import ClassifierConfig, ClassifierTraining
from wsss_core.config.init_file import InitFile
from wsss_core.config.methods import SmoothingConfig
from wsss_core.data.dataset import TRAIN_SPLIT, Dataset
from wsss_core.data.images import IGNORE_INDEX, read_mask
from wsss_core.data.mask_files import find_masks
from wsss_core.data.transforms import (
    Geometry,
    apply_geometry,
    color_jitter,
    draw_geometry,
    image_tensor,
)
from wsss_core.losses.classification import classification_loss
from wsss_core.losses.seam import (
    adaptive_min_loss,
    cross_refinement_loss,
    equivariance_loss,
)
from wsss_core.losses.smoothness import boundary_loss, smoothness_loss
from wsss_core.models.backbone import Backbone
from wsss_core.models.boundary_head import BoundaryHead
from wsss_core.models.cam_net import CamNet
from wsss_core.models.classifier import build_classifier
from wsss_core.models.seam import SeamNet, SeamOutput
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.ops.cam import add_background, foreground_score, normalize_cam
from wsss_core.ops.canny import cast_canny_edges
from wsss_core.pretrained.boundary_head import to_boundary_head
from wsss_core.pretrained.classifier import CLASSIFIER, to_classifier
from wsss_core.pretrained.files import check_sha256, read_checkpoint
from wsss_core.pretrained.imagenet import load_pretrained
from wsss_core.pretrained.tensor_names import tensor_shapes
from wsss_core.runtime.errors import UserError, name_some
from wsss_core.training.batches import Batch
from wsss_core.training.distributed import Losses, MeanOf
from wsss_core.training.loss_monitor import Alarm

# Between the foreground scores of sound and of collapsed CAMs, see `foreground_score`. No config
# key, since a key of a method trains it anew.
COLLAPSED = Alarm(
    "foreground", 0.3, "the CAM is collapsing; expected less with a smaller lambda_smoothness"
)


class ClassifierSamples:
    """Photographs of train_aug with their labels; with a branch also boundaries and edges.

    Args:
        dataset: Images, labels and splits.
        config: Crops and colours.
        fill: Colour outside the image.
        boundary_dirs: Label maps that the boundaries are taken of.
        map_radius: If boundary maps are resized and not label maps: half width of their band.
        canny_dir: Canny edges of the images.
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
    ) -> None:
        self.dataset = dataset
        self.config = config
        self.fill = fill
        self.map_radius = map_radius
        self.image_ids = dataset.split(TRAIN_SPLIT)
        self.canny_dir = canny_dir
        self.boundary_labels = find_masks(boundary_dirs, what="segmentation")
        if boundary_dirs:
            missing = [i for i in self.image_ids if i not in self.boundary_labels]
            if missing:
                raise UserError(f"{missing[0]}: no segmentation to take its boundaries from")

    def __len__(self) -> int:
        return len(self.image_ids)

    def sample(self, index: int, rng: np.random.Generator) -> Batch:
        """Reads and augments one image.

        Returns:
            image: [3, crop, crop] in [0, 1]; label: [K] in {0, 1}; if used, mask: uint8
            [crop, crop] class ids, 255 outside the image, or boundary: [C, crop, crop] in [0, 1];
            edges: [1, crop, crop] in [0, 1].
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
        # Jitter comes before padding, so that the padding keeps the colour that normalises to 0.
        jittered = color_jitter(image, rng, self.config.color_jitter)
        crop = apply_geometry(jittered, geometry, interpolation="cubic", fill=self.fill)
        batch = {
            "image": image_tensor(crop),
            "label": torch.from_numpy(self.dataset.labels[image_id]).float(),
        }
        if self.boundary_labels:
            mask = read_mask(self.boundary_labels[image_id])
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
        return batch


def _boundary_maps(
    mask: NDArray[np.uint8], geometry: Geometry, *, num_classes: int, radius: int
) -> Tensor:
    """Boundary maps at the image's own size, then resized and cropped like it: [C, crop, crop]."""
    ids = torch.from_numpy(mask)[None]
    boundary = semantic_boundary(ids, num_classes=num_classes, radius=radius)[0]
    crops = torch.zeros(num_classes, geometry.crop_size, geometry.crop_size)
    for class_id in np.unique(mask):
        crop = apply_geometry(boundary[class_id].numpy(), geometry, interpolation="cubic")
        crops[class_id] = torch.from_numpy(crop).clamp(0, 1)  # a cubic overshoots
    return crops


class CamTraining(nn.Module):
    """Plain CAM: the classification loss on one scale."""

    alarms: tuple[Alarm, ...] = ()

    def __init__(self, net: CamNet) -> None:
        super().__init__()
        self.net = net
        self.loss_weights = {"classification": 1.0}

    def forward(self, batch: Batch) -> Losses:
        """Batch of `ClassifierSamples` -> unweighted losses by name."""
        cam_logits = self.net(batch["image"]).float()
        return {"classification": classification_loss(cam_logits, batch["label"])}

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the pretrained backbone and of the new head."""
        return _param_groups(self)


class SeamTraining(nn.Module):
    """SEAM: two scales of one image, whose CAMs refine each other (SEAM, train_SEAM.py)."""

    def __init__(
        self,
        net: SeamNet,
        config: ClassifierTraining,
        *,
        boundary_head: BoundaryHead | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.seam = config.classifier.seam
        self.smoothing = config.method.smoothing
        self.canny = config.canny
        self.boundary_head = boundary_head
        self.loss_weights = {"classification": 1.0, "adaptive_min": 1.0, "er": 1.0, "ecr": 1.0}
        if self.smoothing is not None:
            self.loss_weights["boundary"] = self.smoothing.lambda_boundary
            self.loss_weights["smoothness"] = self.smoothing.lambda_smoothness
        self.alarms = () if self.smoothing is None else (COLLAPSED,)

    def forward(self, batch: Batch) -> Losses:
        """Batch of `ClassifierSamples` -> unweighted losses and measures by name."""
        image, label = batch["image"], batch["label"]
        height, width = image.shape[-2:]
        sizes = [(height, width), (int(height * self.seam.scale), int(width * self.seam.scale))]
        images = [image, self._resize(image, sizes[1])]
        outputs: list[SeamOutput] = [self.net(x) for x in images]
        losses: dict[str, Tensor | MeanOf] = {**self._seam_losses(outputs, label, sizes)}
        if self.smoothing is not None:
            branches = [
                self._smoothing_losses(scaled, output, batch, self.smoothing)
                for scaled, output in zip(images, outputs, strict=True)
            ]
            losses["boundary"] = torch.stack([b for b, _ in branches]).mean()
            smoothness = torch.stack([s for _, s in branches]).mean()
            present = label.sum() + (len(label) if self.seam.background else 0)
            over_present = self.smoothing.mean_over == "present"
            losses["smoothness"] = MeanOf(smoothness, present) if over_present else smoothness
            foreground = foreground_score(outputs[0].cam_logits.detach(), label)
            losses["foreground"] = MeanOf(foreground, label.sum())
        return losses

    def _seam_losses(
        self, outputs: list[SeamOutput], label: Tensor, sizes: list[tuple[int, int]]
    ) -> dict[str, Tensor]:
        present = F.pad(label, (1, 0), value=1.0)[:, :, None, None]  # background always is
        cams = [self._resize(o.cam_logits, s) for o, s in zip(outputs, sizes, strict=True)]
        refined = [self._resize(o.refined_cam, s) for o, s in zip(outputs, sizes, strict=True)]
        classification = [classification_loss(cam, label) for cam in cams]
        adaptive_min = [adaptive_min_loss(r[:, 1:], label) for r in refined]

        common = sizes[1]
        cams = [self._resize(normalize_cam(cam), common) * present[:, 1:] for cam in cams]
        refined = [self._resize(normalize_cam(r), common) * present for r in refined]
        scores = [add_background(cam) for cam in cams]
        return {
            "classification": torch.stack(classification).mean(),
            "adaptive_min": torch.stack(adaptive_min).mean(),
            "er": equivariance_loss(*cams),
            "ecr": self._ecr(refined[0], scores[1]) + self._ecr(refined[1], scores[0]),
        }

    def _ecr(self, refined_cam: Tensor, target: Tensor) -> Tensor:
        return cross_refinement_loss(
            refined_cam,
            target,
            top_fraction=self.seam.ecr_top_fraction,
            background=self.seam.ecr_background,
        )

    def _smoothing_losses(
        self, image: Tensor, output: SeamOutput, batch: Batch, config: SmoothingConfig
    ) -> tuple[Tensor, Tensor]:
        """Boundary and smoothness loss of one branch, at its image's size divided by the stride."""
        size = (image.shape[-2] // config.stride, image.shape[-1] // config.stride)
        boundary = self._boundary(batch, size, config, num_classes=output.refined_cam.shape[1])
        edges = self._edges(image, batch, size) if config.canny else None
        features = [output.features[m - 1] for m in config.features]
        assert self.boundary_head is not None, "a smoothing branch has a boundary head"
        logits = self.boundary_head(features, edges, size)
        cam_logits, present = output.cam_logits, batch["label"]
        if self.seam.background:
            cam_logits = torch.cat([output.background_logits, cam_logits], dim=1)
            present = F.pad(present, (1, 0), value=1.0)
        smoothness = smoothness_loss(
            self._resize(cam_logits, size).sigmoid(),
            boundary[:, -cam_logits.shape[1] :],
            present=present,
            edge_alpha=config.edge_alpha,
            order_weights=config.order_weights,
            derivatives=config.derivatives,
            padding=config.padding,
            edge_weight=config.edge_weight,
            pixel_size=config.reference_size / size[0] if config.reference_size else 1.0,
            mean_over=config.mean_over,
            background=self.seam.background,
        )
        return boundary_loss(logits, boundary, of=config.boundary_loss), smoothness

    def _boundary(
        self, batch: Batch, size: tuple[int, int], config: SmoothingConfig, *, num_classes: int
    ) -> Tensor:
        """Semantic boundaries [B, C, h, w] in [0, 1] of a size."""
        if config.boundary_resize == "maps":
            return self._resize(batch["boundary"], size)
        mask = F.interpolate(batch["mask"][:, None].float(), size, mode="nearest-exact")[:, 0]
        return semantic_boundary(mask, num_classes=num_classes, radius=config.boundary_radius)

    def _edges(self, image: Tensor, batch: Batch, size: tuple[int, int]) -> Tensor:
        """Canny edges [B, 1, h, w] of a size, 0 or up to `edge_value`."""
        edges = batch.get("edges")
        if self.canny.input == "normalized_cast":
            normalized = self.net.backbone.normalize(image).cpu().numpy()
            cast = cast_canny_edges(normalized, low=self.canny.low, high=self.canny.high)
            edges = torch.from_numpy(cast)[:, None].to(image.device).float() / 255
        assert edges is not None, "edges of photographs come with the samples"
        return F.adaptive_max_pool2d(edges, size) * self.canny.edge_value

    def _resize(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Brings a map to the size of its losses, and out of autocast's bf16.

        That has steps of 0.002 to 0.004 in [0.5, 1]: as large as the differences between
        neighbouring pixels that the smoothness loss is about.
        """
        align_corners = self.net.backbone.align_corners
        return F.interpolate(
            x.float().contiguous(), size, mode="bilinear", align_corners=align_corners
        )

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the pretrained backbone and of the new layers, the branch's included."""
        slow = self.smoothing is not None and self.smoothing.lr_group == "backbone"
        return _param_groups(self, *([self.boundary_head] if slow else []))


def _param_groups(
    training: CamTraining | SeamTraining, *others: nn.Module | None
) -> dict[str, list[nn.Parameter]]:
    """Parameters of the backbone, and of others that are to learn like it; and all the rest."""
    modules = nn.ModuleList([training.net.backbone, *filter(None, others)])
    backbone = list(modules.parameters())
    ids = {id(p) for p in backbone}
    return {"backbone": backbone, "head": [p for p in training.parameters() if id(p) not in ids]}


def build_classifier_training(
    config: ClassifierTraining, num_classes: int, *, init: Path | None
) -> CamTraining | SeamTraining:
    """Composes the network of a method with its losses.

    Args:
        config: The shared part and the method's own.
        num_classes: K, without background.
        init: Weights file that it starts from, of a method or a released one; None: the
            backbone's ImageNet weights. SBNet's bring a boundary head of the released form.

    Raises:
        UserError: The file holds another network or is not the one that the config means, or the
            method asks for features that the backbone does not have.
    """
    net = build_classifier(config, num_classes, load=load_pretrained if init is None else None)
    if init is not None:
        if isinstance(config.method.init, InitFile):
            check_sha256(init, config.method.init.sha256)
        fresh = _load_init(net, init)
        if fresh and config.method.epochs == 0:
            raise UserError(
                f"{init}: has no {name_some(fresh)}; expected epochs of at least 1 to train it"
            )
    if not isinstance(net, SeamNet):
        return CamTraining(net)
    smoothing = config.method.smoothing
    if smoothing is None:
        return SeamTraining(net, config)
    head = _build_boundary_head(smoothing, net.backbone, num_classes, init=init)
    return SeamTraining(net, config, boundary_head=head)


def _build_boundary_head(
    config: SmoothingConfig, backbone: Backbone, num_classes: int, *, init: Path | None
) -> BoundaryHead:
    head = BoundaryHead(
        backbone.channels_of(config.features, key="smoothing.features"),
        num_classes + 1,
        channels=config.channels,
        canny=config.canny,
        form=config.head,
        align_corners=backbone.align_corners,
    )
    if init is not None and config.head == "released":
        shapes = tensor_shapes(head.state_dict())
        tensors = to_boundary_head(
            read_checkpoint(init), shapes, stages=config.features, source=str(init)
        )
        if tensors is not None:
            head.load_state_dict(tensors)
    return head


def _load_init(net: CamNet | SeamNet, path: Path) -> list[str]:
    """Loads a classifier's weights; a PCM or a background that they lack starts anew.

    Returns:
        Names of the tensors that start anew.
    """
    own = net.state_dict()
    has_background = isinstance(net, SeamNet) and net.num_background > 0
    tensors = to_classifier(
        read_checkpoint(path), tensor_shapes(own), source=str(path), background=has_background
    )
    lacking = len(own[CLASSIFIER]) - len(tensors[CLASSIFIER])
    tensors[CLASSIFIER] = torch.cat([own[CLASSIFIER][:lacking], tensors[CLASSIFIER]])
    return list(net.load_state_dict(tensors, strict=False).missing_keys)
