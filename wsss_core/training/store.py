"""Stores finished trainings under a key of their inputs, so that none is lost or repeated.

    results/store/<key>/   weights.pt, history.csv, and note.json (inputs of the key, checksums)

The files of an entry are hard links to the files of the run that trained them. They use no extra
space while that run exists. On file systems without hard links they are copies.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss_core.runtime.atomic import atomic_file, move_into_place, remove, staging_dir
from wsss_core.runtime.file_digest import file_digest

NOTE = "note.json"


def training_key(made_of: Mapping[str, Any]) -> str:
    """Computes the key of a training, 32 hexadecimal digits, from JSON values by name."""
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def keep(entry: Path, files: Mapping[str, Path], made_of: Mapping[str, Any]) -> None:
    """Adds an entry to the store; it appears complete or not at all.

    Args:
        entry: The key's directory in the store; an existing one is replaced.
        files: Files of the training, by their names in the entry.
        made_of: Inputs of the key, for people who want to know why two keys differ.
    """
    with staging_dir(entry) as partial:
        for name, path in files.items():
            _link_or_copy(path, partial / name)
        digests = {name: file_digest(partial / name) for name in files}
        note = {"files": digests, "made_of": made_of}
        (partial / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        move_into_place(partial, entry)


def take(entry: Path, targets: Mapping[str, Path]) -> bool:
    """Copies or links the files of an entry to their targets, after checking their checksums.

    A damaged entry is reported and removed.

    Args:
        entry: The key's directory in the store.
        targets: Target path of each file, by its name in the entry.

    Returns:
        Whether the entry exists and is complete.
    """
    if not entry.is_dir():
        return False
    fault = _fault(entry, targets)
    if fault is not None:
        sys.stderr.write(f"warning: {entry}: {fault}; removed, training again\n")
        remove(entry)
        return False
    for name, target in targets.items():
        _place(entry / name, target)
    return True


def _fault(entry: Path, names: Mapping[str, Path]) -> str | None:
    """Says what is wrong with an entry; None if it is complete."""
    try:
        digests = json.loads((entry / NOTE).read_text(encoding="utf-8"))["files"]
        for name in names:
            if file_digest(entry / name) != digests[name]:
                return f"{name} is damaged"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"cannot be read ({type(error).__name__}: {error})"
    return None


def _place(source: Path, target: Path) -> None:
    """Creates `target` with the content of `source` and the present time.

    Snakemake compares modification times, and all hard links of a file share one. If another run
    has a link to the file, `target` is therefore a copy: with a new time, the other run's later
    results would look outdated.
    """
    with atomic_file(target) as partial:
        if source.stat().st_nlink == 1:
            _link_or_copy(source, partial)
        else:
            shutil.copyfile(source, partial)
        os.utime(partial)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, no hard links, or too many of them
        shutil.copyfile(source, target)
