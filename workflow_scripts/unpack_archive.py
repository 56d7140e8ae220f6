"""Unpacks the needed files of a verified archive, and writes a note with their folder."""

import argparse
import json
from pathlib import Path

from wsss_core.download.archive_table import read_archives
from wsss_core.download.unpack import unpack
from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import run_command


def main() -> None:
    """Runs the program."""
    archives = read_archives()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", choices=list(archives), required=True)
    parser.add_argument("--downloaded", type=Path, required=True, help="note of download_archive")
    parser.add_argument("--directory", type=Path, required=True, help="folder to unpack to")
    parser.add_argument("--output", type=Path, required=True, help="note to write (.json)")
    args = parser.parse_args()

    archive = archives[args.archive]
    file = json.loads(args.downloaded.read_text(encoding="utf-8"))["file"]
    root = unpack(archive, file and Path(file), directory=args.directory)
    with atomic_file(args.output) as output:
        content = {"directory": str(root), "checksum": archive.checksum}
        output.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
