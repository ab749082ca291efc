"""Lists as files: what stands in a cell, and that no cell is a formula."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import pytest

from common import tables
from common.tables import Column
from people.models import User
from tests import make


def written(*rows: Any) -> tuple[list[list[str]], list[Any]]:
    """A table of one column, read back from CSV and from JSON."""
    table = tables.whole(rows, [Column("value", lambda row: row)])
    text = b"".join(tables.as_csv(table)).decode("utf-8-sig")
    [_, *lines] = csv.reader(io.StringIO(text, newline=""))
    return lines, [each["value"] for each in json.loads(b"".join(tables.as_json(table)))]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", '=HYPERLINK("http://x","y")', "＝1"]
)
def test_what_a_spreadsheet_takes_for_a_formula_stands_as_text(text: str) -> None:
    [[cell]], [value] = written(text)

    assert cell == "'" + text
    assert value == text  # JSON is for programs


@pytest.mark.parametrize(
    "text", ["plain", "1 = 1", 'says "no", and\nleaves; 3', "日本語 🙂", "\u202eright to left", ""]
)
def test_any_other_text_is_as_it_was(text: str) -> None:
    assert written(text) == ([[text]], [text])


def test_several_and_pairs_are_one_cell_that_is_no_formula() -> None:
    lines, values = written(["=1", "b"], {"=x": "1", "y": "2"})

    assert lines == [["'=1; b"], ["'=x=1; y=2"]]
    assert values == [["=1", "b"], {"=x": "1", "y": "2"}]


def test_moments_are_rfc_3339_in_utc_and_unknown_is_empty() -> None:
    at = datetime(2026, 3, 2, 10, 0, 5, 999, tzinfo=timezone(timedelta(hours=1)))
    lines, values = written(at, date(2026, 3, 2), timedelta(hours=1), None, True, -3, Fraction(1, 3))

    told: list[Any] = ["2026-03-02T09:00:05Z", "2026-03-02"]
    assert [line[0] if line else "" for line in lines] == [*told, "3600", "", "true", "-3", "0.333333"]
    assert values == [*told, 3600, None, True, -3, "0.333333"]


def test_an_empty_table_has_its_head() -> None:
    table = tables.whole([], [Column("a", str), Column("b", str)])

    assert b"".join(tables.as_csv(table)) == b"\xef\xbb\xbfa,b\r\n"
    assert b"".join(tables.as_json(table)) == b"[]\n"


def test_no_more_than_the_bound_is_read_in_its_order_and_in_parts(
    db: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(tables, "MOST", 5)
    monkeypatch.setattr(tables, "_AT_ONCE", 2)
    for number in range(7):
        make.user(f"Person {number}")

    with django_assert_num_queries(4):
        table = tables.read(User.objects.order_by("-name"), [Column("name", lambda user: user.name)])
        names = [json.loads(line.strip(b"[],\n"))["name"] for line in tables.as_json(table) if line.strip(b"]\n")]

    assert names == [f"Person {number}" for number in (6, 5, 4, 3, 2)]
    assert table.is_cut
