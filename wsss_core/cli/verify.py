"""Checks that the files of a results folder are still as the workflow wrote them.

    files          compared with
    tables         the digest beside each table, such as .summary.csv.sha256
    dataset        image_digests.csv, test_digests.csv and mask_digests.csv
    masks, .npz    the checksums inside each file
    weights        the checksums inside each file; all numbers must also be finite
    store          note.json of each finished training

The command writes no files. Files without a checksum, such as logs, are only counted. The exit
status is 1 if a file is missing or has changed.
"""

import argparse
import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_mask_notes
from wsss_core.data.weights import load_weights
from wsss_core.pretrained.tensor_names import check_values
from wsss_core.runtime.checked_text import read_checked, table_of
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest

DATASET_TABLE = "image_digests.csv"  # a folder with this file is a prepared dataset
NOTE = "note.json"  # lists the files of a finished training in the store


def main(argv: Sequence[str]) -> None:
    """Checks a folder and prints the differences."""
    args = parse(argv)
    if not args.folder.is_dir():
        raise UserError(f"{args.folder}: no such folder; expected results/<name>")
    paths = sorted(path for path in args.folder.rglob("*") if path.is_file() or path.is_symlink())
    faults: list[str] = []
    noted: set[Path] = set()
    for path in paths:
        for verified, check in checks_of(path):
            noted.add(verified)
            try:
                check()
            except UserError as error:
                faults.append(str(error))
    faults = list(dict.fromkeys(faults))
    sys.stdout.write("".join(f"error: {' '.join(fault.split())}\n" for fault in faults))
    others = len(set(paths) - noted)
    sys.stdout.write(
        f"{len(noted)} files verified, {others} files without a checksum, {len(faults)} errors\n"
    )
    if faults:
        sys.exit(1)


def checks_of(path: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """Yields each file that `path` has a checksum of, and a check that raises UserError."""
    table = table_of(path)
    if table is not None:  # `path` holds the digest of a table; the table itself may be missing
        yield path, lambda: None
        yield table, lambda: read_checked(table)
    elif path.suffix == ".npz":
        yield path, lambda: check_archive(path)
    elif path.suffix == ".pt":
        yield path, lambda: check_weights(path)
    elif path.name == NOTE:
        yield from files_of_note(path)
    elif path.suffix == ".png" and not (path.parent.parent / DATASET_TABLE).is_file():
        yield path, lambda: read_mask_notes(path)
    elif path.name == DATASET_TABLE:
        yield from files_of_dataset(path.parent)


def files_of_dataset(root: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """Yields the images and masks of a prepared dataset, with a check of the digest of each."""
    try:
        dataset = open_dataset(root)
    except UserError:  # a damaged table: its own check reports it
        return
    for digests, find in (
        (dataset.image_digests, dataset.image_path),
        (dataset.mask_digests, dataset.mask_path),
    ):
        for image_id, digest in (digests or {}).items():
            place = find(image_id)
            yield place, partial(check_digest, place, digest)


def files_of_note(note: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """Yields the files of a finished training in the store, with a check of each."""
    try:
        digests = dict(json.loads(note.read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError):
        return
    yield note, lambda: None
    for name, digest in digests.items():
        place = note.parent / name
        yield place, partial(check_digest, place, digest)


def check_digest(path: Path, digest: str) -> None:
    """Raises UserError if a file is missing or has another SHA-256."""
    if not path.is_file():
        raise UserError(f"{path}: is missing; expected a file of sha256 {digest}")
    if file_digest(path) != digest:
        raise UserError(f"{path}: was changed; expected a file of sha256 {digest}")


def check_archive(path: Path) -> None:
    """Raises UserError if a file of score maps does not match its checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:  # a damaged file can make zipfile raise anything
        raise UserError(f"{path}: damaged ({error}); expected stored score maps") from None
    if damaged is not None:
        raise UserError(f"{path}: {damaged} is damaged; expected stored score maps")


def check_weights(path: Path) -> None:
    """Raises UserError if weights are damaged or not finite."""
    if path.parent.name == "state":  # a checkpoint; if damaged, its training starts anew
        check_archive(path)
    else:
        check_values(load_weights(path).state_dict, what=str(path))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="wsss verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="results/<name>, or a folder in it")
    return parser.parse_args(argv)
