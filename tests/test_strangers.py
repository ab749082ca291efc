"""What is private to one team does not reach another: not by its id, by a filter or a search, in a body, or in a count.

All of it carries words that nobody else may read. Every route is asked with every id of the other side; by `make test`
with a sample of them, by `make prove` with all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any
from urllib.parse import urljoin

import pytest
from django.test import Client
from django.utils import timezone

from people.access import matrix
from people.models import Team, User
from tests import asking, evidence, make, routes, world
from tests.asking import Ask, Asker
from tests.routes import Route
from tests.world import STEM, WORD, World

pytestmark = pytest.mark.django_db

SHARE = 1 if evidence.is_wanted() else 60
LATER = make.NOW.replace(day=4)


@pytest.fixture(params=["alice", "bob"] if evidence.is_wanted() else ["bob"])
def reader(request: pytest.FixtureRequest) -> User:
    """The manager of one team, who may more than its responder; in the proof, the responder too."""
    user: User = request.getfixturevalue(request.param)
    return user


@pytest.fixture
def two_teams(reader: User, payments: Team, search: Team, charlie: User, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(timezone, "now", lambda: LATER)
    of = world.built(payments, search, reader, charlie)
    world.hide(of)
    return of


@pytest.fixture
def stranger(reader: User, two_teams: World) -> Asker:
    return asking.asker(reader)


def test_the_words_are_there_for_who_may_read_them(two_teams: World, admin: User) -> None:
    """Without this, all below would hold of empty pages."""
    number = two_teams.private[0].number
    client = Client()
    client.force_login(admin)
    read = {
        word.split("-")[2]
        for path in ("/incidents/{}/", "/postmortems/{}/", "/alerts/?q={}", "/action-items/", "/incidents/?tab=all")
        for word in WORD.findall(client.get(path.format(number)).content.decode())
    }

    assert {"title", "note", "hypothesis", "alert", "annotation", "summary", "item"} <= read


def test_no_id_of_theirs_in_a_path_shows_or_changes_anything(two_teams: World, stranger: Asker) -> None:
    before = world.hidden_rows()
    asked, leaks = try_all(stranger, paths(two_teams))

    assert leaks == []
    assert world.hidden_rows() == before
    with evidence.of("swaps-in-paths", reader=stranger.user.name) as row:
        row |= {"asked": asked, "leaks": len(leaks)}


def test_no_filter_search_or_order_finds_what_is_theirs(two_teams: World, stranger: Asker) -> None:
    asked, leaks = try_all(stranger, queries(two_teams, stranger))

    assert leaks == []
    with evidence.of("swaps-in-queries", reader=stranger.user.name) as row:
        row |= {"asked": asked, "leaks": len(leaks)}


def test_no_body_that_names_what_is_theirs_reads_or_changes_it(two_teams: World, stranger: Asker) -> None:
    before = world.hidden_rows()
    asked, leaks = try_all(stranger, bodies(two_teams, stranger))

    assert leaks == []
    assert world.hidden_rows() == before
    with evidence.of("swaps-in-bodies", reader=stranger.user.name) as row:
        row |= {"asked": asked, "leaks": len(leaks)}


def test_no_answer_changes_with_how_much_there_is_that_is_theirs(two_teams: World, stranger: Asker) -> None:
    """Counts, facets, versions, the pages of lists: all of them, to the letter."""
    asked = list(asking.own(two_teams, stranger))
    before = {ask.path: letters(stranger, ask) for ask in asked}

    for _ in range(3):
        world.hide(two_teams)
    after = {ask.path: letters(stranger, ask) for ask in asked}

    assert [path for path in before if before[path] != after[path]] == []
    assert len(before) > 30


def test_a_search_for_what_is_theirs_answers_as_one_for_nothing(two_teams: World, stranger: Asker) -> None:
    nothing = "q" * len(STEM)
    for path in ("/incidents/?tab=all&q=", "/api/v1/incidents/?q=", "/postmortems/?q=", "/api/v1/postmortems/?q="):
        route = asking.of_path(path)
        found = letters(stranger, Ask(route, "GET", path + STEM))

        assert found.replace(STEM, nothing) == letters(stranger, Ask(route, "GET", path + nothing)), path


def try_all(by: Asker, asked: Iterable[Ask]) -> tuple[int, list[str]]:
    """How many were asked, and what of theirs was told in answer."""
    tried = list(asked)[::SHARE]
    assert len(tried) > 100
    leaks = []
    for ask in tried:
        answer = by.answer(ask)
        told = repr(answer.headers.items()) + asking.content_of(answer).decode(errors="replace")
        if words := set(WORD.findall(told)) - set(WORD.findall(f"{ask.path} {ask.sent}")):
            leaks.append(f"{ask.method} {ask.path} {ask.sent}: {answer.status_code}, {words}")
    return len(tried), leaks


def letters(by: Asker, ask: Ask) -> str:
    """What is answered, but for what forms are signed with."""
    answer = by.answer(ask)
    assert answer.status_code < 400, f"{ask.path}: {answer.status_code}"
    said = f"{answer.status_code} {answer.headers.get('ETag')}\n" + asking.content_of(answer).decode()
    return asking.SIGNATURE.sub("", said)


# What is asked


def paths(of: World) -> Iterator[Ask]:
    """Every route that names something, with everything of theirs for its name."""
    names = world.names_of(of)
    for route in routes.every():
        for method in matrix()[route.name] if route.kinds and route.name not in asking.STREAMS else ():
            for chosen in product(*(names[kind] for _, kind in route.kinds)):
                places = dict(zip((place for place, _ in route.kinds), chosen, strict=True))
                yield Ask(route, method, route.to(places))


def queries(of: World, stranger: Asker) -> Iterator[Ask]:
    """Every word of a query that the API's document, a form or a link names, with what is theirs."""
    names = world.names_of(of)
    values = [STEM, *names["int"], *names["slug"], *(f"INC-{incident.number}" for incident in of.private)]
    for ask in asking.own(of, stranger):
        for name in sorted(asking.words_of(ask, stranger)):
            for value in values:
                yield Ask(ask.route, "GET", f"{ask.path}?{name}={value}")


def bodies(of: World, stranger: Asker) -> Iterator[Ask]:
    """Every field of every body and form, with what is theirs in it."""
    names = world.names_of(of)
    values = [STEM, *names["int"], *names["slug"]]
    for ask in asking.own(of, stranger):
        for form in stranger.page(ask).forms if not ask.route.is_rest else ():
            if form.method != "POST":
                continue
            path = urljoin(ask.path, form.action)
            for name, value in product(form.fields, values):
                yield Ask(asking.of_path(path), "POST", path, {**form.fields, name: value})
    for route in routes.every():
        for method in ("POST", "PATCH"):
            if route.is_rest and asking.may(stranger, route, method):
                for sent in _sent(route, method, values):
                    yield Ask(route, method, asking.own_path(route, of), sent)


def _sent(route: Route, method: str, values: list[Any]) -> Iterator[dict[str, Any]]:
    shape = asking.body_of(route, method)
    required = {name: asking.choices(shape["properties"][name]) for name in shape.get("required", ())}
    for given in product(*required.values()):
        least = dict(zip(required, given, strict=True))
        for (name, its), value in product(shape.get("properties", {}).items(), values):
            kind = asking.resolved(its).get("type")
            yield {**least, name: [value] if kind == "array" else value}
