"""Collects all problems of a dataset, so that they can be reported together."""

from __future__ import annotations

from dataclasses import dataclass, field

from wsss_core.runtime.errors import MistakesError, UserError

MOST = 20  # largest number of errors or warnings that are printed


@dataclass
class Findings:
    """Errors and warnings about a dataset; each is one line.

    A dataset with errors is not prepared.

    Attributes:
        errors: Each names the file and line, and what was expected.
        warnings: Each names something that is allowed but may be a mistake.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def error(self, text: str) -> None:
        """Adds an error; the caller continues to read."""
        self._note(self.errors, text)

    def warn(self, text: str) -> None:
        """Adds a warning."""
        self._note(self.warnings, text)

    def fail(self, text: str) -> UserError:
        """Adds an error after which reading must stop; the caller raises the returned error."""
        self.error(text)
        return self._all_errors()

    def raise_errors(self) -> None:
        """Raises one UserError with a line for each error, if there are any."""
        if self.errors:
            raise self._all_errors()

    def _note(self, notes: list[str], text: str) -> None:
        line = " ".join(text.split())  # a name in the text may contain a line break
        if line not in notes:
            notes.append(line)

    def _all_errors(self) -> UserError:
        return MistakesError(first_lines(self.errors))


def first_lines(lines: list[str]) -> list[str]:
    """Returns the first MOST lines, and a line with the number of the others."""
    more = len(lines) - MOST
    return [*lines[:MOST], f"{more} more of these"] if more > 0 else lines
