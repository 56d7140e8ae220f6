"""Reading photographs upright and in RGB, and masks as class indices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wsss_core.data.pictures import read_picture

IGNORE_INDEX = 255  # of pixels in masks that have no class, or none that counts
MASK_MODES = ("1", "L", "P")  # Pillow modes whose pixels are small integers


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads a photograph as its viewer sees it.

    Args:
        path: A file of any of `pictures.FORMATS`; grey, palette and CMYK are converted, EXIF
            rotation is applied.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        BadPictureError: It is no picture, or not a whole one.
    """
    return np.array(read_picture(path).rgb())


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Reads a mask: the class index of each pixel.

    Args:
        path: A palette, 8-bit grey or 1-bit PNG file.

    Returns:
        uint8 [H, W]: 0 background, k the k-th class, 255 ignored.

    Raises:
        ValueError: The file holds colours instead of indices.
    """
    with Image.open(path) as mask:
        if mask.mode not in MASK_MODES:
            raise ValueError(
                f"{path} has Pillow mode {mask.mode}; expected a palette or 8-bit grey PNG "
                "with one class index per pixel"
            )
        return np.array(mask).astype(np.uint8)


def write_mask(
    path: Path, mask: NDArray[np.uint8], *, notes: Mapping[str, str] | None = None
) -> None:
    """Writes a mask as a palette PNG in the colours of PASCAL VOC.

    Args:
        path: The PNG file to write.
        mask: uint8 [H, W] class indices, 255 ignored.
        notes: Texts by keyword that are kept in the file (PNG's tEXt), ASCII.
    """
    assert mask.dtype == np.uint8, f"{mask.dtype}; expected uint8"
    assert mask.ndim == 2, f"{mask.shape}; expected [H, W]"
    image = Image.fromarray(mask).convert("P")
    image.putpalette(voc_palette().tobytes())
    texts = PngInfo()
    for keyword, text in (notes or {}).items():
        texts.add_text(keyword, text)
    image.save(path, format="PNG", pnginfo=texts)


def voc_palette() -> NDArray[np.uint8]:
    """Builds the palette of PASCAL VOC (VOCdevkit, VOClabelcolormap.m).

    The bits of the index are dealt to R, G, B in turn, from the highest bit of each colour down.

    Returns:
        uint8 [256, 3]: black for 0, cream for 255.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> channel & 1) << (7 - bit)).astype(np.uint8)
        index >>= 3
    return palette
