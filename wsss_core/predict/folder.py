"""A folder of predictions: masks, and on request overlays, probabilities and cutouts.

    masks/<name>.png      palette PNG of class indices, 0 background, in the colours of PASCAL VOC
    overlays/<name>.jpg   the picture with its classes painted over it
    probs/<name>.npz      score file of kind 'prob' (`score_maps.py`), at a quarter of the size
    cutouts/<name>.png    the picture, transparent where it is background
    predict.json          weights and settings of all predictions, and the colours of the classes

A name includes the folders below the input folder. Each file is written completely or not at all.
The mask is written last and stores the digest of its picture. A picture counts as done only if
a mask with its digest exists, so that another picture of the same name is not mistaken for it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss_core.data.images import (
    IGNORE_INDEX,
    read_mask,
    read_mask_notes,
    voc_palette,
    write_mask,
)
from wsss_core.data.score_maps import ScoreWriter
from wsss_core.figures.overlay import paint_mask
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest

JPEG_QUALITY = 90
# Folders and the suffix of their files.
KINDS = {"masks": "png", "overlays": "jpg", "probs": "npz", "cutouts": "png"}
DIGEST_KEY, NAME_KEY = "picture-sha256", "picture-name"  # keys of the texts in each mask


class PredictionFolder:
    """The output folder for the predictions of one network with one set of settings."""

    def __init__(self, root: Path, *, class_names: Sequence[str], extras: Collection[str]) -> None:
        """Stores where to write which files.

        Args:
            root: The folder.
            class_names: The foreground classes.
            extras: What to write in addition to masks: "overlays", "probs", "cutouts".
        """
        self.root = root
        self.class_names = tuple(class_names)
        self.extras = frozenset(extras)

    def start(self, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        """Writes predict.json, and refuses a folder that holds something else.

        Args:
            settings: Plain values that determine the predictions.
            overwrite: Whether to remove existing predictions.

        Raises:
            UserError: The folder is a file. Or it holds predictions with other settings. Or it has
                folders of these names without predict.json, which may belong to a dataset.
        """
        note = self.root / "predict.json"
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"{self.root}: a file; expected a folder to write to, as last argument")
        others = [kind for kind in KINDS if (self.root / kind).exists()]
        if others and not note.is_file():
            raise UserError(
                f"{self.root}: holds {others[0]} without a predict.json; expected a new folder"
            )
        if overwrite:
            for kind, suffix in KINDS.items():
                for path in (self.root / kind).rglob(f"*.{suffix}"):
                    path.unlink()
        colors = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in voc_palette().tolist()]
        names = ("background", *self.class_names)
        told = {**settings, "classes": dict(zip(names, colors, strict=False))}
        if note.is_file() and not overwrite:
            before = _read_note(note)
            if differing := [key for key in told if before.get(key) != told[key]]:
                raise UserError(
                    f"{self.root}: holds predictions with other {', '.join(differing)}; expected "
                    "a new folder, or --overwrite"
                )
        with atomic_file(note) as temporary:
            text = json.dumps(told, ensure_ascii=False, indent=1)
            temporary.write_text(f"{text}\n", encoding="utf-8")

    def is_done(self, name: str, picture: Path) -> bool:
        """Tells whether all files of a picture exist; removes a mask that is of another picture.

        Args:
            name: Name of the picture.
            picture: File of the picture.
        """
        path = self._path("masks", name)
        if not path.is_file():
            return False
        try:
            is_own = read_mask_notes(path).get(DIGEST_KEY) == file_digest(picture)
        except UserError:  # the mask is damaged
            is_own = False
        if not is_own:
            path.unlink()
        return is_own and all(self._path(kind, name).is_file() for kind in self.extras)

    def names(self) -> list[str]:
        """Returns the names of all pictures that have a mask, sorted."""
        masks = self.root / "masks"
        found = (path.relative_to(masks).with_suffix("") for path in masks.rglob("*.png"))
        return sorted(path.as_posix() for path in found if not path.name.startswith("."))

    def read_mask(self, name: str) -> NDArray[np.uint8]:
        """Reads the mask of a picture that is done: uint8 [H, W]."""
        return read_mask(self._path("masks", name))

    def picture_name(self, name: str) -> str:
        """Returns the name of a picture that is done, with its extension."""
        own = json.loads(read_mask_notes(self._path("masks", name)).get(NAME_KEY, "null"))
        return str(PurePosixPath(name).with_name(own)) if isinstance(own, str) else name

    def write(
        self,
        name: str,
        picture: Path,
        *,
        image: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        scores: NDArray[np.float32],
    ) -> None:
        """Writes the files of one picture.

        Args:
            name: Name of the picture.
            picture: File of the picture.
            image: uint8 [H, W, 3], RGB.
            mask: uint8 [H, W] class indices.
            scores: float32 [C, h, w] probabilities, background first.
        """
        if "probs" in self.extras:
            path = self._path("probs", name)
            with ScoreWriter(path, kind="prob", class_names=self.class_names) as writer:
                writer.write(path.stem, range(len(scores)), scores)
        if "overlays" in self.extras:
            with atomic_file(self._path("overlays", name)) as temporary:
                overlay = Image.fromarray(paint_mask(image, mask))
                overlay.save(temporary, format="JPEG", quality=JPEG_QUALITY)
        if "cutouts" in self.extras:
            with atomic_file(self._path("cutouts", name)) as temporary:
                is_class = (mask != 0) & (mask != IGNORE_INDEX)
                cutout = np.dstack([image, 255 * is_class.astype(np.uint8)])
                Image.fromarray(cutout).save(temporary, format="PNG", compress_level=1)
        notes = {DIGEST_KEY: file_digest(picture), NAME_KEY: json.dumps(picture.name)}
        with atomic_file(self._path("masks", name)) as temporary:
            write_mask(temporary, mask, notes=notes)

    def _path(self, kind: str, name: str) -> Path:
        return self.root / kind / f"{name}.{KINDS[kind]}"


def _read_note(path: Path) -> dict[str, Any]:
    """Reads predict.json; refuses a damaged file, which somebody may have edited."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        note = None
    if not isinstance(note, dict):
        raise UserError(f"{path}: damaged; expected a new folder, or --overwrite")
    return note
