"""Builds the classifier of a method, new or from its weights file."""

from collections.abc import Sequence
from pathlib import Path

from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.classifier import ClassifierTraining
from wsss_core.data.weights import load_network_weights
from wsss_core.models.backbone import Loader, build_backbone
from wsss_core.models.cam_net import CamNet
from wsss_core.models.seam import SeamNet


def build_classifier(
    config: ClassifierTraining, num_classes: int, *, load: Loader | None = None
) -> CamNet | SeamNet:
    """Composes backbone and CAM head, and PCM for SEAM.

    Args:
        config: The shared part and the method's own.
        num_classes: K, without background.
        load: Puts ImageNet weights into the backbone; None when a checkpoint follows.
    """
    shared, method = config.classifier, config.method
    backbone_config = _at_stride(shared.backbone, method.output_stride)
    backbone = build_backbone(backbone_config, load=load)
    if method.classifier == "cam":
        return CamNet(backbone, num_classes, dropout=shared.dropout)
    return SeamNet(backbone, num_classes, dropout=shared.dropout, config=shared.seam)


def load_classifier(path: Path, class_names: Sequence[str]) -> CamNet | SeamNet:
    """Rebuilds a trained classifier from its weights file alone, in evaluation mode.

    Args:
        path: Weights file of `train_classifier`.
        class_names: The classes it must have been trained on.

    Raises:
        UserError: The file holds another network, or one of other classes.
    """
    weights = load_network_weights(path, network="classifier", class_names=class_names)
    config = ClassifierTraining.model_validate(weights.metadata["config"])
    net = build_classifier(config, len(class_names))
    net.load_state_dict(weights.state_dict)
    return net.eval()


def _at_stride(config: BackboneConfig, output_stride: int | None) -> BackboneConfig:
    if output_stride is None:
        return config
    return config.model_copy(update={"output_stride": output_stride})
