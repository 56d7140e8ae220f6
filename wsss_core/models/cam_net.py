"""The plain CAM classifier (Zhou et al., CVPR 2016; Table I, row 1)."""

import torch
from torch import Tensor, nn

from wsss_core.models.backbone import Backbone


class CamNet(nn.Module):
    """A classifier whose last layer is a 1x1 convolution, so that its output is a CAM."""

    def __init__(self, backbone: Backbone, num_classes: int, *, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        nn.init.xavier_uniform_(self.classifier.weight)

    def forward(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> cam_logits [B, K, h, w]."""
        return self.classify(self.backbone(image)[-1])

    def classify(self, feature: Tensor) -> Tensor:
        """Last feature map [B, D, h, w] -> cam_logits [B, K, h, w]."""
        cam_logits: Tensor = self.classifier(self.dropout(feature))
        return cam_logits

    @torch.inference_mode()
    def infer_raw(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] -> non-negative CAM [B, K, h, w], as it comes from the classifier."""
        return self.classify(self.backbone(image)[-1]).relu()

    def infer(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] -> non-negative CAM [B, K, h, w], the best that the network has."""
        return self.infer_raw(image)
