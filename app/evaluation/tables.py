"""Labelled tables as testers write them, brought to rows with known columns.

A table is a TSV, CSV, JSON-lines, JSON or YAML file, told by the end of its name, or a folder of them. TSV
and CSV begin with a line of column names; the others are lists of mappings. Names of columns are matched
without regard to case, accents, spaces and underscores, by any of their usual names (``utterance``, ``said``,
``phrase``…). Lines that begin with ``#`` are comments in TSV, CSV and JSON lines.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from knowledge.french import plain


class TableInvalid(Exception):
    """A table cannot be read; the message names the file, the line where there is one, and the remedy."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a table holds, and how testers call it."""

    name: str
    also: tuple[str, ...] = ()
    needed: bool = True
    joined: str = "|"
    """What a list in JSON or YAML is joined by; a list within it is joined by ``|``."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled case."""

    file: Path
    number: int
    """The line in the file, or the place in the list, from 1."""
    cells: Mapping[str, str]
    """Column's name → its cell, stripped; empty when the table has no such column."""

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    @property
    def place(self) -> str:
        """``values.tsv:12``."""
        return f"{self.file.name}:{self.number}"


Record = tuple[int, Mapping[str, object]]


def read(paths: Sequence[Path], columns: Sequence[Column]) -> list[Row]:
    """All rows of the files, and of the tables in the folders, in order. Raises :class:`TableInvalid`."""
    rows = [row for path in paths for file in _files(path) for row in _rows(file, columns)]
    if not rows:
        raise TableInvalid(f"{', '.join(map(str, paths))}: no case in it")
    return rows


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.suffix.lower() in _READERS)
        if not found:
            raise TableInvalid(f"{path}: no table in this folder; they end in {', '.join(_READERS)}")
        return found
    if not path.exists():
        raise TableInvalid(f"{path}: there is no such file")
    if path.suffix.lower() not in _READERS:
        raise TableInvalid(f"{path}: not a kind of table known here; name it {', '.join(_READERS)}")
    return [path]


def _rows(file: Path, columns: Sequence[Column]) -> Iterator[Row]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise TableInvalid(f"{file}: not UTF-8; save the file as UTF-8") from exc
    for number, record in _READERS[file.suffix.lower()](file, text):
        given = {_key(name): value for name, value in record.items()}
        cells: dict[str, str] = {}
        for column in columns:
            names = [_key(name) for name in (column.name, *column.also)]
            found = next((name for name in names if name in given), None)
            if found is None and column.needed:
                raise TableInvalid(
                    f"{file}, {number}: no column {column.name!r} (also taken: {', '.join(column.also)}); "
                    f"it has {', '.join(map(str, record))}"
                )
            cells[column.name] = _cell(given[found], column.joined) if found else ""
        yield Row(file, number, cells)


def _key(name: str) -> str:
    return plain(name).replace(" ", "")


def _cell(value: object, joined: str = "|") -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return joined.join(_cell(one) for one in value)
        case _:
            return str(value).strip()


def _separated(file: Path, text: str) -> Iterator[Record]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if _holds(line)]
    if not lines:
        raise TableInvalid(f"{file}: empty; the first line names the columns")
    if file.suffix.lower() == ".tsv":  # a caller's words may hold quotes; a tab they never do
        split = [(number, [cell.strip() for cell in line.split("\t")]) for number, line in lines]
    else:
        head = lines[0][1]
        separator = max(",;\t", key=head.count)
        read_lines = csv.reader((line for _, line in lines), delimiter=separator, skipinitialspace=True)
        split = list(zip((number for number, _ in lines), read_lines, strict=False))
    names = split[0][1]
    for number, cells in split[1:]:
        if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            raise TableInvalid(
                f"{file}, line {number}: {len(cells)} cells for {len(names)} columns ({', '.join(names)}); "
                "put quotes round a cell that holds the separator"
            )
        yield number, dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=False))


def _holds(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _json_lines(file: Path, text: str) -> Iterator[Record]:
    for number, line in enumerate(text.splitlines(), start=1):
        if _holds(line):
            try:
                yield number, _mapping(file, number, json.loads(line))
            except json.JSONDecodeError as exc:
                raise TableInvalid(f"{file}, line {number}: not JSON: {exc.msg}") from exc


def _json(file: Path, text: str) -> Iterator[Record]:
    try:
        yield from _listed(file, json.loads(text))
    except json.JSONDecodeError as exc:
        raise TableInvalid(f"{file}, line {exc.lineno}: not JSON: {exc.msg}") from exc


def _yaml(file: Path, text: str) -> Iterator[Record]:
    try:
        # Strings only: « 0612345678 » and « 1962-04-01 » are what was meant, not an octal number and a date.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - builds strings, lists and dicts only
    except yaml.YAMLError as exc:
        raise TableInvalid(f"{file}: not YAML: {exc}") from exc
    yield from _listed(file, document)


def _listed(file: Path, document: object) -> Iterator[Record]:
    if isinstance(document, Mapping):  # {"cases": [...]}
        lists = [value for value in document.values() if isinstance(value, list)]
        if len(lists) != 1:
            raise TableInvalid(f"{file}: wants a list of cases, each a mapping of column to value")
        document = lists[0]
    if not isinstance(document, list):
        raise TableInvalid(f"{file}: wants a list of cases, each a mapping of column to value")
    for number, record in enumerate(document, start=1):
        yield number, _mapping(file, number, record)


def _mapping(file: Path, number: int, record: object) -> Mapping[str, object]:
    if not isinstance(record, Mapping):
        raise TableInvalid(f"{file}, {number}: wants a mapping of column to value, not {record!r}")
    return cast("Mapping[str, object]", record)


_READERS = {
    ".tsv": _separated,
    ".csv": _separated,
    ".jsonl": _json_lines,
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
}
