"""Tables that tell when they are no longer what was written: each has its digest beside it.

`.summary.csv.sha256` is the digest of `summary.csv` in the form of sha256sum, so that
`sha256sum --check .summary.csv.sha256` compares them too. A table without one, which another
program has written, is read as it is.
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
    """As `atomic_file`, for a table: its digest is written with it."""
    with atomic_file(path) as temporary:
        yield temporary
        note_digest(path, file_digest(temporary))


def digest_path(path: Path) -> Path:
    """Where the digest of a table is."""
    return path.with_name(f".{path.name}.sha256")


def note_digest(path: Path, digest: str | None = None) -> None:
    """Writes the digest of a table beside it.

    Args:
        path: The table.
        digest: The digest, where the file is not there yet.
    """
    with atomic_file(digest_path(path)) as temporary:
        temporary.write_text(f"{digest or file_digest(path)}  {path.name}\n", encoding="utf-8")


def read_checked(path: Path) -> str:
    """Reads a table.

    Raises:
        UserError: It is missing, is no UTF-8, or was changed since it was written.
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
            f"{path}: was changed after it was written; expected it as its digest in "
            f"{digest_path(path).name} says. Remove the table, and the next run makes it again"
        )
    return text.replace("\r\n", "\n")


def table_of(path: Path) -> Path | None:
    """The table that a file is the digest of; None: it is of none."""
    if not (path.name.startswith(".") and path.name.endswith(".sha256")):
        return None
    return path.with_name(path.name.removeprefix(".").removesuffix(".sha256"))


def noted_digest(path: Path) -> str | None:
    """The digest that a table had when it was written; None where none is noted."""
    note = digest_path(path)
    if not note.is_file():
        return None
    return note.read_text(encoding="utf-8", errors="replace").partition(" ")[0]
