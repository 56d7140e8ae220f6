"""Writes the paper's tables as CSV, Markdown and LaTeX (booktabs)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from wsss_core.figures.paper.tables import Cell, Row, Table
from wsss_core.runtime.atomic import atomic_file

ADDED = " *"
LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "✓": r"$\checkmark$",
    "λ₂": r"$\lambda_2$",
    "±": r"$\pm$",
    "–": "--",
}


def write_table_files(path: Path, table: Table) -> None:
    """Writes a table as .csv, .md and .tex, with the name of `path`."""
    formats: dict[str, Callable[[Table], str]] = {
        "csv": to_csv,
        "md": to_markdown,
        "tex": to_latex,
    }
    for suffix, text_of in formats.items():
        with atomic_file(path.with_suffix(f".{suffix}")) as partial_path:
            partial_path.write_text(text_of(table), encoding="utf-8")


def to_csv(table: Table) -> str:
    """Formats all known numbers for programs: one CSV row per row and column of the table."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    numbers = ("published", "measured", "sd", "seeds", "low", "high", "difference")
    writer.writerow([*table.header, "added", "column", *numbers, "command", "reference"])
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            ours = cell.measured
            values = [
                cell.published,
                *(
                    [None] * 5
                    if ours is None
                    else [ours.mean, ours.sd, ours.seeds or None, ours.low, ours.high]
                ),
                cell.difference,
            ]
            texts = [_plain(value) for value in values]
            added = "yes" if row.added else ""
            writer.writerow([*row.labels, added, column, *texts, row.command, row.reference])
    return file.getvalue()


def _plain(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4f}".rstrip("0").rstrip(".")


def to_markdown(table: Table) -> str:
    """Formats the table as GitHub Markdown, followed by its notes."""
    header, *rows = _texts(table, bold="**{}**".format)
    lines = [f"**Table {table.numeral}.** {table.title}. mIoU in percent.", ""]
    lines += [_pipes(header), _pipes(["---"] * len(header)), *map(_pipes, rows), ""]
    lines += [f"{note}\n" for note in table.notes]
    commands = [(row.labels, row.command) for row in table.rows if row.command]
    if commands:
        lines += ["Rows that were not run, and the commands that run them:", ""]
        lines += [
            f"- {' '.join(filter(None, labels)) or 'first row'}: `{command}`"
            for labels, command in commands
        ]
    return "\n".join(lines).rstrip() + "\n"


def _pipes(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def to_latex(table: Table) -> str:
    r"""Formats the table as LaTeX, for a document with booktabs, amssymb and graphicx."""
    header, *rows = _texts(table, bold=_Bold)
    alignment = "l" * len(table.header) + "r" * (len(header) - len(table.header))
    lines = [
        "% needs \\usepackage{booktabs,amssymb,graphicx}",
        r"\begin{table*}" if table.by_class else r"\begin{table}",
        r"\centering",
        f"\\caption{{{_escape(table.title)}. mIoU in percent. {_escape(' '.join(table.notes))}}}",
        f"\\label{{tab:{table.numeral.lower()}}}",
        r"\resizebox{\linewidth}{!}{%",
        f"\\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        _ampersands(header),
        r"\midrule",
        *map(_ampersands, rows),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table*}" if table.by_class else r"\end{table}",
    ]
    commands = [f"% to be run: {row.command}" for row in table.rows if row.command]
    return "\n".join([*lines, *commands]) + "\n"


class _Bold(str):
    """A text that LaTeX should set in bold."""

    __slots__ = ()


def _ampersands(cells: list[str]) -> str:
    texts = [
        f"\\textbf{{{_escape(cell)}}}" if isinstance(cell, _Bold) else _escape(cell)
        for cell in cells
    ]
    return " & ".join(texts) + r" \\"


def _escape(text: str) -> str:
    for character in ("λ₂",):
        text = text.replace(character, "\0")
    escaped = "".join(LATEX_SPECIAL.get(character, character) for character in text)
    return escaped.replace("\0", LATEX_SPECIAL["λ₂"])


def _texts(table: Table, *, bold: Callable[[str], str]) -> Iterator[list[str]]:
    """Yields the header and the rows of the table as text."""
    if table.by_class:
        yield [*table.header, "", *table.columns]
        for row in table.rows:
            yield from _class_lines(row, bold=bold)
        return
    kinds = ("published", "measured", "difference")
    yield [*table.header, *(f"{column} {kind}" for column in table.columns for kind in kinds)]
    for row in table.rows:
        cells = [text for cell in row.cells for text in _cell_texts(cell, bold=bold)]
        yield [*_labels(row), *cells]


def _labels(row: Row) -> list[str]:
    first, *rest = row.labels
    return [first + (ADDED if row.added else ""), *rest]


def _cell_texts(cell: Cell, *, bold: Callable[[str], str]) -> list[str]:
    published = "" if cell.published is None else f"{cell.published:g}"
    difference = "" if cell.difference is None else f"{cell.difference:+.2f}"
    if cell.measured is None:
        return [published, "", difference]
    ours = cell.measured
    text = f"{ours.mean:.2f}"
    if ours.sd is not None:
        text += f" ± {ours.sd:.2f} (n = {ours.seeds})"
    if ours.low is not None and ours.high is not None:
        text += f" [{ours.low:.1f}, {ours.high:.1f}]"
    return [published, bold(text) if cell.is_best else text, difference]


def _class_lines(row: Row, *, bold: Callable[[str], str]) -> Iterator[list[str]]:
    """Yields a line for published, measured and difference each, if it has any number."""
    lines = {
        "published": [f"{c.published:.1f}" if c.published is not None else "" for c in row.cells],
        "measured": [_class_text(c, bold=bold) for c in row.cells],
        "difference": [
            f"{c.difference:+.1f}" if c.difference is not None else "" for c in row.cells
        ],
    }
    blank = [""] * len(row.labels)
    shown = [(kind, texts) for kind, texts in lines.items() if any(texts)]
    for number, (kind, texts) in enumerate(shown or [("measured", [""] * len(row.cells))]):
        yield [*(blank if number else _labels(row)), kind, *texts]


def _class_text(cell: Cell, *, bold: Callable[[str], str]) -> str:
    if cell.measured is None or cell.measured.mean != cell.measured.mean:
        return ""
    text = f"{cell.measured.mean:.1f}"
    return bold(text) if cell.is_best else text
