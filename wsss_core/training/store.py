"""Finished trainings by what they were made of, so that none is lost or done twice.

    results/store/<key>/   weights.pt, history.csv, and note.json: what the key is of, and checksums

The files of an entry are hard links to those of the run that trained them, so they cost no space
while that run has them. Where there are no hard links they are copies.
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
    """Digest of what a training is made of, values of JSON by name: 32 hexadecimal digits."""
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def keep(entry: Path, files: Mapping[str, Path], made_of: Mapping[str, Any]) -> None:
    """Makes an entry, whole or not at all.

    Args:
        entry: The key's directory in the store; replaced if it is there.
        files: What a training has written, by the names that the entry has for them.
        made_of: What the key is of, for whoever wonders why it differs from another one.
    """
    with staging_dir(entry) as partial:
        for name, path in files.items():
            _link_or_copy(path, partial / name)
        digests = {name: file_digest(partial / name) for name in files}
        note = {"files": digests, "made_of": made_of}
        (partial / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        move_into_place(partial, entry)


def take(entry: Path, targets: Mapping[str, Path]) -> bool:
    """Puts the files of an entry where they are wanted, after a comparison of their checksums.

    A damaged entry is told of and removed.

    Args:
        entry: The key's directory in the store.
        targets: Where each of its files goes, by its name in the entry.

    Returns:
        Whether there is such an entry, and it is whole.
    """
    if not entry.is_dir():
        return False
    fault = _fault(entry, targets)
    if fault is not None:
        sys.stderr.write(f"warning: {entry}: {fault}; removed, and trained anew\n")
        remove(entry)
        return False
    for name, target in targets.items():
        _place(entry / name, target)
    return True


def _fault(entry: Path, names: Mapping[str, Path]) -> str | None:
    """What is wrong with an entry, if anything is."""
    try:
        digests = json.loads((entry / NOTE).read_text(encoding="utf-8"))["files"]
        for name in names:
            if file_digest(entry / name) != digests[name]:
                return f"{name} is damaged"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"cannot be read ({type(error).__name__}: {error})"
    return None


def _place(source: Path, target: Path) -> None:
    """Makes `target` a file with the content of `source` and the time of now.

    Snakemake goes by that time, and it belongs to all links of a file together. So a file that
    another run has too is copied: a new time would make what that run has learnt from it look old.
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
    except OSError:  # another file system, one without hard links, or too many of them
        shutil.copyfile(source, target)
