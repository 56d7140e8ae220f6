"""Tables with a digest beside them, by which later changes are detected.

`.summary.csv.sha256` holds the digest of `summary.csv` in the format of sha256sum. It can also be
checked by `sha256sum --check .summary.csv.sha256`. A table without a digest, written by another
program, is read without a check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsss_core.runtime.atomic import atomic_file
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.file_digest import file_digest


@contextmanager
def checked_file(path: Path) -> Iterator[Path]:
    """Does the same as `atomic_file`, and writes the digest of the table."""
    with atomic_file(path) as temporary:
        yield temporary
        note_digest(path, file_digest(temporary))


def digest_path(path: Path) -> Path:
    """Returns the path of a table's digest."""
    return path.with_name(f".{path.name}.sha256")


def note_digest(path: Path, digest: str | None = None) -> None:
    """Writes the digest of a table beside it.

    Args:
        path: The table.
        digest: The digest; None computes it from the file, which must exist.
    """
    with atomic_file(digest_path(path)) as temporary:
        temporary.write_text(f"{digest or file_digest(path)}  {path.name}\n", encoding="utf-8")


def read_checked(path: Path) -> str:
    """Reads a table and checks its digest.

    Raises:
        UserError: The table is missing, is not UTF-8, or was changed after it was written.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected a table") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: damaged ({error}); expected UTF-8") from error
    noted = noted_digest(path)
    if noted is not None and noted != hashlib.sha256(data).hexdigest():
        raise UserError(
            f"{path}: was changed after it was written; expected the content with the digest in "
            f"{digest_path(path).name}. Remove the table, and the next run makes it again"
        )
    return text.replace("\r\n", "\n")


def table_of(path: Path) -> Path | None:
    """Returns the table that a digest file belongs to; None for any other file."""
    if not (path.name.startswith(".") and path.name.endswith(".sha256")):
        return None
    return path.with_name(path.name.removeprefix(".").removesuffix(".sha256"))


def noted_digest(path: Path) -> str | None:
    """Returns the stored digest of a table; None if there is none."""
    note = digest_path(path)
    if not note.is_file():
        return None
    return note.read_text(encoding="utf-8", errors="replace").partition(" ")[0]
