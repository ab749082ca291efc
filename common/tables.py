"""Lists as files: CSV for spreadsheets, JSON for programs, written row by row.

A cell that a spreadsheet would take for a formula gets an apostrophe before it. Times are RFC 3339 in UTC, unknown is
an empty cell or null. CSV is UTF-8 with a byte order mark, without which Excel reads it as something else.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import orjson
from django.db.models import QuerySet

MOST = 10_000
_AT_ONCE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, for programs, and its value in a row: None, text, a number, a moment, or several of them."""

    name: str
    value: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` are read as they are written; `is_cut` where there are more than MOST."""

    columns: Sequence[Column]
    rows: Iterable[Any]
    is_cut: bool


def read(
    found: QuerySet[Any],
    columns: Sequence[Column],
    load: Callable[[QuerySet[Any]], Iterable[Any]] = iter,
) -> Table:
    """The first MOST of these in their order. Which they are is settled now, the rows are read some hundreds at a time,
    so that who takes them slowly holds nothing open. `load` makes rows, which have an `id`, of a part of them."""
    keys = list(found.values_list("pk", flat=True)[: MOST + 1])
    return Table(columns, _in_parts(found.order_by(), keys[:MOST], load), len(keys) > MOST)


def whole(rows: Sequence[Any], columns: Sequence[Column]) -> Table:
    """The first MOST of rows that are there already."""
    return Table(columns, rows[:MOST], len(rows) > MOST)


def as_csv(table: Table) -> Iterator[bytes]:
    line = _Line()
    writer = csv.writer(line)
    writer.writerow([column.name for column in table.columns])
    yield "\N{BYTE ORDER MARK}".encode() + line.taken()
    for row in table.rows:
        writer.writerow([cell(column.value(row)) for column in table.columns])
        yield line.taken()


def as_json(table: Table) -> Iterator[bytes]:
    """One array of objects."""
    before = b"["
    for row in table.rows:
        yield before + orjson.dumps({column.name: plain(column.value(row)) for column in table.columns})
        before = b",\n"
    yield b"]\n" if before != b"[" else b"[]\n"


def cell(value: Any) -> str:
    """As it stands in CSV."""
    match plain(value):
        case None:
            return ""
        case bool() as truth:
            return "true" if truth else "false"
        case int() | float() as number:
            return str(number)
        case str() as text:
            return _harmless(text) if isinstance(value, str) else text
        case list() as several:
            return _harmless("; ".join(map(cell, several)))
        case Mapping() as pairs:
            return _harmless("; ".join(f"{name}={text}" for name, text in pairs.items()))
    raise TypeError(f"{type(value).__name__} does not go into a table")


def plain(value: Any) -> Any:
    """As it stands in JSON."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case timedelta():
            return int(value.total_seconds())
        case Fraction():
            return f"{float(value):.6f}"
        case Mapping():
            return {str(name): str(text) for name, text in value.items()}
        case Collection():
            return [plain(each) for each in value]
    return str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _in_parts(
    found: QuerySet[Any], keys: Sequence[Any], load: Callable[[QuerySet[Any]], Iterable[Any]]
) -> Iterator[Any]:
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        rows = {row.id: row for row in load(found.filter(pk__in=part))}
        yield from (rows[key] for key in part if key in rows)  # what has gone meanwhile is left out


class _Line:
    """A file that holds what was just written to it."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def taken(self) -> bytes:
        text = "".join(self._parts)
        self._parts.clear()
        return text.encode("utf-8", "replace")
