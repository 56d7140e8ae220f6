"""Augmentation: draws one geometry per sample and applies it to image, masks and edges alike.

Arrays are NumPy: images uint8 [H, W, 3] RGB, masks uint8 [H, W], maps float32 [H, W] or [H, W, C].
All randomness comes from the generator that is passed in.
"""

from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional as tvf

from wsss_core.config.training import ColorJitter

Array = NDArray[Any]
Interpolation = Literal["nearest", "linear", "cubic"]
_CV2_INTERPOLATION = {
    "nearest": cv2.INTER_NEAREST_EXACT,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
}


# Worker processes read images, and OpenCV's threads would compete with them. A process that is
# forked while such threads exist can also wait for them forever.
cv2.setNumThreads(0)


class Geometry(NamedTuple):
    """Resize to height x width, then flip, then crop crop_size x crop_size at (top, left).

    A negative offset means padding: the resized array starts inside the crop.
    """

    height: int
    width: int
    flip: bool
    top: int
    left: int
    crop_size: int


def draw_geometry(
    rng: np.random.Generator,
    *,
    height: int,
    width: int,
    crop_size: int,
    resize_long: tuple[int, int] | None = None,
    scale: tuple[float, float] | None = None,
    flip: bool = True,
) -> Geometry:
    """Draws a random resize, horizontal flip and crop.

    Args:
        rng: Source of all randomness.
        height: Height of the array in pixels.
        width: Width of the array in pixels.
        crop_size: Side of the crop in pixels; a smaller array is placed at random inside it.
        resize_long: Range (inclusive) of the longer side after resizing (SEAM).
        scale: Range of the factor on height and width (DeepLab). If both are None, the size stays.
        flip: Whether to flip with probability 0.5.

    Returns:
        The geometry, to be given to `apply_geometry` for each array of the sample.
    """
    factor = 1.0
    if resize_long is not None:
        factor = rng.integers(resize_long[0], resize_long[1] + 1) / max(height, width)
    elif scale is not None:
        factor = rng.uniform(*scale)
    height, width = max(1, round(height * factor)), max(1, round(width * factor))
    return Geometry(
        height,
        width,
        flip=bool(flip and rng.random() < 0.5),
        top=_draw_offset(rng, height - crop_size),
        left=_draw_offset(rng, width - crop_size),
        crop_size=crop_size,
    )


def _draw_offset(rng: np.random.Generator, room: int) -> int:
    """Draws an offset in [0, room], or in [room, 0] (padding) if the array is too small."""
    return int(rng.integers(min(room, 0), max(room, 0) + 1))


def resize(array: Array, height: int, width: int, *, interpolation: Interpolation) -> Array:
    """[H, W] or [H, W, C] -> [height, width(, C)].

    Use 'nearest' for class ids. The others average over areas when both sides shrink, as Pillow
    does; OpenCV's filters of the same names would not.
    """
    shrinks = height < array.shape[0] and width < array.shape[1]
    smooth_shrink = shrinks and interpolation != "nearest"
    flag = cv2.INTER_AREA if smooth_shrink else _CV2_INTERPOLATION[interpolation]
    most = 4 if smooth_shrink else 128  # channels that OpenCV 5 accepts
    parts = [array] if array.ndim == 2 else np.split(array, range(most, array.shape[2], most), 2)
    resized = [
        cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=flag).reshape(
            height,
            width,
            *part.shape[2:],  # OpenCV drops a single channel
        )
        for part in parts
    ]
    return resized[0] if len(resized) == 1 else np.concatenate(resized, axis=2)


def apply_geometry(
    array: Array,
    geometry: Geometry,
    *,
    interpolation: Interpolation,
    fill: float | tuple[int, ...] = 0,
) -> Array:
    """[H, W] or [H, W, C] -> [crop_size, crop_size(, C)] of the same dtype.

    Args:
        array: Array with the H and W for which the geometry was drawn.
        geometry: Result of `draw_geometry`.
        interpolation: See `resize`.
        fill: Value, or value per channel, of pixels outside the array.
    """
    if array.shape[:2] != (geometry.height, geometry.width):
        array = resize(array, geometry.height, geometry.width, interpolation=interpolation)
    if geometry.flip:
        array = array[:, ::-1]
    crop_shape = (geometry.crop_size, geometry.crop_size, *array.shape[2:])
    crop = np.empty(crop_shape, array.dtype)
    crop[...] = fill
    top, left = geometry.top, geometry.left
    part = array[max(top, 0) : top + geometry.crop_size, max(left, 0) : left + geometry.crop_size]
    crop[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]] = part
    return crop


def color_jitter(
    image: NDArray[np.uint8], rng: np.random.Generator, jitter: ColorJitter
) -> NDArray[np.uint8]:
    """Changes brightness, contrast, saturation and hue in random order, as torchvision does.

    Args:
        image: RGB uint8 [H, W, 3].
        rng: Source of all randomness.
        jitter: Strengths s. Factors are drawn from [1 - s, 1 + s], the hue shift from [-s, s].

    Returns:
        RGB uint8 [H, W, 3]; equal to the image if all strengths are 0.
    """
    brightness, contrast, saturation = (
        rng.uniform(1 - r, 1 + r) for r in (jitter.brightness, jitter.contrast, jitter.saturation)
    )
    hue = rng.uniform(-jitter.hue, jitter.hue)
    steps = [
        lambda x: tvf.adjust_brightness(x, brightness),
        lambda x: tvf.adjust_contrast(x, contrast),
        lambda x: tvf.adjust_saturation(x, saturation),
        lambda x: tvf.adjust_hue(x, hue) if hue else x,  # else the way to HSV and back would round
    ]
    jittered = tvf.to_pil_image(np.ascontiguousarray(image))
    for index in rng.permutation(len(steps)):
        jittered = steps[index](jittered)
    return np.array(jittered)  # a copy, since torch warns about arrays that Pillow owns


def image_tensor(image: NDArray[np.uint8]) -> Tensor:
    """RGB uint8 [H, W, 3] -> float32 [3, H, W] in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float().div(255)
