"""Canny edges of normalised images, found by the processes that read the images."""

from collections.abc import Callable

import torch
from torch import Tensor

from wsss_core.config.canny import CannyConfig
from wsss_core.ops.canny import cast_canny_edges


class InputEdges:
    """Finds the edges of an image at each scale at which a network sees it.

    OpenCV's Canny runs on the CPU. In a training step, it would have to copy the images from the
    GPU and the edges back.
    """

    def __init__(
        self,
        mean: Tensor,
        std: Tensor,
        scales: Callable[[Tensor], list[Tensor]],
        canny: CannyConfig,
    ) -> None:
        """Stores what the edges depend on.

        Args:
            mean: RGB mean in [0, 1] by which the network normalises images. It is copied, since the
                network's own tensor moves to the network's device.
            std: RGB standard deviation, treated in the same way.
            scales: Takes an image [1, 3, H, W]; returns it at each scale at which the network sees
                it.
            canny: The thresholds.
        """
        self.mean = mean.cpu().clone()[:, None, None]
        self.std = std.cpu().clone()[:, None, None]
        self.scales = scales
        self.canny = canny

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Finds the edges of an image.

        Args:
            image: float32 [3, H, W], RGB in [0, 1].

        Returns:
            float32 [1, h, w] in {0, 1} for each scale, under the keys `edges_0`, `edges_1`, ...
        """
        found = {}
        for index, scaled in enumerate(self.scales(image[None])):
            normalized = ((scaled - self.mean) / self.std).numpy()
            edges = cast_canny_edges(normalized, low=self.canny.low, high=self.canny.high)
            found[f"edges_{index}"] = torch.from_numpy(edges).float() / 255
        return found
