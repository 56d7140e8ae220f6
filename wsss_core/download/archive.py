"""Obtains a verified archive: from a file of the user, or from the first mirror that works."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wsss_core.download.archive_table import Archive
from wsss_core.download.disk import disk_errors, require_space
from wsss_core.download.http import SourceError, download, size_of
from wsss_core.runtime.atomic import partial_path
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.lock import exclusive

SHIPPED = "download"  # this source means the addresses in archives.yaml


def obtain(archive: Archive, *, sources: Sequence[str], directory: Path) -> Path:
    """Finds an archive or downloads it.

    Files of the user are tried first and stay where they are. A download gets its final name in
    `directory` only after its size and checksum are verified.

    Args:
        archive: The archive.
        sources: Paths, file:// addresses, other addresses, or 'download' for the archive's own
            addresses.
        directory: Folder for downloads.

    Returns:
        Path of the verified archive.

    Raises:
        UserError: No source has the archive, or the download cannot be written.
    """
    urls = [url for source in sources for url in (archive.urls if source == SHIPPED else [source])]
    paths = {url: path for url in urls if (path := _local_path(url)) is not None}
    failures = []
    for path in paths.values():
        try:
            verify(path, archive)
        except SourceError as error:
            failures.append(f"{path} {error}")
        else:
            return path
    target = directory / archive.file
    if len(paths) == len(urls):
        raise _nowhere(archive, failures)
    sys.stderr.write("".join(f"{failure}; downloading it\n" for failure in failures))
    with disk_errors(directory, kept="what was downloaded is kept, and the next run goes on"):
        if not target.exists():
            directory.mkdir(parents=True, exist_ok=True)
            with exclusive(target):
                if not target.exists():
                    remote = [url for url in urls if url not in paths]
                    _download_any(archive, remote, target, failures=failures)
                    return target
    try:
        verify(target, archive)
    except SourceError as error:
        raise UserError(f"{target} {error}; delete it to download it again") from error
    return target


def verify(path: Path, archive: Archive) -> None:
    """Checks that a file has the size and checksum of an archive.

    Raises:
        SourceError: It has not. The text says what is wrong, without the path.
    """
    if path.is_dir():
        raise SourceError("is a directory, expected the archive as it was published")
    if not path.is_file():
        raise SourceError("is missing")
    if path.stat().st_size != archive.size:
        raise SourceError(f"has {path.stat().st_size:,} bytes, expected {archive.size:,}")
    algorithm, expected = archive.checksum.split(":")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})") from error
    if found != expected:
        raise SourceError(f"has the {algorithm} {found}, expected {expected}")


def _download_any(
    archive: Archive, urls: Sequence[str], target: Path, *, failures: Sequence[str]
) -> None:
    """Downloads an archive from the first address that works."""
    partial = partial_path(target)
    if size_of(partial) > archive.size:
        partial.unlink()
    missing = archive.size - size_of(partial)
    require_space(target.parent, missing, purpose=f"the rest of {archive.file}")
    told = [*failures]
    for url in urls:
        try:
            _download_verified(archive, url, partial)
        except SourceError as error:
            sys.stderr.write(f"{url} {error}\n")
            told.append(f"{url} {error}")
        else:
            partial.replace(target)
            return
    raise _nowhere(archive, told)


def _download_verified(archive: Archive, url: str, partial: Path) -> None:
    """Downloads an archive from one address.

    A wrong checksum may come from bytes of an earlier attempt at another address. In this case the
    file is discarded and downloaded once more from the first byte.
    """
    while True:
        resumed = size_of(partial) > 0
        download(url, partial, size=archive.size)
        try:
            verify(partial, archive)
        except SourceError as error:
            partial.unlink()
            if not resumed:
                raise SourceError(f"{error}; discarded") from error
            sys.stderr.write(
                f"{archive.file}, begun by an earlier attempt, {error}; discarded, downloading it "
                f"again from the start\n"
            )
        else:
            return


def _local_path(url: str) -> Path | None:
    """Returns the file that a path or file:// address names; None for other addresses."""
    parts = urlsplit(url)
    if "://" not in url:
        return Path(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _nowhere(archive: Archive, failures: Sequence[str]) -> UserError:
    return UserError(
        f"{archive.file} could not be obtained: {'; '.join(failures)}; expected the file, or an "
        f"address that has it, as archives.{archive.name} in the config"
    )
