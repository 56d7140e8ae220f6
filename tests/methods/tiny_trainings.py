"""Builds trainings of each kind on the tiny backbone."""

from typing import Any

import torch

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.config.canny import CannyConfig
from wsss_core.config.smoothing import BranchConfig
from wsss_core.methods import cam, seam, smoothing
from wsss_core.models.cam_net import CamNet
from wsss_core.models.seam import SeamNet

SEAM: dict[str, Any] = {"scale": 0.5, "pcm_features": (1, 2), "pcm_channels": (5, 7)}
BRANCH: dict[str, Any] = {
    "boundaries_from": "other",
    "features": (1, 2),
    "channels": 5,
    "stride": 2,
}


def branch_config(**changes) -> BranchConfig:
    return BranchConfig(**(BRANCH | changes))


def cam_training(*, num_classes: int = 3, dropout: float = 0.25, backbone=None) -> cam.Training:
    torch.manual_seed(0)
    return cam.Training(CamNet(backbone or tiny_backbone(), num_classes, dropout=dropout))


def seam_net(config: seam.Config, *, num_classes: int = 3, dropout=0.25, backbone=None) -> SeamNet:
    return SeamNet(
        backbone or tiny_backbone(),
        num_classes,
        dropout=dropout,
        pcm_features=config.pcm_features,
        pcm_channels=config.pcm_channels,
        background=config.background,
    )


def seam_training(
    branch: BranchConfig | None = None,
    *,
    canny: CannyConfig | None = None,
    num_classes: int = 3,
    dropout: float = 0.25,
    backbone=None,
    **keys,
) -> seam.Training | smoothing.Training:
    """Of kind seam, or of kind smoothing with a branch."""
    torch.manual_seed(0)
    config = seam.Config(kind="seam", epochs=1, **(SEAM | keys))
    net = seam_net(config, num_classes=num_classes, dropout=dropout, backbone=backbone)
    training = seam.Training(net, config)
    if branch is None:
        return training
    head = smoothing.SmoothingBranch(
        net.backbone,
        num_classes,
        branch,
        canny=canny or CannyConfig(),
        background=config.background,
    )
    return smoothing.Training(training, head)
