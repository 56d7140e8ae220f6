"""Finds or downloads a published archive, verifies it, and writes a note with its path."""

import argparse
import json
from pathlib import Path

from wsss_core.download.archive import obtain
from wsss_core.download.archive_table import read_archives
from wsss_core.download.unpack import is_unpacked
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Runs the program."""
    archives = read_archives()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", choices=list(archives), required=True)
    parser.add_argument("--directory", type=Path, required=True, help="folder of downloads")
    parser.add_argument(
        "--sources",
        nargs="+",
        required=True,
        help="paths or addresses; 'download': the published addresses",
    )
    parser.add_argument("--output", type=Path, required=True, help="note to write (.json)")
    args = parser.parse_args()

    archive = archives[args.archive]
    # An archive that was deleted after unpacking is not downloaded again.
    path = None
    if not is_unpacked(archive, args.directory):
        path = obtain(archive, sources=args.sources, directory=args.directory)
    with atomic_file(args.output) as output:
        content = {"file": path and str(path), "checksum": archive.checksum}
        output.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
