"""Segments pictures with a network that the workflow has trained.

The last argument is the output folder:

    masks/<name>.png      palette PNG of the picture's size: 0 is background, k is the k-th class
    overlays/<name>.jpg   the picture with its mask painted over it
    probs/<name>.npz      with --probs: class probabilities, background first, at a quarter of the
                          picture's size, 8 bits each. With file = numpy.load(...), they are
                          file['levels'][file['scores/<name>']]
    cutouts/<name>.png    with --format cutout: the picture with a transparent background
    annotations.json      with --format coco: all masks of the folder, for CVAT and Label Studio
    class_coverage.csv    percentage of the pixels that each class covers in each picture
    predict.json          weights, settings and the colours of the classes

Subfolders of the given folders are searched too, and the output keeps their structure. A picture
that already has its mask is skipped, so an interrupted run can be continued. If a picture cannot be
read, the others are still segmented, and the error is reported at the end.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from wsss_core.config.numbers import LARGEST_SCALE, SMALLEST_SCALE
from wsss_core.config.precision import AskedPrecision
from wsss_core.layouts.coco import CocoWriter
from wsss_core.predict.folder import PredictionFolder
from wsss_core.predict.pictures import Picture, find_pictures
from wsss_core.predict.segmenter import LONGEST_SIDE, Failure, Segmenter
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest
from wsss_core.runtime.lock import exclusive
from wsss_core.runtime.progress import progress
from wsss_core.stages.class_shares import ClassShares

MASKS, COCO, CUTOUT = FORMATS = ("masks", "coco", "cutout")


def main(argv: Sequence[str]) -> None:
    """Segments pictures and writes the output folder."""
    args = parse(argv)
    pictures = find_pictures(args.pictures, output=args.output)
    segmenter = Segmenter.load(
        args.weights,
        scales=args.scales,
        flip=args.flip,
        crf=args.crf,
        longest_side=args.longest_side,
        confidence=args.confidence,
        device=args.device,
        precision=args.precision,
    )
    wanted = {
        "overlays": not args.no_overlays,
        "probs": args.probs,
        "cutouts": CUTOUT in args.format,
    }
    folder = PredictionFolder(
        args.output,
        class_names=segmenter.class_names[1:],
        extras=[kind for kind, is_wanted in wanted.items() if is_wanted],
    )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(args.output):
        folder.start(settings_of(segmenter, args.weights), overwrite=args.overwrite)
        waiting = [picture for picture in pictures if not folder.is_done(*picture)]
        failures: dict[Picture, str] = {}
        results = segmenter.each(waiting)
        for picture, result in progress(results, total=len(waiting), desc="predict"):
            if isinstance(result, Failure):
                failures[picture] = result.reason
            else:
                image, mask, scores, _ = result
                folder.write(*picture, image=image, mask=mask, scores=scores)
        if COCO in args.format:
            write_coco(folder)
        report(folder, pictures, failures, num_done=len(pictures) - len(waiting))


def settings_of(segmenter: Segmenter, weights: Path) -> dict[str, object]:
    """Lists the settings that predictions depend on, as plain values."""
    return {
        "weights": file_digest(weights),
        **segmenter.config.model_dump(mode="json"),
        "longest_side": segmenter.longest_side,
        "confidence": segmenter.confidence,
        "precision": segmenter.precision,
    }


def write_coco(folder: PredictionFolder) -> None:
    """Writes annotations.json with all masks of a folder."""
    writer = CocoWriter(folder.class_names)
    for name in folder.names():
        writer.add(folder.picture_name(name), folder.read_mask(name))
    with atomic_file(folder.root / "annotations.json") as temporary:
        temporary.write_text(json.dumps(writer.content()), encoding="utf-8")


def report(
    folder: PredictionFolder,
    pictures: Sequence[Picture],
    failures: Mapping[Picture, str],
    *,
    num_done: int,
) -> None:
    """Writes class_coverage.csv, and prints a summary and the errors.

    Args:
        folder: Holds the predictions.
        pictures: All pictures that were given.
        failures: The reason for each picture without a prediction.
        num_done: Number of pictures that were already segmented before this run.

    Raises:
        UserError: There are failures.
    """
    shares = ClassShares(folder.class_names)
    for name in folder.names():
        shares.add(name, folder.read_mask(name))
    shares.write(folder.root / "class_coverage.csv")
    sys.stdout.write(f"{shares.table()}\n")
    sys.stdout.write(f"pictures: {len(pictures)}, done before: {num_done}\n")
    for picture, reason in failures.items():
        sys.stderr.write(f"{picture.path}: {reason}\n")
    if failures:
        raise UserError(f"{len(failures)} of {len(pictures)} pictures have no mask, see above")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="wsss predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--weights", type=Path, required=True, help="weights file of a trained segmenter"
    )
    parser.add_argument("pictures", type=Path, nargs="+", help="files or folders")
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument(
        "--format",
        action="append",
        choices=FORMATS,
        default=[MASKS],
        help="what to write in addition to masks; may be given more than once",
    )
    parser.add_argument("--no-overlays", action="store_true", help="write no overlays; saves time")
    parser.add_argument("--probs", action="store_true", help="also write class probabilities")
    parser.add_argument(
        "--overwrite", action="store_true", help="first remove existing predictions"
    )
    parser.add_argument(
        "--scales",
        type=to_numbers,
        help="factors on the picture's size, such as 0.5,1,1.5; the logits of all are averaged; "
        "default: the middle of the range of factors in training",
    )
    parser.add_argument(
        "--flip", action="store_true", help="average each scale with its mirror image"
    )
    parser.add_argument(
        "--crf",
        action="store_true",
        help="refine masks with a dense CRF; takes seconds per picture",
    )
    parser.add_argument(
        "--longest-side",
        type=to_side,
        default=LONGEST_SIDE,
        help="first shrink pictures to this longer side, in pixels; 0: never (%(default)s)",
    )
    parser.add_argument(
        "--precision",
        choices=get_args(AskedPrecision),
        default="float32",
        help="number format in which the network computes; auto: bfloat16 if the device has units "
        "for it, which is faster and changes the class of about 1 %% of the pixels (%(default)s)",
    )
    parser.add_argument(
        "--confidence",
        type=to_share,
        default=0.0,
        help="from 0 to 1; pixels whose class has a lower probability become 255, which means "
        "unknown (%(default)s)",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="torch device, such as cpu, cuda, cuda:1 or mps (%(default)s)",
    )
    return parser.parse_intermixed_args(argv)


def to_numbers(text: str) -> tuple[float, ...]:
    """Parses numbers that are separated by commas."""
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        message = f"expected numbers separated by commas, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None
    if not all(SMALLEST_SCALE <= number <= LARGEST_SCALE for number in numbers):
        message = f"expected numbers from {SMALLEST_SCALE} to {LARGEST_SCALE}, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return numbers


def to_side(text: str) -> int:
    """Parses a number of pixels, or 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text!r}")
    return int(text)


def to_share(text: str) -> float:
    """Parses a number from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1, got {text!r}")
    return share
