"""Reading config files, as YAML without a key that stands twice."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from wsss_core.runtime.errors import UserError

MERGE = "tag:yaml.org,2002:merge"  # of `<<`, which may stand several times


def read_config_file(path: Path) -> dict[str, Any]:
    """Reads a config file.

    Raises:
        UserError: It is missing, no YAML or no map, or a key stands twice in it: YAML keeps the
            last of them, and what the first says would be lost without a word.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected a config file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read as YAML ({reason})") from None
    except _TwiceError as error:
        raise UserError(f"{path} {error}") from None
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{path} is no config; expected sections, such as 'dataset:'")
    return content or {}


class _TwiceError(Exception):
    """A key stands twice."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == MERGE:
                continue
            if key.value in seen:
                raise _TwiceError(
                    f"line {line}: the key {key.value!r} stands twice (also line "
                    f"{seen[key.value]}); expected once"
                )
            seen[str(key.value)] = line
        return super().construct_mapping(node, deep)
