"""Score maps on disk: one file per shard, 8 bits per score, random access by image, no pickle.

A file is a compressed zip archive, which `numpy.load` can open too. Its members are

    scores/<image id>.npy   uint8 codes, [..., n, H, W]
    levels.npy              float32 [256], the score of each code: score = levels[code]
    index.json              version, kind, class names, the class ids of the n maps of each image,
                            and the precision in which a network computed them

    kind    class ids of an image            scores
    cam     the classes present, ascending   [n, H, W], the maximum of each map is 1
    seed    background, the classes present  [2, 1 + n, H, W], CRF probabilities with the (low,
                                             high) alpha of the background
    prob    background, all classes          [C, h, w], may be smaller than the image
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.computed_in import KEYWORD, ComputedIn
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError

Kind = Literal["cam", "seed", "prob"]

VERSION = 1
INDEX_MEMBER = "index.json"
LEVELS_MEMBER = "levels.npy"
# Higher levels take several times as long and save only a few per cent.
DEFLATE_LEVEL = 1
# Rounding may leave a normalised score this far outside [0, 1]; anything further is a mistake.
RANGE_TOLERANCE = 1e-3
# Errors that zipfile and NumPy raise for damaged files.
_DAMAGE = (
    *(KeyError, ValueError, OSError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
# Two bins per 0.01, see `encode`.
CAM_BINS = 200


class ScoreRecord(NamedTuple):
    """The score maps of one image.

    Attributes:
        class_ids: The class of each map, ascending; 0 is background.
        scores: float32 [..., n, H, W] in [0, 1], n = len(class_ids).
    """

    class_ids: tuple[int, ...]
    scores: NDArray[np.float32]


def score_levels(kind: Kind) -> NDArray[np.float32]:
    """Returns the score of each 8-bit code, float32 [256] in [0, 1], ascending."""
    codes = np.arange(256, dtype=np.float64)
    if kind == "cam":
        levels = np.where(codes == 0, 0, np.minimum(codes, CAM_BINS) - 0.5) / CAM_BINS
    else:
        levels = (codes / 255) ** 2
    return levels.astype(np.float32)


def encode(scores: NDArray[np.float32], kind: Kind) -> NDArray[np.uint8]:
    """Quantises scores in [0, 1] to 8-bit codes.

    A cam is compared with thresholds in steps of 0.01. It is quantised to bins of width 1/200:
    code q stands for (q - 1, q] / 200. Each threshold t is then the edge of a bin, so `score > t`
    has the same result before and after, and a sweep of thresholds over stored maps is exact. (With
    round(255 * score) each threshold would shift by up to half a level.) A code is decoded as the
    middle of its bin, with an error of at most 0.0025.

    A CRF takes the logarithm of a probability, so small probabilities need finer steps. The square
    root is rounded to steps of 1/255. This keeps 0, 1.5e-5, 6e-5, ... apart, with an error of up to
    0.004 near 1.
    """
    if kind == "cam":
        # Counts the bin edges below a score. ceil(200 * score) would give 61 for float32 0.3.
        edges = (np.arange(CAM_BINS) / CAM_BINS).astype(np.float32)
        return np.searchsorted(edges, scores, side="left").astype(np.uint8)
    return np.rint(np.sqrt(scores) * np.float32(255)).astype(np.uint8)


def check_class_ids(class_ids: Sequence[int], *, kind: Kind, num_foreground: int) -> str | None:
    """Returns what is wrong with an image's class ids for this kind, or None."""
    ids = list(class_ids)
    if any(not 0 <= k <= num_foreground for k in ids) or sorted(set(ids)) != ids:
        return f"class ids {ids} are not ascending numbers in 0..{num_foreground}"
    if kind == "cam" and 0 in ids:
        return f"class ids {ids} contain the background, a cam has none"
    if kind == "seed" and ids[:1] != [0]:
        return f"class ids {ids} do not begin with 0, the background"
    if kind == "prob" and ids != list(range(num_foreground + 1)):
        return f"class ids {ids} are not all of 0..{num_foreground}"
    return None


