"""Canny edges of images as a network sees them, found where the images are read."""

from collections.abc import Callable

import torch
from torch import Tensor

from wsss_core.config.canny import CannyConfig
from wsss_core.ops.canny import cast_canny_edges


class InputEdges:
    """Finds the edges of an image at each scale at which a network sees it.

    They are found by the processes that read images: OpenCV's Canny runs on the CPU, for which a
    training step would have to copy its images from the GPU and back.
    """

    def __init__(
        self,
        mean: Tensor,
        std: Tensor,
        scales: Callable[[Tensor], list[Tensor]],
        canny: CannyConfig,
    ) -> None:
        """Prepares to find them.

        Args:
            mean: RGB in [0, 1] that images are normalised with; copied, as that of a network moves
                to its device.
            std: And the standard deviation.
            scales: An image [1, 3, H, W] -> that image as the network sees it, at each scale.
            canny: Thresholds.
        """
        self.mean = mean.cpu().clone()[:, None, None]
        self.std = std.cpu().clone()[:, None, None]
        self.scales = scales
        self.canny = canny

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Image [3, H, W] in [0, 1] -> `edges_0`, ..., of each scale: [1, h, w], 0 or 1."""
        found = {}
        for index, scaled in enumerate(self.scales(image[None])):
            normalized = ((scaled - self.mean) / self.std).numpy()
            edges = cast_canny_edges(normalized, low=self.canny.low, high=self.canny.high)
            found[f"edges_{index}"] = torch.from_numpy(edges).float() / 255
        return found
