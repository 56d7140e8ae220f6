"""What all sections of the config have in common."""

import math
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

LARGEST = 2**31 - 1  # of any number
LONGEST = 4096  # characters of any text, as of a path


class ConfigModel(BaseModel):
    """A frozen section of values that a person would set.

    An unknown key is an error, since it is nearly always a mistyped one. So are true or false in
    place of a number, which Python counts as 1 and 0, numbers that are infinite or beyond all use,
    texts that are empty or have control characters.
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
    """The types that a value may have, or have in it; BaseModel for any section."""
    if get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield BaseModel
    elif isinstance(annotation, type):
        yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)


def _parts(value: Any) -> Iterator[Any]:
    """A value, or all that a list or map has."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _parts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _parts(part)
    else:
        yield value
