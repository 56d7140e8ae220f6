"""Reads the class indices of a user's mask, whichever tool wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import BAD_CHECKSUM, IGNORE_INDEX, MASK_MODES, png_fault
from wsss_core.data.pictures import BadPictureError, Picture, read_picture
from wsss_core.prepare.labelling import MaskDrawing
from wsss_core.prepare.voc.sbd import read_sbd_mask

LOSSLESS = ("PNG", "TIFF", "BMP", "GIF")


class BadFileError(Exception):
    """Reports a source file that cannot be used: kind of problem (a key of EXPECTED), details."""


class StoredMask(NamedTuple):
    """A mask as stored in the source.

    Attributes:
        indices: uint8 [H, W].
        is_plain: Whether the file is a PNG that every stage can read without conversion.
    """

    indices: NDArray[np.uint8]
    is_plain: bool


def read_mask_file(mask: Path | MaskDrawing, *, image_id: str) -> StoredMask:
    """Reads the class indices of a mask.

    Args:
        mask: A file in a lossless format, a MAT file of SBD, or a drawing.
        image_id: The image that the mask belongs to, for messages.

    Raises:
        BadFileError: The mask is damaged, or it holds colours instead of indices.
    """
    if not isinstance(mask, Path):
        try:
            return StoredMask(mask.draw(), is_plain=False)
        except ValueError as error:
            raise BadFileError("mask drawing", f"that of {image_id} {error}") from None
    if mask.suffix == ".mat":
        try:
            return StoredMask(read_sbd_mask(mask), is_plain=False)
        except ValueError as error:
            raise BadFileError("SBD mask", f"{mask} {error}") from None
    try:
        picture = read_picture(mask)
    except BadPictureError as error:
        raise BadFileError("mask file", f"{mask} {error}") from None
    fault = png_fault(mask.read_bytes()) if picture.format == "PNG" else None
    if fault == BAD_CHECKSUM:  # Pillow reads such a file nevertheless, with wrong indices
        raise BadFileError("mask file", f"{mask} {fault}")
    is_upright = picture.is_intact and picture.orientation == 1
    is_plain = picture.format == "PNG" and is_upright and picture.image.mode in MASK_MODES
    is_plain = is_plain and picture.grey_step == 1 and fault is None
    return StoredMask(_indices(mask, picture), is_plain)


def _indices(path: Path, picture: Picture) -> NDArray[np.uint8]:
    values = np.array(picture.image)
    if picture.format not in LOSSLESS:
        raise BadFileError("mask file", f"{path} is {picture.format}, which changes indices")
    if values.ndim == 3 and (values[..., :3] == values[..., :1]).all():  # grey, stored as RGB
        values = values[..., 0]
    elif picture.is_deep and ((values >= 0) & (values <= IGNORE_INDEX)).all():
        values = values.astype(np.uint8)
    elif picture.image.mode not in MASK_MODES:
        mode = f"{picture.format} of mode {picture.image.mode}"
        raise BadFileError("mask file", f"{path} is {mode}, not of one class index per pixel")
    return values.astype(np.uint8) // picture.grey_step


def has_objects_at_255(mask: Path | MaskDrawing, *, image_id: str) -> bool | None:
    """Tells whether a mask of one class has its objects at 255, as labelling tools write them.

    Returns:
        None if the mask cannot tell: it is all background, or it cannot be read.
    """
    try:
        values = set(np.unique(read_mask_file(mask, image_id=image_id).indices).tolist())
    except BadFileError:
        return None
    return None if values == {0} else values <= {0, IGNORE_INDEX}