def check_shape(shape: Sequence[int], *, kind: Kind, num_maps: int) -> str | None:
    """Returns what is wrong with the shape of an image's score maps, or None."""
    leading = (2, num_maps) if kind == "seed" else (num_maps,)
    if tuple(shape[:-2]) != leading or min(shape[-2:], default=0) < 1:
        expected = ", ".join(map(str, leading))
        return f"shape {tuple(shape)}, expected ({expected}, height, width)"
    return None


class ScoreWriter:
    """Writes the score maps of one shard, image by image. Errors leave no partial file."""

    def __init__(
        self,
        path: Path,
        *,
        kind: Kind,
        class_names: Sequence[str],
        computed_in: ComputedIn | None = None,
    ) -> None:
        """Prepares to write.

        Args:
            path: The file to write.
            kind: Kind of the scores.
            class_names: The foreground classes 1..K, in order.
            computed_in: Precision in which the scores were computed; None: not stored.
        """
        assert kind in get_args(Kind), kind
        self.path = Path(path)
        self.kind: Kind = kind
        self.class_names = tuple(class_names)
        self.computed_in = computed_in
        self._class_ids: dict[str, list[int]] = {}
        self._stack = ExitStack()
        self._zip: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        temporary = self._stack.enter_context(atomic_file(self.path))
        archive = zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=DEFLATE_LEVEL)
        self._zip = self._stack.enter_context(archive)
        return self

    def write(self, image_id: str, class_ids: Sequence[int], scores: NDArray[Any]) -> None:
        """Appends one image.

        Args:
            image_id: Id of the image; each may be written once.
            class_ids: Class of each map, ascending (see the module docstring).
            scores: float [..., n, H, W] in [0, 1]; an image without classes has n = 0.
        """
        ids = [int(k) for k in class_ids]
        problem = check_class_ids(ids, kind=self.kind, num_foreground=len(self.class_names))
        problem = problem or check_shape(scores.shape, kind=self.kind, num_maps=len(ids))
        if image_id in self._class_ids:
            problem = "written twice"
        if problem is None:
            scores = np.asarray(scores, dtype=np.float32)
            low, high = (scores.min(), scores.max()) if scores.size else (0.0, 0.0)
            # Written this way round so that NaN fails too.
            if not (low >= -RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
                problem = f"scores from {low} to {high}, expected numbers in [0, 1]"
        if problem is not None:
            raise UserError(f"{self.path}: image {image_id}: {problem}")
        self._class_ids[image_id] = ids
        self._add_array(_score_member(image_id), encode(np.clip(scores, 0, 1), self.kind))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, traceback)
            return
        with self._stack:
            self._add_array(LEVELS_MEMBER, score_levels(self.kind))
            index = {
                "version": VERSION,
                "kind": self.kind,
                "class_names": self.class_names,
                "class_ids": self._class_ids,
            }
            if self.computed_in is not None:
                index[KEYWORD] = self.computed_in._asdict()
            self._add(INDEX_MEMBER, json.dumps(index).encode())

    def _add_array(self, member: str, array: NDArray[Any]) -> None:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        self._add(member, buffer.getvalue())

    def _add(self, member: str, content: bytes) -> None:
        assert self._zip is not None, "ScoreWriter is used outside of its with block"
        # The default date of ZipInfo is fixed (1980), so equal scores give equal files.
        info = zipfile.ZipInfo(member)
        info.external_attr = 0o644 << 16
        self._zip.writestr(info, content, zipfile.ZIP_DEFLATED, DEFLATE_LEVEL)


