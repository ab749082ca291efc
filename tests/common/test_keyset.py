"""Keyset pages: the same rows as the whole list, in its order, whatever happens meanwhile."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import keyset
from people.models import Discipline, User
from tests.conftest import Api

ORDERS = [("name",), ("-name",), ("position", "-name"), ("-position", "name", "id"), ("-pk",)]


@pytest.mark.parametrize("ordering", ORDERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from(["", "a", "B", "ä", "a b"]), st.integers(0, 3)), max_size=12),
    size=st.integers(1, 5),
)
def test_pages_are_the_list_cut_into_pieces(
    db: None, rows: list[tuple[str, int]], size: int, ordering: tuple[str, ...]
) -> None:
    Discipline.objects.all().delete()
    for number, (name, position) in enumerate(rows):
        Discipline.objects.create(slug=f"d{number}", name=name, position=position)
    whole = list(Discipline.objects.order_by(*ordering, *(("-id",) if ordering[-1].startswith("-") else ("id",))))

    forwards: list[list[Discipline]] = []
    cursor: str | None = None
    backwards: list[list[Discipline]] = []
    while True:
        page = keyset.page(Discipline.objects.all(), ordering, cursor, size)
        forwards.append(page.rows)
        if page.next is None:
            break
        cursor = page.next
    while page.previous is not None:
        page = keyset.page(Discipline.objects.all(), ordering, page.previous, size)
        backwards.insert(0, page.rows)

    assert [row for rows in forwards for row in rows] == whole
    assert backwards == forwards[:-1]
    assert all(len(rows) == size for rows in forwards[:-1])


@pytest.mark.parametrize("ordering", [*ORDERS, ("-created_at", "name")])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from(["", "a", "B", "ä", "a b"]), st.integers(0, 3)), min_size=24, max_size=80)
)
def test_pages_that_are_built_once_are_those_of_the_list(
    db: None, rows: list[tuple[str, int]], ordering: tuple[str, ...]
) -> None:
    Discipline.objects.all().delete()
    for number, (name, position) in enumerate(rows):
        Discipline.objects.create(slug=f"d{number}", name=name, position=position)
    columns = ("id", "name", "position", "created_at")
    listed = Discipline.objects.filter(position__lt=3).values_list(*columns, named=True)
    pages = keyset.Pages(Discipline.objects.filter(position__lt=7000).values_list(*columns), columns, ordering)

    def replace(parameter: Any) -> Any:
        return 3 if parameter == 7000 else parameter

    cursors: list[str | None] = [None]
    for cursor in cursors:
        asked, built = keyset.page(listed, ordering, cursor), pages.page(cursor, replace)
        assert [tuple(row) for row in built.rows] == [tuple(row) for row in asked.rows]
        assert (built.next, built.previous) == (asked.next, asked.previous)
        cursors += [each for each in (built.next, built.previous) if each and each not in cursors]


def test_what_lay_before_and_has_gone_is_the_first_page(db: None) -> None:
    Discipline.objects.all().delete()
    for number in range(30):
        Discipline.objects.create(slug=f"d{number:02}", name=f"{number:02}")
    pages = keyset.Pages(Discipline.objects.values_list("id", "name"), ("id", "name"), ("name",))
    second = pages.page(pages.page(None, lambda each: each).next, lambda each: each)

    Discipline.objects.filter(name__lt="25").delete()

    assert [row.name for row in pages.page(second.previous, lambda each: each).rows] == ["25", "26", "27", "28", "29"]


def test_a_row_that_comes_or_goes_shifts_nothing(db: None) -> None:
    Discipline.objects.all().delete()
    rows = [Discipline.objects.create(slug=f"d{number}", name=f"{number:02}") for number in range(6)]
    first = keyset.page(Discipline.objects.all(), ("name",), None, 2)

    Discipline.objects.create(slug="before", name="00a")
    rows[1].delete()

    assert keyset.page(Discipline.objects.all(), ("name",), first.next, 2).rows == rows[2:4]


def test_going_back_to_where_nothing_is_left_is_the_start(db: None) -> None:
    Discipline.objects.all().delete()
    rows = [Discipline.objects.create(slug=f"d{number}", name=f"{number:02}") for number in range(4)]
    second = keyset.page(
        Discipline.objects.all(), ("name",), keyset.page(Discipline.objects.all(), ("name",), None, 2).next, 2
    )
    for row in rows[:2]:
        row.delete()

    assert keyset.page(Discipline.objects.all(), ("name",), second.previous, 2).rows == rows[2:]


def _cursor(*content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "%", "AAAA", "\N{SNOWMAN}", "=" * 40, "a" * 5000),
        _cursor("n", "name,id", "x", 1),
        _cursor("n", "position,name,id", 1, "SRE"),
        _cursor("n", "position,name,id", "one", "SRE", 1),
        _cursor("n", "position,name,id", 2**70, "SRE", 1),
        _cursor("n", "position,name,id", 1, "a\0b", 1),
        _cursor("n", "position,name,id", None, "SRE", 1),
        _cursor("q", "position,name,id", 1, "SRE", 1),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(api: Api, victor: User, cursor: str) -> None:
    answer = api(victor).get("/api/v1/disciplines/", {"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["code"] == "bad_cursor"


def test_a_page_has_25_rows_or_up_to_100(api: Api, victor: User) -> None:
    for number in range(110):
        Discipline.objects.create(slug=f"d{number}", name="x", position=number)

    def length(query: str) -> int:
        return len(api(victor).get(f"/api/v1/disciplines/{query}").json()["results"])

    assert (length(""), length("?page_size=3"), length("?page_size=5000")) == (25, 3, 100)


def test_links_keep_what_was_asked_for(api: Api, alice: User, bob: User) -> None:
    answer = api(alice).get("/api/v1/users/?page_size=1&team=payments").json()

    assert answer["next"].startswith("http://testserver/api/v1/users/?")
    assert "team=payments" in answer["next"]
    assert "page_size=1" in answer["next"]
    assert answer["previous"] is None
