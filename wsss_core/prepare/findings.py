"""What is wrong with a dataset, collected so that all of it is told together."""

from __future__ import annotations

from dataclasses import dataclass, field

from wsss_core.runtime.errors import MistakesError, UserError

MOST = 20  # errors or warnings that are told in words


@dataclass
class Findings:
    """Errors, with which nothing is prepared, and warnings; each is one line.

    Attributes:
        errors: File, line, what was expected.
        warnings: What is allowed but perhaps not meant.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def error(self, text: str) -> None:
        """Notes a mistake; reading goes on."""
        self._note(self.errors, text)

    def warn(self, text: str) -> None:
        """Notes what may be meant."""
        self._note(self.warnings, text)

    def fail(self, text: str) -> UserError:
        """Notes a mistake after which nothing else can be read; raise what this returns."""
        self.error(text)
        return self._all_errors()

    def raise_errors(self) -> None:
        """Raises one UserError with a line for each mistake, if there is any."""
        if self.errors:
            raise self._all_errors()

    def _note(self, notes: list[str], text: str) -> None:
        line = " ".join(text.split())  # a name in it may have a line break
        if line not in notes:
            notes.append(line)

    def _all_errors(self) -> UserError:
        return MistakesError(first_lines(self.errors))


def first_lines(lines: list[str]) -> list[str]:
    """As many lines as a person reads, and how many more there are."""
    more = len(lines) - MOST
    return [*lines[:MOST], f"{more} more of these"] if more > 0 else lines