class ScoreReader:
    """Reads the score maps of any image from several shards.

    Each process opens a shard on first use. So a reader can be pickled, and a forked process does
    not share file positions with its parent.
    """

    def __init__(self, paths: Sequence[Path], *, kind: Kind, class_names: Sequence[str]) -> None:
        """Reads the index of each shard, and checks kind and classes.

        Args:
            paths: Files of ScoreWriter; no image may be in two of them.
            kind: Kind that the files must have.
            class_names: Foreground classes 1..K that the files must have.

        Raises:
            UserError: A file is missing or damaged, or differs in kind, classes or version, or an
                image is in two files.
        """
        self.kind = kind
        self.class_names = tuple(class_names)
        self.computed_in: list[ComputedIn] = []  # of each shard that stores it
        self._path_of: dict[str, Path] = {}
        self._class_ids: dict[str, tuple[int, ...]] = {}
        self._levels = score_levels(kind)
        self._open: dict[Path, zipfile.ZipFile] = {}
        self._process = os.getpid()
        for path in map(Path, paths):
            self._add_shard(path)

    @property
    def image_ids(self) -> list[str]:
        """Ids of the images of all shards, in the order of the shards."""
        return list(self._path_of)

    def class_ids(self, image_id: str) -> tuple[int, ...]:
        """Returns the class of each map of an image, without reading the maps."""
        self._path(image_id)
        return self._class_ids[image_id]

    def read(self, image_id: str) -> ScoreRecord:
        """Reads the score maps of one image.

        Raises:
            UserError: No shard has the image, or its maps are damaged.
        """
        path = self._path(image_id)
        class_ids = self._class_ids[image_id]
        try:
            codes = _read_array(self._archive(path), _score_member(image_id))
        except _DAMAGE as error:
            raise UserError(f"{path}: image {image_id} cannot be read ({error})") from error
        problem = check_shape(codes.shape, kind=self.kind, num_maps=len(class_ids))
        if codes.dtype != np.uint8:
            problem = f"scores of type {codes.dtype}, expected uint8"
        if problem is not None:
            raise UserError(f"{path}: image {image_id}: {problem}")
        return ScoreRecord(class_ids=class_ids, scores=self._levels[codes])

    def checksum(self, image_id: str) -> tuple[int, tuple[int, ...]]:
        """Returns the CRC-32 of an image's codes, and the class of each map; reads no maps."""
        member = self._archive(self._path(image_id)).getinfo(_score_member(image_id))
        return member.CRC, self._class_ids[image_id]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}

    def _path(self, image_id: str) -> Path:
        if image_id not in self._path_of:
            shards = ", ".join(sorted({str(path) for path in self._path_of.values()}))
            raise UserError(f"image {image_id} has no {self.kind} scores in {shards or 'no file'}")
        return self._path_of[image_id]

    def _archive(self, path: Path) -> zipfile.ZipFile:
        if self._process != os.getpid():
            self._open, self._process = {}, os.getpid()
        if path not in self._open:
            self._open[path] = zipfile.ZipFile(path)
        return self._open[path]

    def _add_shard(self, path: Path) -> None:
        index, levels = _read_index(path)
        expected = {"version": VERSION, "kind": self.kind, "class_names": list(self.class_names)}
        for key, value in expected.items():
            if index.get(key) != value:
                raise UserError(f"{path}: {key} is {index.get(key)!r}, expected {value!r}")
        if not np.array_equal(levels, self._levels):
            raise UserError(f"{path}: {LEVELS_MEMBER} is not that of {self.kind} scores")
        try:
            if KEYWORD in index:
                self.computed_in.append(ComputedIn(**index[KEYWORD]))
            images = {str(key): [int(k) for k in ids] for key, ids in index["class_ids"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: {INDEX_MEMBER} is not as it was written ({error})") from None
        for image_id, class_ids in images.items():
            problem = check_class_ids(
                class_ids, kind=self.kind, num_foreground=len(self.class_names)
            )
            if image_id in self._path_of:
                problem = f"is in {self._path_of[image_id]} already"
            if problem is not None:
                raise UserError(f"{path}: image {image_id}: {problem}")
            self._path_of[image_id] = path
            self._class_ids[image_id] = tuple(class_ids)


def _score_member(image_id: str) -> str:
    return f"scores/{image_id}.npy"


def _read_array(archive: zipfile.ZipFile, member: str) -> NDArray[Any]:
    return np.load(io.BytesIO(archive.read(member)), allow_pickle=False)


def _read_index(path: Path) -> tuple[Mapping[str, Any], NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(INDEX_MEMBER)), _read_array(archive, LEVELS_MEMBER)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file, expected stored score maps") from error
    except _DAMAGE as error:
        raise UserError(f"{path}: not a file of stored score maps ({error})") from error
