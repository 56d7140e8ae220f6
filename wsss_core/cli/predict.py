"""Segments pictures by a network that the workflow has trained.

The last argument is the folder to write to:

    masks/<name>.png      palette PNG: 0 background, k the k-th class, at the picture's size
    overlays/<name>.jpg   the picture with its classes painted over it
    probs/<name>.npz      with --probs: the network's probabilities, background first, 8 bits each,
                          of every fourth pixel. numpy.load gives levels['scores/<name>']
    class_coverage.csv    share of each class in each picture of the folder, in per cent
    predict.json          weights and settings; the colours of the classes

Pictures that have a mask of their own already are left out, so that a run that was stopped goes on.
A picture that cannot be read is told at the end, the others are done all the same.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import torch

from wsss_core.config.crf import CrfConfig
from wsss_core.config.precision import AskedPrecision
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.models.precision import start_inference
from wsss_core.predict.folder import PredictionFolder
from wsss_core.predict.pictures import Picture, find_pictures
from wsss_core.predict.predict import Failure, predict
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.progress import progress
from wsss_core.stages.class_shares import ClassShares
from wsss_core.stages.segment import load_segmenter

CRF = CrfConfig(  # DeepLab-v2's, as in config.yaml
    gaussian_sxy=1.0,
    gaussian_compat=3.0,
    bilateral_sxy=67.0,
    bilateral_srgb=3.0,
    bilateral_compat=4.0,
)

LARGEST_SCALE = 16  # of a picture of 1024 pixels, more than any memory holds


def main(argv: Sequence[str]) -> None:
    """Reads pictures and writes a folder."""
    args = parse(argv)
    pictures = find_pictures(args.pictures)
    network, class_names, trained = load_segmenter(args.weights)
    scales = args.scales or (usual_scale(trained),)
    config = SegmentConfig(scales=scales, flip=args.flip, crf=CRF if args.crf else None)
    folder = PredictionFolder(args.output, class_names=class_names, with_probs=args.probs)
    place = choose_device(args.device)
    precision = start_inference(args.precision, place)
    with args.weights.open("rb") as file:
        settings = {"weights": hashlib.file_digest(file, "sha256").hexdigest()}
    settings |= config.model_dump(mode="json")
    settings |= {"longest_side": args.longest_side, "precision": precision}
    folder.start(settings, overwrite=args.overwrite)

    network.to(memory_format=torch.channels_last).to(place)
    waiting = [picture for picture in pictures if not folder.is_done(*picture)]
    results = predict(
        network, waiting, config=config, longest_side=args.longest_side, precision=precision
    )
    failures: dict[Picture, str] = {}
    for picture, result in progress(results, total=len(waiting), desc="predict"):
        if isinstance(result, Failure):
            failures[picture] = result.reason
        else:
            folder.write(*picture, **result._asdict())
    report(folder, pictures, failures, num_done=len(pictures) - len(waiting))


def report(
    folder: PredictionFolder,
    pictures: Sequence[Picture],
    failures: Mapping[Picture, str],
    *,
    num_done: int,
) -> None:
    """Writes what was found, and what went wrong.

    Args:
        folder: Holds the predictions.
        pictures: All that were given.
        failures: Those without a prediction, and why.
        num_done: How many had one before.

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
    parser.add_argument("--weights", type=Path, required=True, help="of a trained segmenter")
    parser.add_argument("pictures", type=Path, nargs="+", help="files or folders")
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument("--probs", action="store_true", help="write probabilities too")
    parser.add_argument(
        "--overwrite", action="store_true", help="remove the predictions that are there first"
    )
    parser.add_argument(
        "--scales",
        type=to_numbers,
        help="factors on the picture's size, such as 0.5,1,1.5, whose logits are averaged; "
        "default: the middle of the factors of the training",
    )
    parser.add_argument("--flip", action="store_true", help="average with mirror images")
    parser.add_argument("--crf", action="store_true", help="refine by a dense CRF; takes seconds")
    parser.add_argument(
        "--longest-side",
        type=to_side,
        default=1024,
        help="larger pictures are shrunk to this before they are segmented; 0: none (%(default)s)",
    )
    parser.add_argument(
        "--precision",
        choices=get_args(AskedPrecision),
        default="float32",
        help="that the network computes in; auto: bfloat16 where the device has units for it, "
        "which is faster and gives about one pixel in a hundred another class (%(default)s)",
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    return parser.parse_intermixed_args(argv)


def to_numbers(text: str) -> tuple[float, ...]:
    """Reads numbers with commas between them."""
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        message = f"expected numbers with commas between, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None
    if not all(0 < number <= LARGEST_SCALE for number in numbers):
        message = f"expected numbers above 0, {LARGEST_SCALE} at most, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return numbers


def to_side(text: str) -> int:
    """Reads a number of pixels, or 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text!r}")
    return int(text)


def usual_scale(trained: SegmenterConfig) -> float:
    """The middle of the factors by which training images were resized."""
    return sum(trained.scale) / 2


def choose_device(name: str) -> torch.device:
    """The device that is asked for; 'auto' is the first GPU, if there is one."""
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise UserError("--device cuda: torch finds no GPU; expected cpu or auto")
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")
