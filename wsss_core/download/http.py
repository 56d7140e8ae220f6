"""A large file over HTTP, continued where an earlier attempt was cut off."""

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
STALL_TIMEOUT = 60.0  # seconds without a single byte
ATTEMPTS = 5  # in a row that bring nothing new
FIRST_PAUSE = 1.0  # seconds; doubles with each such attempt
LONGEST_PAUSE = 60.0
CHUNK = 1 << 20
MEGABYTE = 1_000_000
PASSING = (408, 425, 429)  # client errors that pass, as all server errors may


class SourceError(Exception):
    """A source does not give the file that is wanted; another one may."""


class _CutOffError(Exception):
    """An attempt failed for a reason that may have passed at the next."""

    def __init__(self, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


def download(url: str, partial: Path, *, size: int) -> None:
    """Brings a file to its full size, after what is there of it.

    Args:
        url: Where the file is, http or https.
        partial: What an earlier attempt, at this or another address, has left; may be missing. It
            stays if this one fails.
        size: Bytes of the whole file. That they are the right ones is the caller's to check.

    Raises:
        SourceError: The address has no such file, or fails again and again.
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
                    raise SourceError(f"{error}, at {ATTEMPTS} attempts") from error
                pause = max(error.wait, FIRST_PAUSE * 2 ** (failures - 1))
                sys.stderr.write(f"{url}: {error}; again in {pause:.0f} s\n")
                time.sleep(min(pause, LONGEST_PAUSE))
            have = size_of(partial)


def size_of(path: Path) -> int:
    """Bytes of a file, 0 if it is missing."""
    return path.stat().st_size if path.exists() else 0


def _continue(url: str, partial: Path, *, size: int, bar: tqdm[Any]) -> None:
    """Asks for the bytes that are missing, and writes what comes."""
    have = size_of(partial)
    # Some servers name a .tgz as a compressed encoding of a .tar, which must not be undone.
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
    """Checks an answer before its content is read; at which byte of the file it starts."""
    status = f"{response.status_code} {response.reason}"
    if response.status_code in PASSING or response.status_code >= 500:
        seconds = response.headers.get("Retry-After", "")
        raise _CutOffError(status, wait=float(seconds) if seconds.isdecimal() else 0.0)
    if response.status_code == 416:  # no bytes after those that we have
        raise SourceError(f"has no more than {have:,} bytes, expected {size:,}")
    if response.status_code not in (200, 206):
        raise SourceError(status)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise SourceError("answers with a web page, perhaps to log in")
    if response.status_code == 200:  # the whole file, whether or not a part was asked for
        offset, total = 0, response.headers.get("Content-Length")
    else:
        found = re.fullmatch(r"bytes (\d+)-\d+/(.+)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != have:
            raise SourceError(f"answers with bytes that nobody asked for (from {have:,} on)")
        offset, total = have, found[2]
    if total is not None and total.isdecimal() and int(total) != size:
        raise SourceError(f"has {int(total):,} bytes, expected {size:,}")
    return offset


def _copy(
    response: requests.Response, partial: Path, *, offset: int, size: int, bar: tqdm[Any]
) -> None:
    """Writes the content of an answer over the file from a byte on.

    If the answer is the whole file again, what was there is written over but not cut off: were
    this attempt shorter than the one before, nothing would be lost.
    """
    partial.touch()
    with partial.open("r+b", buffering=0) as file:  # unbuffered: what is written survives a kill
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
    """What has arrived, at most a chunk; nothing at the end."""
    try:
        return response.raw.read1(CHUNK, decode_content=False)
    except HTTPError as error:
        where = f"after {offset:,} of {size:,} bytes"
        raise _CutOffError(f"the connection broke off {where} ({_cause(error)})") from error


def _write(file: Any, data: bytes) -> None:
    """Writes all of some bytes; without a buffer a single write may take only a part."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _cause(error: BaseException) -> str:
    """What lies at the bottom of an error of requests, in a few words."""
    while error.__context__ is not None:
        error = error.__context__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
