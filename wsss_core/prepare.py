"""Turning a user's folder into a prepared dataset: checked, upright, RGB, with digests."""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from wsss_core.atomic import move_into_place, staging_dir
from wsss_core.dataset import IGNORE_INDEX
from wsss_core.errors import UserError, name_some
from wsss_core.folder import Folder, check_all_scored, read_folder
from wsss_core.images import MASK_MODES, upright_rgb, write_mask
from wsss_core.process_map import process_map
from wsss_core.progress import progress

EXIF_ORIENTATION = 0x0112
EXPECTED = {
    "image file": "whole JPEG or PNG files",
    "mask file": "whole PNG files with one class index per pixel",
    "mask size": "masks of the size of their images",
    "mask index": "0 to the number of classes, or 255 for ignored pixels",
}


@dataclass(frozen=True)
class Item:
    """An image of the source, and its mask if it has one."""

    image_id: str
    image: Path
    mask: Path | None


@dataclass(frozen=True)
class Prepared:
    """What became of an item: digests of the prepared files, or what is wrong with it.

    Attributes:
        image_id: Which one.
        image_digest: sha256 of the prepared image file, in hex.
        mask_digest: The same of its mask; None without one.
        problem: Kind (a key of EXPECTED) and details; None if all is well.
    """

    image_id: str
    image_digest: str = ""
    mask_digest: str | None = None
    problem: tuple[str, str] | None = None


class BadFileError(Exception):
    """A source file that cannot be used: its kind of problem (a key of EXPECTED), and details."""


def prepare_folder(
    root: Path,
    output: Path,
    *,
    scored_splits: Sequence[str],
    all_scored: bool = False,
    workers: int = 1,
    link: bool = True,
) -> None:
    """Checks a folder in the dataset layout and makes a prepared dataset of it.

    Args:
        root: The folder: images/, labels.csv, classes.txt, splits/, perhaps masks/.
        output: Directory to fill with images/, masks/, splits/, labels.csv, classes.txt,
            image_digests.csv and mask_digests.csv. Nothing is written if anything is wrong.
        scored_splits: Splits whose images need a mask.
        all_scored: Whether each image that is trained on must be in one of them.
        workers: Processes that decode images.
        link: Link to the files of the source that need no change; otherwise they are moved.
    """
    if output.resolve() == root.resolve():
        raise UserError(f"the output {output} is the source itself; expected another directory")
    folder = read_folder(root, scored_splits=scored_splits)
    if all_scored:
        check_all_scored(root, folder.splits, scored_splits=scored_splits)
    with staging_dir(output) as staging:
        prepared = prepare_files(folder, staging, workers=workers, link=link)
        write_tables(folder, prepared, staging)
        output.mkdir(parents=True, exist_ok=True)
        for path in sorted(staging.iterdir()):
            move_into_place(path, output / path.name)
    warn_unlabelled(folder)


def prepare_files(folder: Folder, output: Path, *, workers: int, link: bool) -> list[Prepared]:
    """Decodes, checks and places all images and masks.

    Args:
        folder: The source.
        output: Directory that gets images/ and masks/.
        workers: Processes that decode images.
        link: Link unchanged files instead of moving them.

    Returns:
        What became of each, sorted by id.
    """
    items = [
        Item(image_id, folder.images[image_id], folder.masks.get(image_id))
        for image_id in sorted(folder.images)
    ]
    (output / "images").mkdir()
    (output / "masks").mkdir()
    prepare = partial(prepare_item, output=output, num_classes=len(folder.class_names), link=link)
    # Starting processes takes longer than a handful of images.
    outcomes = (
        process_map(prepare, items, processes=workers) if workers > 1 else map(prepare, items)
    )
    prepared = list(progress(outcomes, total=len(items), desc="checking images"))
    raise_problems([outcome.problem for outcome in prepared if outcome.problem])
    return prepared


def prepare_item(item: Item, *, output: Path, num_classes: int, link: bool) -> Prepared:
    """Decodes, checks and places one image and its mask.

    Args:
        item: The files.
        output: Directory with images/ and masks/.
        num_classes: K; mask indices are 0 to K, or 255.
        link: Link unchanged files instead of moving them.
    """
    try:
        image = _decode(item.image, kind="image file")
        image_digest = place_image(item, image, output / "images", link=link)
        if item.mask is None:
            return Prepared(item.image_id, image_digest)
        mask_digest = place_mask(
            item.mask, image, output / "masks", num_classes=num_classes, link=link
        )
        return Prepared(item.image_id, image_digest, mask_digest)
    except BadFileError as error:
        kind, details = error.args
        return Prepared(item.image_id, problem=(kind, details))


