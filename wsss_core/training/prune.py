"""Removes from the store the trainings that no experiment has any more.

python -m wsss_core.training.prune results
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from wsss_core.runtime.atomic import remove
from wsss_core.runtime.errors import UserError, run_command
from wsss_core.runtime.file_digest import file_digest
from wsss_core.training.store import NOTE

STORE = "store"
NETWORKS = "*/*/seed*/*/weights.pt"  # below results: those of all runs of all experiments


def unused(results: Path) -> Iterator[Path]:
    """Entries of the store whose network no run has, by its content: it may be a copy."""
    networks: dict[int, list[Path]] = {}
    for path in results.glob(NETWORKS):
        networks.setdefault(path.stat().st_size, []).append(path)
    for entry in sorted((results / STORE).glob("[!.]*")):
        network = entry / "weights.pt"
        same_size = networks.get(network.stat().st_size, []) if network.is_file() else []
        if any(path.samefile(network) for path in same_size):
            continue
        digest = _noted_digest(entry)
        if digest not in [file_digest(path) for path in same_size]:
            yield entry


def _noted_digest(entry: Path) -> str | None:
    try:
        return str(json.loads((entry / NOTE).read_text(encoding="utf-8"))["files"]["weights.pt"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # half an entry, which is of no use


def main() -> None:
    """Removes them, but for those that a run is making or taking, and says what is free now."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the folder of all experiments")
    results = parser.parse_args().results
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; expected that of all experiments")
    freed = count = 0
    for entry in unused(results):
        lock = FileLock(entry.with_name(f".{entry.name}.lock"))
        try:
            with lock.acquire(timeout=0):
                freed += sum(path.stat().st_size for path in entry.iterdir())
                count += 1
                remove(entry)
        except Timeout:
            continue
    sys.stdout.write(f"{count} trainings removed, {freed / 1e6:,.0f} MB free\n")


if __name__ == "__main__":
    run_command(main)
