"""Reading config files, as YAML without a key that stands twice."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from wsss_core.runtime.errors import UserError

RUNS_CODE = "__use_yte__"  # has Snakemake's own loader read the file as a template of YTE's
MERGE = "tag:yaml.org,2002:merge"  # of `<<`, which may stand several times


def read_config_file(path: Path) -> dict[str, Any]:
    """Reads a config file.

    Raises:
        UserError: It is missing, no YAML, no map or one that holds itself, or a key stands twice in
            it: YAML keeps the last of them, and what the first says would be lost without a word.
            Or it has a key by which Snakemake would run what the file says.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        json.dumps(content, default=str, skipkeys=True)  # no map or list in itself
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected a config file") from None
    except RecursionError:
        raise UserError(f"{path} is too deep; expected sections of keys and values") from None
    except ValueError as error:
        if "Circular" not in str(error):
            raise _no_yaml(path, error) from None
        raise UserError(f"{path} has a map or list within itself; expected plain values") from None
    except yaml.YAMLError as error:
        raise _no_yaml(path, error) from None
    except _TwiceError as error:
        raise UserError(f"{path} {error}") from None
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{path} is no config; expected sections, such as 'dataset:'")
    if RUNS_CODE in (content or {}):
        raise UserError(
            f"{path}: {RUNS_CODE}: Snakemake would run code in it; expected no such key"
        )
    return content or {}


def _no_yaml(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} cannot be read as YAML ({' '.join(str(error).split())})")


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
