"""Reads a user's lists of image ids, one list per split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wsss_core.data.dataset import TEST_SPLIT, TRAIN_SPLIT
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.labelling import Labelling
from wsss_core.prepare.names import BadNameError, read_id, repeated_names
from wsss_core.prepare.text_files import read_text
from wsss_core.runtime.errors import MistakesError, UserError, name_some


def folder_splits(
    directory: Path, labelling: Labelling, *, scored_splits: Sequence[str], findings: Findings
) -> dict[str, list[str]]:
    """Determines the splits of a folder from its lists, or else from its labels.

    Args:
        directory: Folder of the lists <split>.txt; it may be missing.
        labelling: The labels, which may define splits.
        scored_splits: Splits that must exist.
        findings: Receives the mistakes. A list that cannot be read counts as empty.

    Returns:
        Image ids by split. Without a list train_aug, it holds all labelled images that are in no
        other split.
    """
    splits = {s: ids for s, ids in labelling.splits.items() if s in (*scored_splits, TRAIN_SPLIT)}
    for split in dict.fromkeys((TRAIN_SPLIT, *scored_splits, TEST_SPLIT)):
        path = directory / f"{split}.txt"
        if path.exists():
            try:
                splits[split] = read_ids(path)
            except UserError as error:
                for line in str(error).splitlines():
                    findings.error(line)
                splits[split] = []
        elif split in scored_splits and split not in splits and split != TRAIN_SPLIT:
            findings.error(f"{path} is missing; expected one image id per line")
            splits[split] = []
    if TRAIN_SPLIT not in splits:
        other = {image_id for image_ids in splits.values() for image_id in image_ids}
        splits[TRAIN_SPLIT] = sorted(labelling.tags.keys() - other)
    return splits


def read_splits(
    directory: Path, *, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Reads lists of image ids.

    Args:
        directory: Folder of the lists <split>.txt, with one id per line.
        required: Splits that must have a list.
        optional: Splits that may have a list.

    Returns:
            Image ids by split, for the splits that have a list.

    Raises:
            UserError: A required list is missing, or a list is not valid.
    """
    for name in required:
        if not (directory / f"{name}.txt").is_file():
            raise UserError(f"{directory}/{name}.txt is missing; expected one image id per line")
    paths = {name: directory / f"{name}.txt" for name in (*required, *optional)}
    return {name: read_ids(path) for name, path in paths.items() if path.is_file()}


def read_ids(path: Path) -> list[str]:
    """Reads one image id per line.

    Raises:
        UserError: A line is not a file name, an id occurs twice, or the list is empty.
    """
    image_ids, problems = [], []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        try:
            image_ids += [read_id(line.strip())] if line.strip() else []
        except BadNameError as error:
            problems.append(f"{path} line {number} is {error}")
    if not image_ids and not problems:
        problems.append(f"{path} is empty; expected one image id per line")
    if repeated := repeated_names(image_ids):
        problems.append(f"{path} lists {name_some(repeated)} more than once; expected each once")
    if problems:
        raise MistakesError(problems)
    return image_ids
