"""Maps of the classes that are present in an image, picked out of the maps of all classes.

An image has one or two of a dataset's classes, so maps of the others at an image's full resolution
would be most of the time and memory of a loss that they do not enter.

Letters: B images, C channels, K classes, N pairs of an image and a class present in it.
"""

import torch
from torch import Tensor


def present_pairs(label: Tensor) -> Tensor:
    """Lists which class is present in which image.

    How many there are is a shape, and to ask a GPU for it would mean to wait for it; so this is
    done where the labels are read, on the CPU.

    Args:
        label: [B, K] in {0, 1}, on the CPU.

    Returns:
        int64 [N, 2]: image and class, ascending.
    """
    assert label.device.type != "cuda", "pairs of labels on a GPU"
    return label.nonzero()


def with_background(pairs: Tensor, num_images: int) -> Tensor:
    """Pairs of classes 0..K-1 [N, 2] -> of channels 0..K, background first: [N + B, 2]."""
    images = torch.arange(num_images, device=pairs.device)
    shifted = torch.stack([pairs[:, 0], pairs[:, 1] + 1], dim=1)
    return torch.cat([torch.stack([images, torch.zeros_like(images)], dim=1), shifted])


def take(maps: Tensor, pairs: Tensor) -> Tensor:
    """[B, C, H, W] -> the map of each pair of image and channel [N, 1, H, W]."""
    index = pairs[:, 0] * maps.shape[1] + pairs[:, 1]
    return maps.flatten(0, 1).index_select(0, index)[:, None]


def put(maps: Tensor, pairs: Tensor, shape: tuple[int, int]) -> Tensor:
    """The map of each pair [N, 1, H, W] -> [*shape, H, W], zero elsewhere; shape is (B, C)."""
    size = maps.shape[-2:]
    index = pairs[:, 0] * shape[1] + pairs[:, 1]
    empty = maps.new_zeros(shape[0] * shape[1], *size)
    return empty.index_copy(0, index, maps[:, 0]).view(*shape, *size)


def strongest(maps: Tensor, pairs: Tensor, *, num_images: int) -> Tensor:
    """Maps [N, 1, H, W], not negative -> the highest of each image [B, H, W]; 0 where none is."""
    flat = maps.flatten(1)
    index = pairs[:, :1].expand_as(flat)
    highest = flat.new_zeros(num_images, flat.shape[1]).scatter_reduce(0, index, flat, "amax")
    return highest.view(num_images, *maps.shape[-2:])
