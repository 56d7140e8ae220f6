"""Kind `smoothing`: SEAM with the smoothing branch (paper, section III; row 4, "Ours").

Letters: B images, K foreground classes, C = K + 1 with background first, h w pixels of the branch.
"""

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from wsss_core.config.base import ConfigModel
from wsss_core.config.canny import CannyConfig
from wsss_core.config.classifier import ClassifierTraining
from wsss_core.config.methods import BoundaryInputs
from wsss_core.losses.smoothness import OPERATORS, Operators, boundary_loss, smoothness_loss
from wsss_core.methods import seam
from wsss_core.models.backbone import Backbone
from wsss_core.models.boundary_head import BoundaryHead
from wsss_core.models.seam import SeamNet
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.ops.cam import foreground_score
from wsss_core.ops.grid import Grid, Size, even, pick, pixels, resample, within
from wsss_core.ops.input_edges import InputEdges
from wsss_core.ops.present import take, with_background
from wsss_core.pretrained.boundary_head import to_boundary_head
from wsss_core.pretrained.files import read_checkpoint
from wsss_core.pretrained.tensor_names import tensor_shapes
from wsss_core.training.batches import Batch
from wsss_core.training.distributed import Losses, MeanOf
from wsss_core.training.loss_monitor import Alarm

# Between the foreground scores of sound and of collapsed CAMs, see `foreground_score`. No config
# key, since a key of a method trains it anew.
COLLAPSED = Alarm(
    "foreground", 0.3, "the CAM is collapsing; expected less with a smaller lambda_smoothness"
)


class BranchConfig(ConfigModel):
    """The smoothing branch: boundary head (SBDM) and smoothness loss (paper, section III-A)."""

    boundaries_from: str = Field(description="method whose segmentations give the boundaries S")
    features: tuple[int, ...] = Field(
        (1, 3, 5, 6), min_length=1, description="backbone stages F_m that the boundary head reads"
    )
    canny: bool = Field(default=True, description="fuse Canny edges into the boundary head")
    head: Literal["paper", "released"] = Field(
        "paper", description="layers of the boundary head: the paper's eq. 1, or its code's"
    )
    channels: int = Field(32, ge=1, description="channels M of each F_m inside the head")
    lr_group: Literal["head", "backbone"] = Field(
        "head", description="the boundary head learns like other new layers, or like pretrained"
    )
    stride: Literal[1, 2, 4, 8] = Field(
        1, description="head and smoothness loss work at the crop's size divided by this"
    )
    boundary_radius: int = Field(
        1,
        ge=1,
        description=(
            "half width of the boundary band, in pixels of the resolution that boundaries are "
            "taken at, see boundary_resize"
        ),
    )
    boundary_resize: Literal["labels", "maps"] = Field(
        "labels",
        description=(
            "label maps are resized, and boundaries taken of them at the size of each loss; or "
            "boundary maps of the image's own size are resized, which makes them soft (released)"
        ),
    )
    boundary_loss: Literal["logits", "probabilities"] = Field(
        "logits",
        description=(
            "cross-entropy of logits; or of their sigmoid (released), which has no gradient where "
            "that is 0 or 1 in single precision"
        ),
    )
    lambda_boundary: float = Field(0.05, ge=0, description="weight of the boundary loss")
    lambda_smoothness: float = Field(1.0, ge=0, description="weight of the smoothness loss")
    operators: Literal["paper", "released"] = Field(
        "paper",
        description=(
            "how smoothness is measured. paper: differences of neighbours, weighted 1 and 10 by "
            "order, relaxed by the same derivative of the boundary. released: Sobel and Laplacian, "
            "weighted 10 and 1, relaxed by the boundary itself, zeros around each crop"
        ),
    )
    order_weights: tuple[float, float] | None = Field(
        None, description="weights of first and second derivatives, in place of the operators' own"
    )
    padding: Literal["replicate", "zeros"] | None = Field(
        None,
        description=(
            "of maps before derivatives, in place of the operators' own; zeros are an edge around "
            "each crop"
        ),
    )
    mean_over: Literal["all", "present"] = Field(
        "all",
        description=(
            "the smoothness loss is a mean over all classes and the background (paper), which "
            "weakens it where there are many; or over those present in the image"
        ),
    )
    edge_alpha: float = Field(10.0, ge=0, description="how much a boundary relaxes the smoothness")
    reference_size: int | None = Field(
        None,
        ge=1,
        description=(
            "derivatives are taken per 1/reference_size of the crop's side, so that a weight "
            "keeps its meaning at any resolution; null: per pixel, as in the paper"
        ),
    )

    def smoothness_operators(self) -> Operators:
        """Those of the smoothness loss, with what is given in their place."""
        own = OPERATORS[self.operators]
        return own._replace(
            order_weights=self.order_weights or own.order_weights,
            padding=self.padding or own.padding,
        )


