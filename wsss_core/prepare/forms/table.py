"""Reads a table `image,tags`, or a table with a column of 0 and 1 per class, from spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from wsss_core.prepare.findings import Findings
from wsss_core.prepare.forms.label_studio import file_name
from wsss_core.prepare.labelling import Labelling, Row, collect
from wsss_core.prepare.names import BadNameError, read_class_name, repeated_names, shown
from wsss_core.prepare.text_files import read_text
from wsss_core.runtime.errors import name_some

NAMES = ("labels.csv", "labels.tsv", "labels.txt")
CELL_SEPARATORS = (",", ";", "\t")
TAG_SEPARATORS = (";", "|", ",")  # the first one in any cell separates tags in the whole table
LABEL_STUDIO = "choice"  # name of Label Studio's column of tags
TAG_COLUMNS = ("tags", LABEL_STUDIO)
VALUES = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


def read_table(
    path: Path, findings: Findings, *, file_names: frozenset[str] = frozenset()
) -> Labelling:
    """Reads the tags of a table.

    Args:
        path: A file in UTF-8, UTF-16 or cp1252, with commas, semicolons or tabs between the cells.
        findings: Receives the mistakes.
        file_names: Names of the existing pictures, to resolve Label Studio's addresses.

    Raises:
        UserError: The file is not such a table.
    """
    table, first_line = _read_cells(path, findings)
    header = [str(cell).strip() for cell in table.iloc[0]]
    named = [name.casefold() for name in header]
    if len(header) < 2 or named.count("image") != 1:
        raise findings.fail(
            f"{path} starts with {shown(','.join(header))}; expected the header "
            "'image,<class>,...' or 'image,tags'"
        )
    cells = table.iloc[1:]
    pictures = cells.iloc[:, named.index("image")].str.strip()
    wheres = [f"{path} line {first_line + line}" for line in cells.index]
    tags = next((name for name in TAG_COLUMNS if name in named), None)
    if tags:
        column = named.index(tags)
        # Label Studio also writes columns about who labelled what and when.
        if others := [n for n in header if n.casefold() not in ("image", tags) and tags == "tags"]:
            findings.warn(
                f"{path}: the column {name_some(others)} is not read, as there is a column 'tags'"
            )
        lists = _split_tags(path, cells.iloc[:, column], findings)
        if tags == LABEL_STUDIO:
            pictures = [file_name(picture, file_names) for picture in pictures]
        rows = map(Row, pictures, lists, wheres)
        return collect("table of tags", path, rows, findings)
    return _read_columns(path, table, named.index("image"), wheres, findings)


def _read_cells(path: Path, findings: Findings) -> tuple[pd.DataFrame, int]:
    """Reads all cells as text, without empty rows and columns, and the number of the first line."""
    text = read_text(path)
    first_line = 1
    if match := re.match(r'"?sep=(.)"?\n', text):  # Excel's note about the separator
        text, first_line = text[match.end() :], 2
    if not text.strip():
        raise findings.fail(f"{path} is empty; expected the header 'image,tags'")
    header = next(line for line in text.split("\n") if line.strip())
    separator = max(CELL_SEPARATORS, key=header.count)
    width = 1 + max(line.count(separator) for line in text.split("\n"))
    try:
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            names=range(width),
            dtype=str,
            keep_default_na=False,
            na_values=[],
            skip_blank_lines=False,
            index_col=False,
        ).fillna("")
    except (pd.errors.ParserError, csv.Error) as error:
        line = re.search(r"row (\d+)", str(error))
        place = f" line {first_line + int(line[1])}" if line else ""
        raise findings.fail(
            f"{path}{place} has a quote that is never closed; expected one at both ends of a cell"
        ) from None
    filled = table.map(str.strip) != ""
    table = table.loc[filled.any(axis=1), filled.any(axis=0)]
    unnamed = [k for k, name in enumerate(table.iloc[0]) if not str(name).strip()]
    for k in unnamed:
        line = first_line + table.index[table.iloc[:, k].str.strip() != ""][0]
        findings.error(
            f"{path} line {line} has more cells than the header (column {table.columns[k] + 1} "
            "has no name); expected quotes around a cell that contains the separator"
        )
    return table.drop(columns=table.columns[unnamed]), first_line


def _split_tags(path: Path, cells: Sequence[str], findings: Findings) -> list[tuple[str, ...]]:
    """Splits each cell into its tags."""
    lists = [_json_tags(cell) for cell in cells]
    plain = [cell for cell, tags in zip(cells, lists, strict=True) if tags is None]
    used = [s for s in TAG_SEPARATORS if any(s in cell for cell in plain)]
    separator = used[0] if used else TAG_SEPARATORS[0]
    read = [
        tuple(tag.strip() for tag in cell.split(separator) if tag.strip()) if tags is None else tags
        for cell, tags in zip(cells, lists, strict=True)
    ]
    if separator == ",":
        findings.warn(f"{path}: commas in cells are read as separators of tags")
    if len(plain) < len(lists):
        findings.warn(f"{path}: cells with JSON are read as lists of tags")
    odd = dict.fromkeys(tag for tags in read for tag in tags if set(',;|{}[]"').intersection(tag))
    if odd:
        findings.warn(
            f"{path}: a comma, bracket or quote in the tag {name_some([*map(shown, odd)])}; "
            f"expected {separator!r} between tags, as elsewhere in this table"
        )
    return read


def _json_tags(cell: str) -> tuple[str, ...] | None:
    """Reads tags from a JSON list or from Label Studio's choices; None if a cell is neither."""
    if not cell.strip().startswith(("[", "{")):
        return None
    try:
        value = json.loads(cell)
    except ValueError:
        return None
    choices = value.get("choices") if isinstance(value, dict) else value
    if isinstance(choices, list) and all(isinstance(tag, str) for tag in choices):
        return tuple(choices)
    return None


def _read_columns(
    path: Path, table: pd.DataFrame, image: int, wheres: Sequence[str], findings: Findings
) -> Labelling:
    columns = [k for k in range(table.shape[1]) if k != image]
    names = []
    for k in columns:
        try:
            names.append(read_class_name(str(table.iloc[0, k])))
        except BadNameError as error:
            raise findings.fail(f"{path}: a column is {error}") from None
    if repeated := repeated_names(names):
        raise findings.fail(f"{path} has column {name_some(repeated)} twice; expected each once")
    cells = table.iloc[1:]

    told = set()

    def rows() -> Iterator[Row]:
        for where, (_, cell) in zip(wheres, cells.iterrows(), strict=True):
            tags = []
            for name, k in zip(names, columns, strict=True):
                value = VALUES.get(cell.iloc[k].strip().casefold())
                if value is None and name not in told:
                    told.add(name)
                    findings.error(
                        f"{where}: image {shown(cell.iloc[image])} has {shown(cell.iloc[k])} for "
                        f"{name}; expected 0 or 1 in a class's column, or one column 'tags'"
                    )
                tags += [name] if value else []
            yield Row(cell.iloc[image].strip(), tuple(tags), where)

    labelling = collect("table of 0 and 1", path, rows(), findings)
    labelling.class_names = tuple(names)
    return labelling
