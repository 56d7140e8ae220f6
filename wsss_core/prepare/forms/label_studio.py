"""Reads Label Studio's JSON exports; choices or labels of regions are tags. CSV is in table.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from wsss_core.data.pictures import SUFFIXES
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.labelling import Labelling, Row, collect

UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # Label Studio adds this to an upload's name


def is_label_studio(content: object) -> bool:
    """Tells whether a JSON file is a list of Label Studio's tasks, in its full or short form."""
    return isinstance(content, list) and all(
        isinstance(task, dict) and ("annotations" in task or "choice" in task) for task in content
    )


def read_label_studio(
    path: Path, content: Sequence[dict[str, Any]], names: frozenset[str], findings: Findings
) -> Labelling:
    """Reads the tags of all tasks.

    Args:
        path: The file.
        content: Its parsed content.
        names: Names of the existing picture files.
        findings: Receives the mistakes.
    """
    rows = []
    for number, task in enumerate(content, start=1):
        where = f"{path}, task {task.get('id', number)}"
        picture = _picture(task.get("data", task))
        if picture is None:
            findings.error(f"{where} names no picture; expected a task of one picture")
            continue
        try:
            tags = tuple(dict.fromkeys(_tags(task)))
        except (KeyError, TypeError, AttributeError) as error:
            findings.error(f"{where} is not Label Studio's format ({error!r})")
            continue
        rows.append(Row(file_name(picture, names), tags, where))
    return collect("Label Studio", path, rows, findings)


def _picture(data: Any) -> str | None:
    """Returns the value of the key `image`, or else the first value that looks like a picture."""
    values = [data["image"]] if "image" in data else list(data.values())
    pictures = [v for v in values if isinstance(v, str) and file_name(v).lower().endswith(SUFFIXES)]
    return pictures[0] if pictures else None


def file_name(address: str, names: frozenset[str] = frozenset()) -> str:
    """Returns the name of the file that an address in Label Studio refers to.

    Args:
        address: `/data/upload/1/0a1b2c3d-cat.jpg`, `/data/local-files/?d=pets/cat.jpg`, a URL, or
            a path.
        names: Names of the existing files. If the name is not among them, the prefix of an uploaded
            file is removed, provided that such a file exists.
    """
    parts = urlsplit(address)
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    original = UPLOAD_PREFIX.sub("", name)
    return original if name not in names and original in names else name


def _tags(task: dict[str, Any]) -> Iterator[str]:
    if "annotations" not in task:  # the short form
        choice = task["choice"]
        yield from choice["choices"] if isinstance(choice, dict) else [choice]
        return
    for annotation in task["annotations"]:
        if annotation.get("was_cancelled"):
            continue
        for result in annotation["result"]:
            value = result["value"].get(result["type"])
            if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
                yield from value
