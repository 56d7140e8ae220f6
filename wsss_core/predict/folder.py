"""A folder of predictions: masks, overlays and, where wanted, probabilities.

    masks/<name>.png      palette PNG of class indices, 0 background, in the colours of PASCAL VOC
    overlays/<name>.jpg   the picture with its classes painted over it
    probs/<name>.npz      score file of kind 'prob' (`scores.py`), a quarter of the picture's size
    predict.json          the weights and settings that all of it is of, and the classes' colours

Files appear whole or not at all, the mask last: a picture that has one is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss_core.data.images import read_mask, voc_palette, write_mask
from wsss_core.data.score_maps import ScoreWriter
from wsss_core.figures.overlay import paint_mask
from wsss_core.runtime.atomic import atomic_file, remove
from wsss_core.runtime.errors import UserError

JPEG_QUALITY = 90


class PredictionFolder:
    """Where the predictions of one network, with one set of settings, are written."""

    def __init__(self, root: Path, *, class_names: Sequence[str], with_probs: bool) -> None:
        """Prepares to write.

        Args:
            root: The folder.
            class_names: The foreground classes.
            with_probs: Whether to write probabilities.
        """
        self.root = root
        self.class_names = tuple(class_names)
        self.with_probs = with_probs

    def start(self, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        """Notes what the predictions are of.

        Args:
            settings: Plain values that tell predictions that differ apart.
            overwrite: Whether to remove the predictions that are there.

        Raises:
            UserError: The folder is a file, or holds predictions with other settings, or masks
                that are none, such as those of a dataset.
        """
        note = self.root / "predict.json"
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"{self.root}: a file; expected a folder to write to, as last argument")
        if (self.root / "masks").exists() and not note.is_file():
            raise UserError(f"{self.root}: holds masks that are not of wsss; expected a new folder")
        if overwrite:
            for kind in ("masks", "overlays", "probs"):
                remove(self.root / kind)
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

    def is_done(self, name: str) -> bool:
        """Whether all files of a picture are there."""
        has_probs = not self.with_probs or self._path("probs", name, "npz").is_file()
        return has_probs and self._path("masks", name, "png").is_file()

    def read_mask(self, name: str) -> NDArray[np.uint8]:
        """Reads the mask of a picture that is done: uint8 [H, W]."""
        return read_mask(self._path("masks", name, "png"))

    def write(
        self,
        name: str,
        *,
        image: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        prob: NDArray[np.float32],
    ) -> None:
        """Writes the files of one picture.

        Args:
            name: Of the picture.
            image: uint8 [H, W, 3], RGB.
            mask: uint8 [H, W] class indices.
            prob: float32 [C, h, w], background first.
        """
        if self.with_probs:
            path = self._path("probs", name, "npz")
            with ScoreWriter(path, kind="prob", class_names=self.class_names) as writer:
                writer.write(name, range(len(prob)), prob)
        with atomic_file(self._path("overlays", name, "jpg")) as temporary:
            overlay = Image.fromarray(paint_mask(image, mask))
            overlay.save(temporary, format="JPEG", quality=JPEG_QUALITY)
        with atomic_file(self._path("masks", name, "png")) as temporary:
            write_mask(temporary, mask)

    def _path(self, kind: str, name: str, suffix: str) -> Path:
        return self.root / kind / f"{name}.{suffix}"


def _read_note(path: Path) -> dict[str, Any]:
    """Reads predict.json, which somebody may have edited."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        note = None
    if not isinstance(note, dict):
        raise UserError(f"{path}: damaged; expected a new folder, or --overwrite")
    return note
