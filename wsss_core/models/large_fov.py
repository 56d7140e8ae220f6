"""The head of DeepLab-v1 with a large field of view, as SEAM's authors use it on ResNet38d."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = 512
DROPOUT = 0.5


class LargeFov(nn.Module):
    """A dilated 3x3 and a 1x1 convolution, each with BatchNorm and ReLU, then the classifier.

    The BatchNorms have no scales and biases. The published code has them, but does not give them to
    its optimiser, so they stay 1 and 0.
    """

    def __init__(self, channels: int, num_classes: int, *, rate: int) -> None:
        super().__init__()
        self.fov = nn.Conv2d(channels, CHANNELS, 3, padding=rate, dilation=rate, bias=False)
        self.fov_norm = nn.BatchNorm2d(CHANNELS, affine=False)
        self.mix = nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(CHANNELS, affine=False)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Conv2d(CHANNELS, num_classes, 1)
        for conv in (self.fov, self.mix, self.classifier):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(cast(Tensor, self.classifier.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, D, h, w] -> logits [B, C, h, w]."""
        x = F.relu(self.fov_norm(self.fov(x)))
        x = F.relu(self.mix_norm(self.mix(x)))
        logits: Tensor = self.classifier(self.dropout(x))
        return logits
