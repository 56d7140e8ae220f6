"""What every inference stage does before its network: choose the precision, read and resize."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from wsss_core.data.dataset import Dataset
from wsss_core.data.transforms import image_tensor, resize
from wsss_core.runtime.devices import has_bf16
from wsss_core.runtime.worker_signals import start_worker

Item = TypeVar("Item")


class ImagePyramid(NamedTuple):
    """One image at several scales."""

    image_id: str
    size: tuple[int, int]  # height and width of the image itself
    scaled: list[Tensor]  # per scale [1 or 2, 3, h, w] in [0, 1]: the image and its mirror image


def mixed_precision(device: torch.device) -> torch.autocast:
    """A context in which networks compute in bf16, where the device has units for that.

    On CPUs that have, EfficientNet-Lite0 segments 1.7 times as fast.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device))


def image_pyramids(
    dataset: Dataset,
    image_ids: Sequence[str],
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> Iterator[ImagePyramid]:
    """Reads and resizes images in a process of its own, ahead of the network.

    Args:
        dataset: Where the images are.
        image_ids: Which images, in which order.
        scales: Factors on both sides.
        flip: Whether each scale comes with its mirror image, as a batch of two.

    Yields:
        The images in the order of their ids.
    """
    for pyramid in read_ahead(_Pyramids(dataset, image_ids, scales, flip=flip)):
        height, width = pyramid.size
        yield pyramid._replace(size=(height, width))  # the loader makes lists of tuples


def read_ahead(items: TorchDataset[Item]) -> Iterator[Item]:
    """Goes through a dataset in order; another process is up to eight items ahead."""
    yield from DataLoader(
        items,
        batch_size=None,
        num_workers=1,
        prefetch_factor=8,
        worker_init_fn=start_worker,
        pin_memory=torch.cuda.is_available(),
    )


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


def resample(
    maps: Tensor,
    *,
    covered: Sequence[int],
    stride: int,
    grid: tuple[int, int],
    align_corners: bool = False,
) -> Tensor:
    """Resamples feature-grid maps onto a grid over the image.

    Where cell i is centred on its stride x stride pixels, the last cells may stick out of the
    image. Resizing the maps to the grid's size would squeeze in those cells, and shift the others
    by as much as half a cell, to a different amount at each scale.

    Args:
        maps: [B, C, h, w], a cell for each stride x stride pixels.
        covered: Height and width of the image in these pixels.
        stride: See above.
        grid: Height and width of the grid.
        align_corners: Cells spread from the first pixel to the last instead (ResNet38d; SEAM,
            infer_SEAM.py), as `Backbone.align_corners` says.

    Returns:
        [B, C, *grid], bilinear, pixel centres aligned.
    """
    if align_corners:
        maps = F.interpolate(maps, tuple(covered), mode="bilinear", align_corners=True)
        return F.interpolate(maps, grid, mode="bilinear", align_corners=False)
    rows, columns = (
        linear_weights(
            length, num_cells=num_cells, step=side / (length * stride), device=maps.device
        )
        for length, num_cells, side in zip(grid, maps.shape[-2:], covered, strict=True)
    )
    return rows.to(maps) @ maps @ columns.to(maps).T


def linear_weights(length: int, *, num_cells: int, step: float, device: torch.device) -> Tensor:
    """Weights of `num_cells` cells in each of `length` values, `step` cells apart from each other.

    `torch.nn.functional.interpolate` would do it but for one case: it copies the cells where as
    many values are asked for, however far apart.
    """
    values, cells = torch.arange(length, device=device), torch.arange(num_cells, device=device)
    centres = ((values + 0.5) * step - 0.5).clamp(0, num_cells - 1)
    return (1 - (centres[:, None] - cells).abs()).clamp(min=0)


def first_argmax(scores: Tensor) -> NDArray[np.uint8]:
    """Scores [C, H, W] of at most 256 classes -> uint8 [H, W], which class is highest."""
    if scores.device.type != "cpu":
        return scores.argmax(dim=0).to(torch.uint8).cpu().numpy()
    # NumPy's argmax over the first axis is several times faster than torch's on a CPU.
    return scores.numpy().argmax(axis=0).astype(np.uint8)
