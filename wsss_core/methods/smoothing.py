"""Kind `smoothing`: SEAM with the smoothing branch (paper, section III; row 4, "Ours").

Letters: B images, K foreground classes, C = K + 1 with background first, h w pixels of the branch.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_core.config.canny import CannyConfig
from wsss_core.config.classifier import ClassifierTraining
from wsss_core.config.methods import BoundaryInputs
from wsss_core.config.smoothing import BranchConfig
from wsss_core.losses.smoothness import OPERATORS, Operators, boundary_loss, smoothness_loss
from wsss_core.methods import seam
from wsss_core.models.backbone import Backbone
from wsss_core.models.boundary_head import BoundaryHead
from wsss_core.models.seam import SeamNet
from wsss_core.ops.boundary import semantic_boundary
from wsss_core.ops.cam import foreground_score, share_of_maximum
from wsss_core.ops.grid import Grid, Size, even, pick, pixels, resample, within
from wsss_core.ops.input_edges import InputEdges
from wsss_core.ops.present import take, with_background
from wsss_core.pretrained.boundary_head import to_boundary_head
from wsss_core.pretrained.files import read_checkpoint
from wsss_core.pretrained.tensor_names import tensor_shapes
from wsss_core.training.batches import Batch
from wsss_core.training.distributed import Losses, MeanOf
from wsss_core.training.loss_monitor import Alarm

# A value between the foreground scores of good and of collapsed CAMs, see `foreground_score`. Not a
# config key, since a change of a method's key would train it again.
COLLAPSED = Alarm(
    "foreground", 0.3, "the CAM is collapsing; expected less with a smaller lambda_smoothness"
)


class Config(seam.Config):
    """The keys of SEAM and of the smoothing branch."""

    smoothing: BranchConfig

    def feature_stages(self) -> dict[str, tuple[int, ...]]:
        """Returns the backbone stages F_m that the PCM and the boundary head read."""
        return super().feature_stages() | {"smoothing.features": self.smoothing.features}

    def boundary_inputs(self) -> BoundaryInputs:
        """Returns the inputs: masks of the teacher, and Canny edges if the head uses them."""
        branch = self.smoothing
        radius = branch.boundary_radius if branch.boundary_resize == "maps" else None
        key = "smoothing.boundaries_from"
        return BoundaryInputs(
            branch.boundaries_from, branch.boundaries_stage, branch.canny, radius, key
        )


def smoothness_operators(config: BranchConfig) -> Operators:
    """Returns the operators of the smoothness loss, with the values that the config replaces."""
    own = OPERATORS[config.operators]
    return own._replace(
        order_weights=config.order_weights or own.order_weights,
        padding=config.padding or own.padding,
    )


class SmoothingBranch(nn.Module):
    """Boundary head and both losses of the branch, for any network with a CAM and features."""

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
            backbone: The backbone whose features the head reads. It stays a part of its network
                and does not become a part of this module.
            num_classes: K, without background.
            config: Head and losses.
            canny: Input and value of the edges.
            background: Whether the CAM of the network has a channel for the background.

        Raises:
            UserError: The backbone does not have a stage of `config.features`.
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
        """Network outputs at each scale, and the batch -> unweighted losses and a measure."""
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
        """Loads the trained head of a file of SBNet. Files without a head change nothing."""
        shapes = tensor_shapes(self.head.state_dict())
        tensors = to_boundary_head(
            read_checkpoint(path), shapes, stages=self.config.features, source=str(path)
        )
        if tensors is not None:
            self.head.load_state_dict(tensors)

    def _losses(self, index: int, scale: seam.Scale, batch: Batch) -> tuple[Tensor, Tensor]:
        """Computes boundary and smoothness loss of one scale, at its size divided by the stride."""
        config, output = self.config, scale.output
        size = (scale.size[0] // config.stride, scale.size[1] // config.stride)
        grid = pixels(size) if config.stride == 1 else even(scale.size, size)
        boundary = self._boundary(batch, scale, grid)
        edges = self._edges(index, batch, size) if config.canny else None
        features = [
            (output.features[m - 1], self.geometry.grid(m, scale.size)) for m in config.features
        ]
        logits = self.head(features, edges, grid)
        smoothness = self._smoothness(scale, boundary, batch["present"])
        return boundary_loss(logits, boundary, of=config.boundary_loss), smoothness

    def _smoothness(self, scale: seam.Scale, boundary: Tensor, present: Tensor) -> Tensor:
        """Computes the smoothness loss of one scale, at the size of `boundary` [B, C, h, w].

        The loss of the raw CAM trains the classifier, and that of the refined CAM only the PCM. So
        the two losses are added and not averaged.
        """
        config, output, num_images = self.config, scale.output, len(scale.image)
        maps = {"raw": output.cam_logits, "refined": output.refined_cam[:, 1:]}
        pairs, of_channels = present, boundary[:, 1:]
        if self.background:
            raw = torch.cat([output.background_logits, output.cam_logits], dim=1)
            maps = {"raw": raw, "refined": output.refined_cam}
            pairs, of_channels = with_background(present, num_images), boundary
        size = boundary.shape[-2], boundary.shape[-1]
        chosen = [maps[name] for name in maps if config.smoothed_cam in (name, "both")]
        cams = [self.geometry.spread(take(one, pairs), scale.size, size) for one in chosen]
        losses = [
            smoothness_loss(
                cam.sigmoid() if config.score == "sigmoid" else share_of_maximum(cam),
                take(of_channels, pairs),
                present=torch.ones_like(cam[..., 0, 0]),
                operators=smoothness_operators(config),
                edge_alpha=config.edge_alpha,
                without_boundary=config.without_boundary,
                pixel_size=config.reference_size / size[0] if config.reference_size else 1.0,
                num_classes=self.num_classes + 1 if config.mean_over == "all" else None,
                num_images=num_images,
            )
            for cam in cams
        ]
        return torch.stack(losses).sum()

    def _boundary(self, batch: Batch, scale: seam.Scale, grid: Grid) -> Tensor:
        """Computes semantic boundaries [B, C, h, w] in [0, 1] on a grid over one scale."""
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
        """Returns the Canny edges [B, 1, h, w] of one scale, in [0, `edge_value`]."""
        edges = batch["edges" if self.canny.input == "rgb" else f"edges_{index}"]
        return F.adaptive_max_pool2d(edges, size) * self.canny.edge_value


class Training(nn.Module):
    """The losses of SEAM and of the smoothing branch on one network."""

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
        """The network that is saved; inference does not need the branch."""
        return self.seam.net

    def forward(self, batch: Batch) -> Losses:
        """Batch of `ClassifierSamples` -> unweighted losses and a measure by name."""
        scales = self.seam.at_scales(batch["image"])
        return {**self.seam.losses(scales, batch), **self.branch(scales, batch)}

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters of the backbone and of the new layers, including the branch."""
        groups = self.seam.param_groups()
        groups[self.branch.config.lr_group] += self.branch.parameters()
        return groups


build_network = seam.build_network


def build_training(
    net: SeamNet, config: ClassifierTraining, *, init: Path | None = None
) -> Training:
    """Adds the losses to the network. From a file of SBNet, also loads the boundary head."""
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
