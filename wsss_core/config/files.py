"""Reads config files: YAML in which no key is given twice."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from wsss_core.runtime.errors import UserError

RUNS_CODE = "__use_yte__"  # with this key, Snakemake's loader runs the file as a YTE template
MERGE = "tag:yaml.org,2002:merge"  # the key `<<`, which may be given several times


def read_config_file(path: Path) -> dict[str, Any]:
    """Reads a config file.

    Raises:
        UserError: The file is missing, is not YAML, is not a map, or contains itself. Or a key is
            given twice: YAML would keep the last value and ignore the first without a message. Or
            it has the key with which Snakemake would run the file as code.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        json.dumps(content, default=str, skipkeys=True)  # fails if a map or list contains itself
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
        raise UserError(f"{path} is not a config file; expected sections, such as 'dataset:'")
    if RUNS_CODE in (content or {}):
        raise UserError(
            f"{path}: {RUNS_CODE}: Snakemake would run code in it; expected no such key"
        )
    return content or {}


def _no_yaml(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} cannot be read as YAML ({' '.join(str(error).split())})")


class _TwiceError(Exception):
    """A key is given twice."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == MERGE:
                continue
            if key.value in seen:
                raise _TwiceError(
                    f"line {line}: the key {key.value!r} is given twice (also in line "
                    f"{seen[key.value]}); expected once"
                )
            seen[str(key.value)] = line
        return super().construct_mapping(node, deep)
