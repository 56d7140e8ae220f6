"""Base class of all sections of the config."""

import math
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

LARGEST = 2**31 - 1  # largest number that any key accepts
LONGEST = 4096  # characters of the longest text that any key accepts, such as a path


class ConfigModel(BaseModel):
    """A frozen section of the config that refuses values which nobody can mean.

    These values are errors: an unknown key, since it is nearly always a typing mistake; true or
    false for a number, since Python counts them as 1 and 0; numbers that are infinite or above
    LARGEST; texts that are empty, longer than LONGEST or contain control characters.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        str_min_length=1,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _could_be_meant(cls, value: Any, info: ValidationInfo) -> Any:
        types: set[type] = set(_types(cls.model_fields[info.field_name or ""].annotation))
        is_for_numbers = not types.isdisjoint((int, float)) and types.isdisjoint((bool, BaseModel))
        for part in _parts(value):
            if isinstance(part, bool) and is_for_numbers:
                raise ValueError(f"got {part}; expected a number")
            if isinstance(part, (int, float)) and LARGEST < abs(part) < math.inf:
                raise ValueError(f"too large; expected a number up to {LARGEST}")
            if isinstance(part, str) and len(part) > LONGEST:
                raise ValueError(f"has {len(part)} characters; expected {LONGEST} at most")
            if isinstance(part, str) and any(unicodedata.category(c) == "Cc" for c in part):
                raise ValueError(f"got {part!r}; expected a text without control characters")
        return value


def _types(annotation: Any) -> Iterator[type]:
    """Yields the types in an annotation, at any depth; BaseModel stands for any section."""
    if get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield BaseModel
    elif isinstance(annotation, type):
        yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)


def _parts(value: Any) -> Iterator[Any]:
    """Yields a value, or all values inside a list or map, at any depth."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _parts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _parts(part)
    else:
        yield value
