"""Warns of class names that may be spellings of the same name, and of rare classes."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from wsss_core.prepare.findings import Findings
from wsss_core.prepare.labelling import Labelling
from wsss_core.runtime.errors import name_some

SHORTEST = 4  # letters; in shorter words, one different letter makes another word: cat and car


def warn_similar(
    root: Path, labelling: Labelling, class_names: Sequence[str], findings: Findings
) -> None:
    """Warns of names that are almost equal, and of classes with only one picture.

    Args:
        root: The folder, for messages.
        labelling: The tags of its pictures.
        class_names: All classes.
        findings: Receives the warnings.
    """
    counts = Counter(tag for tags in labelling.tags.values() for tag in tags)
    for one, other in itertools.combinations(class_names, 2):
        if how := how_similar(one, other):
            findings.warn(
                f"{labelling.file}: the classes {one!r} ({counts[one]} pictures) and {other!r} "
                f"({counts[other]}) differ only in {how}; expected one name if they are the same "
                "class"
            )
    if single := [name for name in class_names if counts[name] == 1]:
        findings.warn(f"{labelling.file}: only one picture has the class {name_some(single)}")


def how_similar(one: str, other: str) -> str | None:
    """Says how two names that are almost equal differ; None if they are not almost equal."""
    if _key(one) == _key(other):
        return "case, accents or spaces"
    if min(len(one), len(other)) >= SHORTEST and _one_letter(_key(one), _key(other)):
        return "one letter"
    return None


def _key(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\s_-]+", "", "".join(c for c in letters if not unicodedata.combining(c)))


def _one_letter(one: str, other: str) -> bool:
    """Tells whether the names differ by one added, missing or changed letter, or by one swap."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return max(len(one), len(other)) == 1 or (len(one) == 2 and one == other[::-1])
