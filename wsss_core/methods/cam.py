"""Kind `cam`: plain class activation maps (Zhou et al., CVPR 2016; Table I, row 1)."""

from pathlib import Path

from torch import nn

from wsss_core.config.classifier import ClassifierTraining
from wsss_core.config.methods import MethodConfig
from wsss_core.losses.classification import classification_loss
from wsss_core.models.backbone import Loader, build_backbone
from wsss_core.models.cam_net import CamNet
from wsss_core.training.batches import Batch
from wsss_core.training.distributed import Losses
from wsss_core.training.loss_monitor import Alarm


class Config(MethodConfig):
    """This kind has no keys of its own."""


class Training(nn.Module):
    """The classification loss of one scale."""

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
        """Returns the parameters of the pretrained backbone and of the new CAM layer."""
        return {
            "backbone": list(self.net.backbone.parameters()),
            "head": list(self.net.classifier.parameters()),
        }


def build_network(
    config: ClassifierTraining, num_classes: int, *, load: Loader | None = None
) -> CamNet:
    """Builds the network: backbone and CAM layer."""
    backbone = build_backbone(config.backbone, load=load)
    return CamNet(backbone, num_classes, dropout=config.classifier.dropout)


def build_training(
    net: CamNet, config: ClassifierTraining, *, init: Path | None = None
) -> Training:
    """Adds the loss to the network."""
    return Training(net)
