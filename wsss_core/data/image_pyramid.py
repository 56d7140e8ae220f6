"""Reads and resizes images for the inference stages."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from wsss_core.data.dataset import Dataset
from wsss_core.data.transforms import image_tensor, resize
from wsss_core.runtime.readers import reader_options

Item = TypeVar("Item")

READ_AHEAD = 8  # images in memory ahead of the network; 35 MB each at four scales with flip


class ImagePyramid(NamedTuple):
    """One image at several scales."""

    image_id: str
    size: tuple[int, int]  # height and width of the original image
    scaled: list[Tensor]  # per scale [1 or 2, 3, h, w] in [0, 1]: the image and its mirror image


def image_pyramids(
    dataset: Dataset,
    image_ids: Sequence[str],
    *,
    device: torch.device,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> Iterator[ImagePyramid]:
    """Reads and resizes images in worker processes, ahead of the network.

    Args:
        dataset: The dataset with the images.
        image_ids: The images, in this order.
        device: The device of the network.
        scales: Factors on height and width.
        flip: Whether each scale is a batch of two, the image and its mirror image.

    Yields:
        The images in the order of their ids.
    """
    for pyramid in read_ahead(_Pyramids(dataset, image_ids, scales, flip=flip), device):
        height, width = pyramid.size
        yield pyramid._replace(size=(height, width))  # the data loader turns tuples into lists


def read_ahead(items: TorchDataset[Item], device: torch.device) -> Iterator[Item]:
    """Iterates over a dataset in order. Worker processes read about eight items ahead.

    Args:
        items: The dataset.
        device: The device of the network; it decides the number of worker processes.
    """
    readers = num_readers(device, torch.get_num_threads())
    yield from DataLoader(
        items,
        batch_size=None,
        pin_memory=device.type == "cuda",
        **reader_options(readers, ahead=max(1, READ_AHEAD // readers)),
    )


def num_readers(device: torch.device, threads: int) -> int:
    """Chooses the number of worker processes: one on a CPU, where the network needs the cores."""
    return min(READ_AHEAD, max(1, threads - 1)) if device.type == "cuda" else 1


class _Pyramids(TorchDataset[ImagePyramid]):
    def __init__(
        self, dataset: Dataset, image_ids: Sequence[str], scales: Sequence[float], *, flip: bool
    ) -> None:
        self.dataset = dataset
        self.image_ids = image_ids
        self.scales = scales
        self.flip = flip

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> ImagePyramid:
        image_id = self.image_ids[index]
        image = self.dataset.read_image(image_id)
        return image_pyramid(image_id, image, scales=self.scales, flip=self.flip)


def image_pyramid(
    image_id: str, image: NDArray[np.uint8], *, scales: Sequence[float], flip: bool
) -> ImagePyramid:
    """Resizes one image, uint8 [H, W, 3], to each scale."""
    scaled = [_variants(image, scale, flip=flip) for scale in scales]
    return ImagePyramid(image_id, image.shape[:2], scaled)


def _variants(image: NDArray[np.uint8], scale: float, *, flip: bool) -> Tensor:
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
    if (height, width) != image.shape[:2]:
        image = resize(image, height, width, interpolation="cubic")
    tensor = image_tensor(image)
    return torch.stack([tensor, tensor.flip(-1)] if flip else [tensor])


def first_argmax(scores: Tensor) -> NDArray[np.uint8]:
    """Scores [C, H, W] of at most 256 classes -> uint8 [H, W], the class with the highest score."""
    if scores.device.type != "cpu":
        return scores.argmax(dim=0).to(torch.uint8).cpu().numpy()
    # NumPy's argmax over the first axis is several times faster than torch's on a CPU.
    return scores.numpy().argmax(axis=0).astype(np.uint8)
