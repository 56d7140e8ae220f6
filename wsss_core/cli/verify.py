"""Compares all files of a results folder with the digests and checksums that are noted of them.

    tables         the digest beside each, `.summary.csv.sha256`
    dataset        image_digests.csv, test_digests.csv and mask_digests.csv
    masks, .npz    the checksums that the files have of their own parts
    weights        the same, and that all numbers are finite
    store          note.json of each finished training

Nothing is written. Files of which nothing is noted, such as logs, are counted. The exit status is 1
where a file is missing or is not what was written.
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

DATASET_TABLE = "image_digests.csv"  # by which the folder of a prepared dataset is known
NOTE = "note.json"  # of a finished training in the store


def main(argv: Sequence[str]) -> None:
    """Verifies a folder and tells what differs."""
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
        f"{len(noted)} files verified, {others} of which nothing is noted, {len(faults)} errors\n"
    )
    if faults:
        sys.exit(1)


def checks_of(path: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """What one file says of itself or of others: each file, and what raises UserError of it."""
    table = table_of(path)
    if table is not None:  # it notes the digest of a table, which may be missing
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
    """Photographs and masks of a prepared dataset, by its tables of digests."""
    try:
        dataset = open_dataset(root)
    except UserError:  # of a table, which is told as such
        return
    for digests, find in (
        (dataset.image_digests, dataset.image_path),
        (dataset.mask_digests, dataset.mask_path),
    ):
        for image_id, digest in (digests or {}).items():
            place = find(image_id)
            yield place, partial(check_digest, place, digest)


def files_of_note(note: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """Files of a finished training in the store."""
    try:
        digests = dict(json.loads(note.read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError):
        return
    yield note, lambda: None
    for name, digest in digests.items():
        place = note.parent / name
        yield place, partial(check_digest, place, digest)


def check_digest(path: Path, digest: str) -> None:
    """Raises UserError where a file is missing or has another sha256."""
    if not path.is_file():
        raise UserError(f"{path}: is missing; expected a file of sha256 {digest}")
    if file_digest(path) != digest:
        raise UserError(f"{path}: was changed; expected a file of sha256 {digest}")


def check_archive(path: Path) -> None:
    """Raises UserError where a file of score maps is not as its checksums say."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:  # whatever damage makes zipfile run into
        raise UserError(f"{path}: damaged ({error}); expected stored score maps") from None
    if damaged is not None:
        raise UserError(f"{path}: {damaged} is damaged; expected stored score maps")


def check_weights(path: Path) -> None:
    """Raises UserError where weights are damaged or not finite."""
    if path.parent.name == "state":  # of an unfinished training, which is begun anew if damaged
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
    parser.add_argument("folder", type=Path, help="such as results/voc12, or a part of it")
    return parser.parse_args(argv)
