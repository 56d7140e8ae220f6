"""Downloads a large file over HTTP, and resumes an interrupted download."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from wsss_core.runtime.progress import progress

CONNECT_TIMEOUT = 15.0  # seconds
STALL_TIMEOUT = 60.0  # seconds without any byte
ATTEMPTS = 5  # number of attempts in a row without any new byte
FIRST_PAUSE = 1.0  # seconds; doubles after each such attempt
LONGEST_PAUSE = 60.0
CHUNK = 1 << 20
MEGABYTE = 1_000_000
PASSING = (408, 425, 429)  # client errors that are worth a retry, as all server errors are


class SourceError(Exception):
    """A source does not have the wanted file. Another source may have it."""


class _CutOffError(Exception):
    """An attempt failed, but the next attempt may succeed."""

    def __init__(self, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


def download(url: str, partial: Path, *, size: int) -> None:
    """Downloads the rest of a file.

    Args:
        url: Address of the file, http or https.
        partial: The file to write. It may hold the first bytes from an earlier attempt, at this or
            another address. It is kept if this attempt fails.
        size: Size of the complete file in bytes. The caller must check the content.

    Raises:
        SourceError: The address does not have the file, or it failed ATTEMPTS times in a row.
    """
    failures = 0
    have = size_of(partial)
    with progress(
        None,
        total=size // MEGABYTE,
        desc=f"downloading {url.rsplit('/', 1)[-1]}",
        initial=have // MEGABYTE,
        unit="MB",
    ) as bar:
        while have < size:
            try:
                _continue(url, partial, size=size, bar=bar)
            except _CutOffError as error:
                failures = 1 if size_of(partial) > have else failures + 1
                if failures == ATTEMPTS:
                    raise SourceError(f"{error}, after {ATTEMPTS} attempts") from error
                pause = max(error.wait, FIRST_PAUSE * 2 ** (failures - 1))
                sys.stderr.write(f"{url}: {error}; retrying in {pause:.0f} s\n")
                time.sleep(min(pause, LONGEST_PAUSE))
            have = size_of(partial)


def size_of(path: Path) -> int:
    """Returns the size of a file in bytes, 0 if it is missing."""
    return path.stat().st_size if path.exists() else 0


def _continue(url: str, partial: Path, *, size: int, bar: tqdm[Any]) -> None:
    """Requests the missing bytes and appends them."""
    have = size_of(partial)
    # Some servers send a .tgz as a compressed .tar, which requests would decompress.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with requests.get(
            url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, STALL_TIMEOUT)
        ) as response:
            offset = _first_byte(response, have=have, size=size)
            _copy(response, partial, offset=offset, size=size, bar=bar)
    except requests.exceptions.SSLError as error:
        raise SourceError(f"no secure connection ({_cause(error)})") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _CutOffError(f"no answer ({_cause(error)})") from error
    except requests.RequestException as error:
        raise SourceError(_cause(error)) from error


def _first_byte(response: requests.Response, *, have: int, size: int) -> int:
    """Checks a response, and returns the byte of the file at which its content starts."""
    status = f"{response.status_code} {response.reason}"
    if response.status_code in PASSING or response.status_code >= 500:
        seconds = response.headers.get("Retry-After", "")
        raise _CutOffError(status, wait=float(seconds) if seconds.isdecimal() else 0.0)
    if response.status_code == 416:  # the server has no bytes after ours
        raise SourceError(f"has no more than {have:,} bytes, expected {size:,}")
    if response.status_code not in (200, 206):
        raise SourceError(status)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise SourceError("answered with a web page, perhaps a login page")
    if response.status_code == 200:  # the whole file, even if a part was requested
        offset, total = 0, response.headers.get("Content-Length")
    else:
        found = re.fullmatch(r"bytes (\d+)-\d+/(.+)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != have:
            raise SourceError(f"did not answer with the requested bytes (from {have:,} on)")
        offset, total = have, found[2]
    if total is not None and total.isdecimal() and int(total) != size:
        raise SourceError(f"has {int(total):,} bytes, expected {size:,}")
    return offset


def _copy(
    response: requests.Response, partial: Path, *, offset: int, size: int, bar: tqdm[Any]
) -> None:
    """Writes the content of a response to the file, from byte `offset` on.

    If the server sends the whole file again, the existing bytes are overwritten but not truncated:
    nothing is lost if this attempt ends earlier than the one before.
    """
    partial.touch()
    with partial.open("r+b", buffering=0) as file:  # unbuffered: written bytes survive a kill
        file.seek(offset)
        while data := _read(response, offset=offset, size=size):
            offset += len(data)
            if offset > size:
                file.truncate(0)
                raise SourceError(f"sends more than the expected {size:,} bytes")
            _write(file, data)
            bar.update(max(0, offset // MEGABYTE - bar.n))
    if offset < size:
        raise _CutOffError(f"the connection ended after {offset:,} of {size:,} bytes")


def _read(response: requests.Response, *, offset: int, size: int) -> bytes:
    """Reads the bytes that have arrived, at most CHUNK; empty at the end."""
    try:
        return response.raw.read1(CHUNK, decode_content=False)
    except HTTPError as error:
        where = f"after {offset:,} of {size:,} bytes"
        raise _CutOffError(f"the connection broke off {where} ({_cause(error)})") from error


def _write(file: Any, data: bytes) -> None:
    """Writes all of `data`. A single unbuffered write may write only a part."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _cause(error: BaseException) -> str:
    """Returns a short text for the original cause of an error of requests."""
    while error.__context__ is not None:
        error = error.__context__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
