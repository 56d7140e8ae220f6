"""Selection of the maps of the classes that are present in an image.

An image usually shows one or two classes of a dataset. Some losses do not depend on the maps of
the other classes. At full resolution, these maps would take most of the time and memory.

Letters: B images, C channels, K classes, N pairs of an image and a class that is present in it.
"""

import torch
from torch import Tensor


def present_pairs(label: Tensor) -> Tensor:
    """Lists which class is present in which image.

    The number of pairs is a shape. On a GPU, the program would have to wait to learn it. This
    function is therefore called on the CPU, where the labels are read.

    Args:
        label: [B, K] in {0, 1}, on the CPU.

    Returns:
        int64 [N, 2]: image and class, in ascending order.
    """
    assert label.device.type != "cuda", "pairs of labels on a GPU"
    return label.nonzero()


def with_background(pairs: Tensor, num_images: int) -> Tensor:
    """Converts pairs of classes 0..K-1 [N, 2] to pairs of channels with background [N + B, 2]."""
    images = torch.arange(num_images, device=pairs.device)
    shifted = torch.stack([pairs[:, 0], pairs[:, 1] + 1], dim=1)
    return torch.cat([torch.stack([images, torch.zeros_like(images)], dim=1), shifted])


def take(maps: Tensor, pairs: Tensor) -> Tensor:
    """Selects the map of each pair of image and channel: [B, C, H, W] -> [N, 1, H, W]."""
    index = pairs[:, 0] * maps.shape[1] + pairs[:, 1]
    return maps.flatten(0, 1).index_select(0, index)[:, None]


def put(maps: Tensor, pairs: Tensor, shape: tuple[int, int]) -> Tensor:
    """Puts the map of each pair, [N, 1, H, W], into zeros [B, C, H, W]; `shape` is (B, C)."""
    size = maps.shape[-2:]
    index = pairs[:, 0] * shape[1] + pairs[:, 1]
    empty = maps.new_zeros(shape[0] * shape[1], *size)
    return empty.index_copy(0, index, maps[:, 0]).view(*shape, *size)


def strongest(maps: Tensor, pairs: Tensor, *, num_images: int) -> Tensor:
    """Takes each image's maximum over its maps: [N, 1, H, W], not negative -> [B, H, W], or 0."""
    flat = maps.flatten(1)
    index = pairs[:, :1].expand_as(flat)
    highest = flat.new_zeros(num_images, flat.shape[1]).scatter_reduce(0, index, flat, "amax")
    return highest.view(num_images, *maps.shape[-2:])
