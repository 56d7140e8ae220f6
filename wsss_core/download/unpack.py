"""Unpacks the needed files of an archive to a directory. Errors leave no partial directory."""

from __future__ import annotations

import json
import shutil
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from wsss_core.download.archive_table import Archive
from wsss_core.download.disk import disk_errors
from wsss_core.runtime.atomic import move_into_place, staging_dir
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.lock import exclusive
from wsss_core.runtime.progress import progress

STAMP = "archive.json"  # in an unpacked directory: facts about the archive it comes from
MEGABYTE = 1_000_000
# download_archive has verified the file, so it was changed later and must be downloaded again.
REPLACE = (
    "expected the archive as it was published: delete what is there, and run snakemake once with "
    "--forcerun download_archive"
)


def unpack(archive: Archive, path: Path | None, *, directory: Path) -> Path:
    """Unpacks an archive, unless it is unpacked already.

    Args:
        archive: The archive.
        path: The archive file; None if it should be unpacked already.
        directory: Folder in which a directory with the archive's name is made.

    Returns:
        The archive's root inside this directory.

    Raises:
        UserError: The archive is wrong, incomplete, damaged or dangerous, or the directory cannot
            be written. Files that were unpacked earlier stay.
    """
    target = directory / archive.name
    kept = "the archive is kept, and what was unpacked earlier"
    if not is_unpacked(archive, directory):
        if path is None or not path.is_file():
            missing = path or directory / archive.file
            raise UserError(f"{missing} is missing, though it existed before; {REPLACE}")
        with disk_errors(directory, kept=kept):
            directory.mkdir(parents=True, exist_ok=True)
            with exclusive(target):
                if not is_unpacked(archive, directory):
                    _unpack(archive, path, target)
    return target / archive.root


def is_unpacked(archive: Archive, directory: Path) -> bool:
    """Says whether all needed files of an archive are unpacked.

    Args:
        archive: The archive.
        directory: As for `unpack`.
    """
    target = directory / archive.name
    stamp = target / STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != _stamp(archive):
        return False
    found = Counter(
        {
            pattern: sum(1 for _ in (target / archive.root).glob(pattern))
            for pattern in archive.members
        }
    )
    return not _miscounted(archive, found)


def extract(archive: Archive, path: Path, output: Path) -> None:
    """Writes the needed members of an archive, in one pass.

    Only regular files are unpacked. Their times, owners and permissions are ignored.

    Args:
        archive: The archive; says which members are needed.
        path: The tar file, compressed or not.
        output: Directory in which the archive's root is made.

    Raises:
        UserError: The archive is damaged, incomplete or dangerous.
    """
    root = PurePosixPath(archive.root)
    patterns = {root / pattern: pattern for pattern in archive.members}
    found: Counter[str] = Counter()
    with _damage(path), _members(path) as members:
        for tar, member in members:
            name = PurePosixPath(member.name)
            _refuse_dangerous(member, name, root=root, path=path)
            wanted = [pattern for full, pattern in patterns.items() if _matches(name, full)]
            if not wanted or member.isdir():
                continue
            content = tar.extractfile(member)
            assert content is not None, "a regular file has content"
            _write(content, output / name, path=path)
            found.update(wanted)
    if miscounted := _miscounted(archive, found):
        raise UserError(
            f"{path} is not {archive.file}, or not all of it: {'; '.join(miscounted)}; {REPLACE}"
        )


def _unpack(archive: Archive, path: Path, target: Path) -> None:
    # Not atomic_dir: its message about a full disk does not name archives.directory.
    with staging_dir(target) as staging:
        extract(archive, path, staging)
        (staging / STAMP).write_text(_stamp(archive), encoding="utf-8")
        move_into_place(staging, target)


def _stamp(archive: Archive) -> str:
    """Returns the text of the stamp. It changes if the archive or the needed members change."""
    return json.dumps(archive.model_dump(mode="json", exclude={"urls"}), indent=2) + "\n"


@contextmanager
def _members(path: Path) -> Iterator[Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]]:
    """Iterates over the members of a tar file, with a progress bar over its bytes."""
    with (
        path.open("rb") as file,
        tarfile.open(fileobj=file, mode="r:*") as tar,
        progress(
            None,
            total=path.stat().st_size // MEGABYTE,
            desc=f"unpacking {path.name}",
            unit="MB",
        ) as bar,
    ):

        def members() -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
            for member in tar:
                yield tar, member
                bar.update(file.tell() // MEGABYTE - bar.n)

        yield members()


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turns errors of a damaged archive into a one-line message."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged or cut off; {REPLACE}") from error


def _refuse_dangerous(
    member: tarfile.TarInfo, name: PurePosixPath, *, root: PurePosixPath, path: Path
) -> None:
    """Refuses a member that would be written outside the output directory, or through a link.

    Links and devices outside `root` are harmless, since they are not unpacked.
    """
    if name.is_absolute() or ".." in name.parts:
        kind = "is outside the directory that it is unpacked to"
    elif member.isreg() or member.isdir():
        return
    elif name.is_relative_to(root) or root.is_relative_to(name):
        kind = "is a link" if member.issym() or member.islnk() else "is a device"
    else:
        return
    raise UserError(
        f"{path}: member {member.name!r} {kind}; expected only files and directories below "
        f"{root}, so nothing of it is unpacked"
    )


def _matches(name: PurePosixPath, pattern: PurePosixPath) -> bool:
    return name.parent == pattern.parent and fnmatchcase(name.name, pattern.name)


def _write(content: IO[bytes], target: Path, *, path: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise UserError(f"{path} has two members for {target.name}; expected one")
    with target.open("xb") as file:
        shutil.copyfileobj(content, file, MEGABYTE)


def _miscounted(archive: Archive, found: Counter[str]) -> list[str]:
    """Returns a text for each pattern with a wrong number of files."""
    return [
        f"{found[pattern]:,} members {archive.root}/{pattern}, expected "
        f"{'some' if expected is None else f'{expected:,}'}"
        for pattern, expected in archive.members.items()
        if (not found[pattern] if expected is None else found[pattern] != expected)
    ]