class Config(seam.Config):
    """SEAM's keys and those of the branch."""

    smoothing: BranchConfig

    def feature_stages(self) -> dict[str, tuple[int, ...]]:
        """Backbone stages F_m that the PCM and the boundary head read."""
        return super().feature_stages() | {"smoothing.features": self.smoothing.features}

    def boundary_inputs(self) -> BoundaryInputs:
        """The teacher's segmentations, and edges where the head fuses them."""
        branch = self.smoothing
        radius = branch.boundary_radius if branch.boundary_resize == "maps" else None
        key = "smoothing.boundaries_from"
        return BoundaryInputs(branch.boundaries_from, branch.canny, radius, key)


class SmoothingBranch(nn.Module):
    """Boundary head and both losses of the branch, for any network with CAM and feature maps."""

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        config: BranchConfig,
        *,
        canny: CannyConfig,
        background: bool = False,
    ) -> None:
        """Builds the boundary head.

        Args:
            backbone: Whose features are read; it stays part of the network it belongs to.
            num_classes: K, without background.
            config: Head and losses.
            canny: What the edges are of, and their value.
            background: Whether the network's CAM has a channel for the background.

        Raises:
            UserError: The backbone has no such features.
        """
        super().__init__()
        self.config = config
        self.canny = canny
        self.background = background
        self.num_classes = num_classes
        self.geometry = backbone.geometry
        self.loss_weights = {
            "boundary": config.lambda_boundary,
            "smoothness": config.lambda_smoothness,
        }
        self.head = BoundaryHead(
            backbone.channels_of(config.features, key="smoothing.features"),
            num_classes + 1,
            channels=config.channels,
            canny=config.canny,
            form=config.head,
        )

    def forward(self, scales: list[seam.Scale], batch: Batch) -> Losses:
        """What the network says of a batch at each scale -> unweighted losses and a measure."""
        label = batch["label"]
        pairs = [self._losses(index, scale, batch) for index, scale in enumerate(scales)]
        smoothness = torch.stack([smoothness for _, smoothness in pairs]).mean()
        present = label.sum() + (len(label) if self.background else 0)
        over_present = self.config.mean_over == "present"
        foreground = foreground_score(scales[0].output.cam_logits.detach(), label)
        return {
            "boundary": torch.stack([boundary for boundary, _ in pairs]).mean(),
            "smoothness": MeanOf(smoothness, present) if over_present else smoothness,
            "foreground": MeanOf(foreground, label.sum()),
        }

    def load_released(self, path: Path) -> None:
        """Loads the trained head of SBNet's files; others, which have none, change nothing."""
        shapes = tensor_shapes(self.head.state_dict())
        tensors = to_boundary_head(
            read_checkpoint(path), shapes, stages=self.config.features, source=str(path)
        )
        if tensors is not None:
            self.head.load_state_dict(tensors)

    def _losses(self, index: int, scale: seam.Scale, batch: Batch) -> tuple[Tensor, Tensor]:
        """Boundary and smoothness loss of one scale, at its image's size divided by the stride."""
        config, output = self.config, scale.output
        size = (scale.size[0] // config.stride, scale.size[1] // config.stride)
        grid = pixels(size) if config.stride == 1 else even(scale.size, size)
        boundary = self._boundary(batch, scale, grid)
        edges = self._edges(index, batch, size) if config.canny else None
        features = [
            (output.features[m - 1], self.geometry.grid(m, scale.size)) for m in config.features
        ]
        logits = self.head(features, edges, grid)
        num_images, pairs = len(scale.image), batch["present"]
        cam_logits, of_channels = output.cam_logits, boundary[:, 1:]
        if self.background:
            cam_logits = torch.cat([output.background_logits, cam_logits], dim=1)
            of_channels, pairs = boundary, with_background(pairs, num_images)
        cam = self.geometry.spread(take(cam_logits, pairs), scale.size, size).sigmoid()
        smoothness = smoothness_loss(
            cam,
            take(of_channels, pairs),
            present=torch.ones_like(cam[..., 0, 0]),
            operators=config.smoothness_operators(),
            edge_alpha=config.edge_alpha,
            pixel_size=config.reference_size / size[0] if config.reference_size else 1.0,
            num_classes=self.num_classes + 1 if config.mean_over == "all" else None,
            num_images=num_images,
        )
        return boundary_loss(logits, boundary, of=config.boundary_loss), smoothness

    def _boundary(self, batch: Batch, scale: seam.Scale, grid: Grid) -> Tensor:
        """Semantic boundaries [B, C, h, w] in [0, 1] on a grid over the image of a scale."""
        is_soft = self.config.boundary_resize == "maps"
        given: Tensor = batch["boundary"] if is_soft else batch["mask"]
        crop = given.shape[-2], given.shape[-1]
        grid = within(grid, self.geometry.copy(crop, scale.size))
        if is_soft:
            return resample(given, pixels(crop), grid)
        return semantic_boundary(
            pick(given, pixels(crop), grid),
            num_classes=self.num_classes + 1,
            radius=self.config.boundary_radius,
        )

    def _edges(self, index: int, batch: Batch, size: Size) -> Tensor:
        """Canny edges [B, 1, h, w] for a scale, 0 or up to `edge_value`."""
        edges = batch["edges" if self.canny.input == "rgb" else f"edges_{index}"]
        return F.adaptive_max_pool2d(edges, size) * self.canny.edge_value


class Training(nn.Module):
    """SEAM's training and the branch, on one network."""

    alarms = (COLLAPSED,)

    def __init__(self, base: seam.Training, branch: SmoothingBranch) -> None:
        super().__init__()
        self.seam = base
        self.branch = branch
        self.loss_weights = base.loss_weights | branch.loss_weights
        self.of_image = None
        if branch.config.canny and branch.canny.input == "normalized_cast":
            backbone = base.net.backbone
            self.of_image = InputEdges(backbone.mean, backbone.std, base.images, branch.canny)

    @property
    def net(self) -> SeamNet:
        """What is saved: inference needs no branch."""
        return self.seam.net

    def forward(self, batch: Batch) -> Losses:
        """Batch of `ClassifierSamples` -> unweighted losses and a measure by name."""
        scales = self.seam.at_scales(batch["image"])
        return {**self.seam.losses(scales, batch), **self.branch(scales, batch)}

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the pretrained backbone and of the new layers, the branch's included."""
        groups = self.seam.param_groups()
        groups[self.branch.config.lr_group] += self.branch.parameters()
        return groups


build_network = seam.build_network


def build_training(
    net: SeamNet, config: ClassifierTraining, *, init: Path | None = None
) -> Training:
    """The network with its losses; from SBNet's files the boundary head is taken too."""
    method = config.method
    assert isinstance(method, Config), "a method of this kind"
    branch = SmoothingBranch(
        net.backbone,
        net.num_classes,
        method.smoothing,
        canny=config.canny,
        background=method.background,
    )
    if init is not None and method.smoothing.head == "released":
        branch.load_released(init)
    return Training(seam.Training(net, method), branch)
