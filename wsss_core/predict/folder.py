"""A folder of predictions: masks, overlays and, where wanted, probabilities.

    masks/<name>.png      palette PNG of class indices, 0 background, in the colours of PASCAL VOC
    overlays/<name>.jpg   the picture with its classes painted over it
    probs/<name>.npz      score file of kind 'prob' (`score_maps.py`), a quarter of its size
    cutouts/<name>.png    the picture, transparent where it is background
    predict.json          the weights and settings that all of it is of, and the classes' colours

Names have the folders that pictures lie in. Files appear whole or not at all, the mask last. It
notes the digest of its picture: a picture that has a mask of its own is done, and not one that has
the name of another.
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
# Folders, and the suffix in each.
KINDS = {"masks": "png", "overlays": "jpg", "probs": "npz", "cutouts": "png"}
DIGEST_KEY, NAME_KEY = "picture-sha256", "picture-name"  # of texts in each mask


class PredictionFolder:
    """Where the predictions of one network, with one set of settings, are written."""

    def __init__(self, root: Path, *, class_names: Sequence[str], extras: Collection[str]) -> None:
        """Prepares to write.

        Args:
            root: The folder.
            class_names: The foreground classes.
            extras: What to write beside the masks: "overlays", "probs", "cutouts".
        """
        self.root = root
        self.class_names = tuple(class_names)
        self.extras = frozenset(extras)

    def start(self, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        """Notes what the predictions are of.

        Args:
            settings: Plain values that tell predictions that differ apart.
            overwrite: Whether to remove the predictions that are there.

        Raises:
            UserError: The folder is a file, or holds predictions with other settings, or has no
                note of ours and yet folders of such names, which may be a dataset's.
        """
        note = self.root / "predict.json"
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"{self.root}: a file; expected a folder to write to, as last argument")
        others = [kind for kind in KINDS if (self.root / kind).exists()]
        if others and not note.is_file():
            raise UserError(
                f"{self.root}: holds {others[0]} that are not of wsss; expected a new folder"
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
        """Whether all files of a picture are there; a mask of another one of its name is removed.

        Args:
            name: Of the picture.
            picture: Its file.
        """
        path = self._path("masks", name)
        if not path.is_file():
            return False
        try:
            is_own = read_mask_notes(path).get(DIGEST_KEY) == file_digest(picture)
        except UserError:  # it is damaged
            is_own = False
        if not is_own:
            path.unlink()
        return is_own and all(self._path(kind, name).is_file() for kind in self.extras)

    def names(self) -> list[str]:
        """Of all pictures that have a mask, sorted."""
        masks = self.root / "masks"
        found = (path.relative_to(masks).with_suffix("") for path in masks.rglob("*.png"))
        return sorted(path.as_posix() for path in found if not path.name.startswith("."))

    def read_mask(self, name: str) -> NDArray[np.uint8]:
        """Reads the mask of a picture that is done: uint8 [H, W]."""
        return read_mask(self._path("masks", name))

    def picture_name(self, name: str) -> str:
        """The name of a picture that is done, with its extension."""
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
            name: Of the picture.
            picture: Its file.
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
    """Reads predict.json, which somebody may have edited."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        note = None
    if not isinstance(note, dict):
        raise UserError(f"{path}: damaged; expected a new folder, or --overwrite")
    return note