def place_image(item: Item, image: Image.Image, directory: Path, *, link: bool) -> str:
    """Places an image as an upright RGB file.

    Args:
        item: Where it comes from.
        image: The same, decoded.
        directory: Where to put <id>.jpg or <id>.png.
        link: Link it if it needs no change; otherwise move it.

    Returns:
        sha256 of the placed file, in hex.
    """
    suffix = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png"}.get(image.format or "")
    if image.mode == "RGB" and suffix and image.getexif().get(EXIF_ORIENTATION, 1) == 1:
        return _place_file(item.image, directory / f"{item.image_id}{suffix}", link=link)
    # PNG, since a second JPEG compression would change pixels that no one asked to change.
    rewritten = directory / f"{item.image_id}.png"
    upright = Image.fromarray(np.asarray(upright_rgb(image)))  # without the metadata
    upright.save(rewritten, format="PNG")
    return _sha256(rewritten)


def place_mask(
    path: Path, image: Image.Image, directory: Path, *, num_classes: int, link: bool
) -> str:
    """Places a mask so that it fits its upright image.

    A mask of the size of the upright image is taken as it is, one of the size of the stored,
    not yet rotated image is turned along with it.

    Args:
        path: The mask.
        image: Its image, decoded, not yet rotated.
        directory: Where to put <id>.png.
        num_classes: K; indices are 0 to K, or 255.
        link: Link it if it needs no change; otherwise move it.

    Returns:
        sha256 of the placed file, in hex.
    """
    mask = _decode(path, kind="mask file")
    if mask.mode not in MASK_MODES or mask.format != "PNG":
        raise BadFileError("mask file", f"{path} is {mask.format} of mode {mask.mode}")
    upright_size = ImageOps.exif_transpose(image).size
    if mask.size not in (upright_size, image.size):
        of_mask, of_image = ("x".join(map(str, size)) for size in (mask.size, upright_size))
        raise BadFileError("mask size", f"{path} is {of_mask} for an image of {of_image}")
    indices = np.array(mask).astype(np.uint8)
    outside = indices[(indices > num_classes) & (indices != IGNORE_INDEX)]
    if outside.size:
        raise BadFileError("mask index", f"{path} has {outside.max()} of {num_classes} classes")
    placed = directory / path.name
    if mask.size == upright_size:
        return _place_file(path, placed, link=link)
    turned = Image.fromarray(indices)
    turned.getexif()[EXIF_ORIENTATION] = image.getexif()[EXIF_ORIENTATION]
    write_mask(placed, np.array(ImageOps.exif_transpose(turned)))
    return _sha256(placed)


def raise_problems(problems: Sequence[tuple[str, str]]) -> None:
    """Raises one UserError for all problems of the first kind there is, if there is any."""
    for kind, expected in EXPECTED.items():
        details = [detail for problem_kind, detail in problems if problem_kind == kind]
        if not details:
            continue
        others = len(problems) - len(details)
        more = f" ({others} problems of other kinds)" if others else ""
        plural = "s" if len(details) > 1 else ""
        raise UserError(
            f"{len(details)} bad {kind}{plural}: {name_some(details, limit=3)}; "
            f"expected {expected}{more}"
        )


def write_tables(folder: Folder, prepared: Sequence[Prepared], output: Path) -> None:
    """Writes classes, labels, splits and digests: sorted, the same bytes for the same content."""
    _write_lines(output / "classes.txt", folder.class_names)
    (output / "splits").mkdir()
    for split, image_ids in folder.splits.items():
        _write_lines(output / "splits" / f"{split}.txt", image_ids)
    labels = ([image_id, *label] for image_id, label in sorted(folder.labels.items()))
    _write_csv(output / "labels.csv", ["image", *folder.class_names], labels)
    images = ([p.image_id, p.image_digest] for p in prepared)
    _write_csv(output / "image_digests.csv", ["image", "sha256"], images)
    masks = ([p.image_id, p.mask_digest] for p in prepared if p.mask_digest)
    _write_csv(output / "mask_digests.csv", ["image", "sha256"], masks)


def warn_unlabelled(folder: Folder) -> None:
    """Says on stderr how many images have no label: allowed, but perhaps not intended."""
    unlabelled = [image_id for image_id, label in folder.labels.items() if not any(label)]
    if unlabelled:
        sys.stderr.write(
            f"warning: {len(unlabelled)} of {len(folder.labels)} images have no label and count "
            f"as pure background: {name_some(unlabelled)}\n"
        )


def _decode(path: Path, *, kind: str) -> Image.Image:
    """Decodes all of a file: a truncated one shows only at its end."""
    data = path.read_bytes()
    if not data:
        raise BadFileError(kind, f"{path} is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except UnidentifiedImageError:
        raise BadFileError(kind, f"{path} is not an image") from None
    # Pillow reports damage by whatever its format plugins run into.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadFileError(kind, f"{path} cannot be decoded ({error})") from None
    return image


def _place_file(source: Path, target: Path, *, link: bool) -> str:
    digest = _sha256(source)
    if link:
        target.symlink_to(source.resolve())
    else:
        source.replace(target)
    return digest


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
