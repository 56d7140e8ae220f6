"""Messages about mistakes in a config: one line each, with file, key and what was expected."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wsss_core.config.init_file import INIT_TAGS

Key = tuple[str | int, ...]


def mistakes(
    problems: Iterable[tuple[Key, str]], sources: Sequence[tuple[str, Mapping[str, Any]]]
) -> str:
    """Formats problems as text, one line each: file, key and what was expected."""
    lines = (f"{_source_of(key, sources)}: {_dotted(key)}: {text}" for key, text in problems)
    return "\n".join(lines)


def problems_of(
    error: ValidationError, model: type[BaseModel], *, at: Key = ()
) -> list[tuple[Key, str]]:
    """Returns key and message of each error that pydantic found in the section at key `at`."""
    return [
        ((*at, *key), text)
        for key, text in (_problem(details, model) for details in _own_mistakes(error))
    ]


def _own_mistakes(error: ValidationError) -> Iterator[ErrorDetails]:
    """Skips "too short" errors of lists that pydantic reports only because an item is wrong."""
    mistakes = error.errors(include_url=False)
    for mistake in mistakes:
        depth = len(mistake["loc"])
        parts = [
            m for m in mistakes if len(m["loc"]) > depth and m["loc"][:depth] == mistake["loc"]
        ]
        if mistake["type"] != "too_short" or not parts:
            yield mistake


def _problem(details: ErrorDetails, model: type[BaseModel]) -> tuple[Key, str]:
    """Returns key and message of one error of pydantic."""
    key: Key = tuple(part for part in details["loc"] if part not in INIT_TAGS)
    if details["type"] == "extra_forbidden":
        return key, unknown("key", str(key[-1]), _known_keys(model, key[:-1]))
    if details["type"] == "missing":
        return key, "is missing; expected a value"
    if details["type"] == "too_short":
        return key, f"is too short; expected at least {details['ctx']['min_length']}"
    if details["type"] == "string_pattern_mismatch" and key[-1] == "[key]":
        key = key[:-1]
    text = details["msg"].removeprefix("Value error, ")
    if text.startswith(("Input should ", "String should ")):
        expected = text.removeprefix("Input should ").removeprefix("be ")
        expected = expected.replace("String should have", "a text of")
        expected = expected.replace("String should match", "a text of the")
        text = f"got {details['input']!r}; expected {expected}"
    return key, " ".join(text.split())


def unknown(kind: str, name: str, expected: Iterable[str]) -> str:
    """Formats a message about an unknown name, with the closest known name as a hint."""
    names = tuple(expected)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(names)}"
    return f"unknown {kind} {name[:200]!r}; {hint}"


def _known_keys(annotation: Any, key: Key) -> tuple[str, ...]:
    """Returns the field names of the section at a key below an annotation."""
    models = list(_models(annotation))
    if key and models:
        fields = [model.model_fields.get(str(key[0])) for model in models]
        return next((_known_keys(field.annotation, key[1:]) for field in fields if field), ())
    if key:
        return _known_keys(_item_type(annotation), key[1:]) if _item_type(annotation) else ()
    return tuple(name for model in models for name in model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yields the models in an annotation: itself, or the members of a union, tagged or not."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _models(member)
    elif get_origin(annotation) is Annotated:
        yield from _models(get_args(annotation)[0])


def _item_type(annotation: Any) -> Any:
    """Returns T of `dict[str, T]` or `tuple[T, ...]`; None for any other annotation."""
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if get_origin(annotation) is tuple else None


def _source_of(key: Key, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Returns the name of the last source that has the key, or else the most of its parents.

    Sources are merged map by map. A value that is not a map replaces that of all earlier sources,
    so it hides what they have below this key.
    """
    name, best = "config", 0
    for source, content in sources:
        depth, replaces = _depth(content, key)
        if depth >= best or replaces:
            name, best = source, depth
    return name


def _depth(content: Any, key: Key) -> tuple[int, bool]:
    """Counts the leading parts of a key that exist, and says if one of their values is no map."""
    replaces = False
    for depth, part in enumerate(key):
        is_there = (isinstance(content, Mapping) and part in content) or (
            isinstance(content, Sequence) and isinstance(part, int) and part < len(content)
        )
        if not is_there:
            return depth, replaces
        content = content[part]
        replaces = replaces or not isinstance(content, Mapping)
    return len(key), replaces


def _dotted(key: Key) -> str:
    return ".".join(str(part) for part in key)
