"""Only what a form or the document declares can be set: all else that a row has is refused, or changes nothing.

Every form that somebody finds on their pages, and every body that the API takes, is sent with every column of every
row beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import urljoin

import pytest
from django.db.models import (
    BinaryField,
    BooleanField,
    DateTimeField,
    Field,
    IntegerField,
    JSONField,
    Model,
    UUIDField,
)
from django.utils import timezone

from people.models import Team, User
from tests import asking, make, routes, world
from tests.asking import Ask, Asker
from tests.routes import Route
from tests.world import World

pytestmark = pytest.mark.django_db

WORD = "smuggled-word"
# What forms use for themselves.
OF_FORMS = {"csrfmiddlewaretoken", "next", "version"}
# What a form takes that it does not always show.
HIDDEN = {"/status/": {"reason", "note", "merged_into"}}
# What every request may leave, and what no two have alike.
MOVES = {"people.Session", "people.Throttle", "people.Cached", "people.AuditEvent", "people.AuditHead"}
UNLIKE = (DateTimeField, UUIDField, BinaryField)
RANDOM = re.compile("nonce|hash|secret|password|token|key|address|actions|^id$")


@pytest.fixture(params=["alice", "bob", "admin"])
def asker(request: pytest.FixtureRequest, payments: Team, search: Team, charlie: User) -> Asker:
    user: User = request.getfixturevalue(request.param)
    return asking.asker(user, *(["read", "write", "admin"] if user.is_admin else ["read", "write"]))


@pytest.fixture
def house(asker: Asker, payments: Team, search: Team, charlie: User, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(timezone, "now", lambda: make.NOW)
    return world.built(payments, search, asker.user, charlie)


def test_no_body_of_the_api_takes_a_field_that_it_does_not_declare(house: World, asker: Asker) -> None:
    taken, asked = [], 0
    for route in routes.every():
        for method in ("POST", "PATCH"):
            if not route.is_rest or not asking.may(asker, route, method):
                continue
            declared = asking.body_of(route, method).get("properties", {})
            beside = {name: value for name, value in columns().items() if name not in declared}
            answer = asker.answer(Ask(route, method, asking.own_path(route, house), beside))
            asked += 1
            refused = (
                {error["field"] for error in answer.json().get("errors", ())} if answer.status_code == 422 else set()
            )
            if declared and refused >= beside.keys():
                continue
            if declared or outcome(asker, route, method, house, beside) != outcome(asker, route, method, house, {}):
                taken.append(f"{method} {route.name}: {answer.status_code} for {sorted(beside.keys() - refused)}")

    assert taken == []
    assert asked > 10


def test_no_form_sets_a_column_that_is_no_field_of_it(house: World, asker: Asker) -> None:
    seen: set[str] = set()
    smuggled: list[str] = []
    for ask in asking.own(house, asker):
        for form in asker.page(ask).forms if not ask.route.is_rest else ():
            path = urljoin(ask.path, form.action)
            if form.method != "POST" or path in seen or path.startswith("/sign-out/"):
                continue
            seen.add(path)
            taken = next((names for end, names in HIDDEN.items() if path.endswith(end)), set())
            beside = {name: value for name, value in columns().items() if name not in taken}
            if after(asker, path, {**beside, **form.fields}) != after(asker, path, form.fields):
                smuggled.append(f"{path} takes more than {sorted(form.fields)}")

    assert smuggled == []
    assert len(seen) > 10


def columns() -> dict[str, str]:
    """The name of every column and relation that could be written by its name, with what could stand in it."""
    values = {BooleanField: "on", JSONField: "[]", DateTimeField: "2020-01-01T00:00:00Z"}
    found: dict[str, str] = {}
    for column in (column for model in world.models() for column in model._meta.get_fields()):
        is_number = column.is_relation or isinstance(column, IntegerField)
        found[column.name] = "1" if is_number else values.get(type(column), WORD)
    return {name: value for name, value in found.items() if name not in OF_FORMS}


def after(asker: Asker, path: str, sent: dict[str, Any]) -> Any:
    return outcome(asker, asking.of_path(path), "POST", path, sent)


def outcome(asker: Asker, route: Route, method: str, where: World | str, sent: dict[str, Any]) -> Counter[Any]:
    """What there is after this was asked, but for what no two requests have alike. It is undone."""
    known = {(row._meta.label, row.pk) for row, _ in world.rows()}
    path = where if isinstance(where, str) else asking.own_path(route, where)
    there: Counter[Any] = Counter()
    with asker.meanwhile(Ask(route, method, path, sent)):
        for row, _ in world.rows():
            if row._meta.label not in MOVES:
                there[row._meta.label, *(_told(row, column, known) for column in row._meta.concrete_fields)] += 1
    return there


def _told(row: Model, column: Field[Any, Any], known: set[Any]) -> Any:
    value = getattr(row, column.attname)
    if isinstance(column, UNLIKE) or RANDOM.search(column.name):
        return None
    if column.related_model and isinstance(column.related_model, type):
        return value if (column.related_model._meta.label, value) in known else "new"
    return repr(value)
