"""Encodes small images, masks and CAMs as data URLs in WebP.

An image is stored once. Masks and CAMs are transparent pictures over it. They need a tenth of its
bytes, and the reader can change their opacity.
"""

from __future__ import annotations

import base64
import io

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss_core.data.images import IGNORE_INDEX, voc_palette
from wsss_core.figures.overlay import outline

LONGER_SIDE = 300  # longer side of an image or mask in pixels
CAM_SIDE = 90  # longer side of a CAM in pixels; it is smooth, and browsers enlarge smoothly
PHOTO_QUALITY, CAM_QUALITY = 72, 70
FILL_ALPHA = 165  # opacity of a class colour, 0 to 255; outlines are opaque
CAM_ALPHA = (70, 215)  # opacity at scores 0 and 1, 0 to 255


def photo_address(photo: NDArray[np.uint8]) -> str:
    """Encodes an image, uint8 [H, W, 3]."""
    image = Image.fromarray(photo)
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    return _address(image, quality=PHOTO_QUALITY)


def mask_address(mask: NDArray[np.uint8]) -> str:
    """Encodes a mask, uint8 [H, W] class indices, in colours. Ignored pixels are white."""
    small = np.array(_shrunk(Image.fromarray(mask), LONGER_SIDE, Image.Resampling.NEAREST))
    colors = np.zeros((*small.shape, 4), dtype=np.uint8)
    colors[..., :3] = voc_palette()[small]
    colors[..., 3] = np.where(small == 0, 0, FILL_ALPHA)
    colors[outline(small), 3] = 255
    colors[small == IGNORE_INDEX] = 255
    colors[small == 0] = 0
    return _address(Image.fromarray(colors), lossless=True)


def cam_address(scores: NDArray[np.float32]) -> str:
    """Encodes the CAM of a class, float32 [H, W] in [0, 1]. Blue is low and red is high."""
    codes = Image.fromarray((255 * scores).round().astype(np.uint8))
    small = np.asarray(_shrunk(codes, CAM_SIDE, Image.Resampling.BOX)) / 255
    low, high = CAM_ALPHA
    colors = np.empty((*small.shape, 4), dtype=np.uint8)
    colors[..., :3] = (255 * mpl.colormaps["turbo"](small)[..., :3]).round()
    colors[..., 3] = (low + (high - low) * small).round()
    return _address(Image.fromarray(colors), quality=CAM_QUALITY)


def _shrunk(image: Image.Image, longer_side: int, method: Image.Resampling) -> Image.Image:
    factor = min(1.0, longer_side / max(image.size))
    width, height = (max(1, round(factor * side)) for side in image.size)
    return image.resize((width, height), method)


def _address(image: Image.Image, *, quality: int = 80, lossless: bool = False) -> str:
    file = io.BytesIO()
    image.save(file, format="WEBP", quality=quality, lossless=lossless, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
