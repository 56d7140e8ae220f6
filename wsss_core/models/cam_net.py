"""The plain CAM classifier (Zhou et al., CVPR 2016; Table I, row 1)."""

import torch
from torch import Tensor, nn

from wsss_core.models.backbone import Backbone


class CamLayer(nn.Conv2d):
    """A 1x1 convolution as the last layer of a classifier. Its output is the CAM."""

    def __init__(self, in_channels: int, num_classes: int, *, dropout: float) -> None:
        super().__init__(in_channels, num_classes, 1, bias=False)
        nn.init.xavier_uniform_(self.weight)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, feature: Tensor) -> Tensor:
        """Last feature map [B, D, h, w] -> cam_logits [B, K, h, w]."""
        return super().forward(self.dropout(feature))


class CamNet(nn.Module):
    """A backbone and a CAM layer."""

    def __init__(self, backbone: Backbone, num_classes: int, *, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = CamLayer(backbone.channels[-1], num_classes, dropout=dropout)

    def forward(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> cam_logits [B, K, h, w]."""
        cam_logits: Tensor = self.classifier(self.backbone(image)[-1])
        return cam_logits

    @torch.inference_mode()
    def infer_raw(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> non-negative CAM [B, K, h, w] of the classifier."""
        cam_logits: Tensor = self(image)
        return cam_logits.relu()

    def infer(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] -> non-negative CAM [B, K, h, w]; same as `infer_raw`."""
        return self.infer_raw(image)
