"""Removes trainings from the store that no experiment uses any more.

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
NETWORKS = "*/*/seed*/*/weights.pt"  # in results: the weights of all runs


def unused(results: Path) -> Iterator[Path]:
    """Yields the entries of the store whose weights no run has, neither as link nor as copy."""
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
        return None  # an incomplete entry, which is useless


def main() -> None:
    """Removes unused entries, except those that a run is using, and prints the freed space."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the folder of all experiments")
    results = parser.parse_args().results
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; expected the folder of all experiments")
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
