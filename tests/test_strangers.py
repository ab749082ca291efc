"""What is private to one team does not reach another: not by its id, by a filter or a search, in a body, or in a count.

All of it carries words that nobody else may read. Every route is asked with every id of the other side; by `make test`
with a sample of them, by `make prove` with all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise, product
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from django.db import transaction
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from people import access
from people.access import Act, Verdict, matrix
from people.actors import person
from people.models import Team, User
from tests import evidence, make, markup, routes, world
from tests.conftest import json_client
from tests.markup import Markup
from tests.routes import Route
from tests.world import STEM, WORD, World

pytestmark = pytest.mark.django_db

SHARE = 1 if evidence.is_wanted() else 60
STREAMS = {"live", "api-events"}  # tests/config/test_live.py: they are told of what they may see
LATER = make.NOW.replace(day=4)
# What differs from one answer to the next, whatever they tell: what forms are signed with.
SIGNATURE = re.compile(r'(name="csrfmiddlewaretoken" value|name="csrf-token" content|data-csrf-token)="[^"]*"')


@dataclass(frozen=True)
class Ask:
    route: Route
    method: str
    path: str
    sent: dict[str, Any] = field(default_factory=dict)


@dataclass
class Stranger:
    """Somebody of one team, asking as a page's reader and as a program."""

    user: User
    browser: Client
    program: APIClient

    def try_all(self, asked: Iterable[Ask]) -> tuple[int, list[str]]:
        """How many were asked, and what of theirs was told in answer."""
        tried = list(asked)[::SHARE]
        assert len(tried) > 100
        leaks = []
        for ask in tried:
            answer = self.answer(ask)
            told = repr(answer.headers.items()) + content_of(answer).decode(errors="replace")
            if words := set(WORD.findall(told)) - set(WORD.findall(f"{ask.path} {ask.sent}")):
                leaks.append(f"{ask.method} {ask.path} {ask.sent}: {answer.status_code}, {words}")
        return len(tried), leaks

    def letters(self, ask: Ask) -> str:
        """What is answered, but for what forms are signed with."""
        answer = self.answer(ask)
        assert answer.status_code < 400, f"{ask.path}: {answer.status_code}"
        said = f"{answer.status_code} {answer.headers.get('ETag')}\n" + content_of(answer).decode()
        return SIGNATURE.sub("", said)

    def page(self, ask: Ask) -> Markup:
        return markup.read(content_of(self.answer(ask)).decode())

    def answer(self, ask: Ask) -> Any:
        """What is answered; what was changed by it is undone."""
        client = self.program if ask.route.is_rest else self.browser
        before = transaction.savepoint()
        if ask.method == "GET":
            answer = client.get(ask.path)
        elif ask.route.is_rest:
            answer = client.generic(ask.method, ask.path, json.dumps(ask.sent), content_type="application/json")
        else:
            answer = client.post(ask.path, ask.sent)
        transaction.savepoint_rollback(before)
        return answer


@pytest.fixture(params=["alice", "bob"])
def reader(request: pytest.FixtureRequest) -> User:
    """A responder of one team, or its manager."""
    user: User = request.getfixturevalue(request.param)
    return user


@pytest.fixture
def two_teams(reader: User, payments: Team, search: Team, charlie: User, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(timezone, "now", lambda: LATER)
    of = world.built(payments, search, reader, charlie)
    world.hide(of)
    return of


@pytest.fixture
def stranger(reader: User, two_teams: World) -> Stranger:
    browser = Client()
    browser.force_login(reader)
    return Stranger(reader, browser, json_client(make.token(reader, ["read", "write"])[1]))


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


def test_no_id_of_theirs_in_a_path_shows_or_changes_anything(two_teams: World, stranger: Stranger) -> None:
    before = world.hidden_rows()
    asked, leaks = stranger.try_all(paths(two_teams))

    assert leaks == []
    assert world.hidden_rows() == before
    with evidence.of("swaps-in-paths", reader=stranger.user.name) as row:
        row |= {"asked": asked, "leaks": len(leaks)}


def test_no_filter_search_or_order_finds_what_is_theirs(two_teams: World, stranger: Stranger) -> None:
    asked, leaks = stranger.try_all(queries(two_teams, stranger))

    assert leaks == []
    with evidence.of("swaps-in-queries", reader=stranger.user.name) as row:
        row |= {"asked": asked, "leaks": len(leaks)}


def test_no_body_that_names_what_is_theirs_reads_or_changes_it(two_teams: World, stranger: Stranger) -> None:
    before = world.hidden_rows()
    asked, leaks = stranger.try_all(bodies(two_teams, stranger))

    assert leaks == []
    assert world.hidden_rows() == before
    with evidence.of("swaps-in-bodies", reader=stranger.user.name) as row:
        row |= {"asked": asked, "leaks": len(leaks)}


def test_no_answer_changes_with_how_much_there_is_that_is_theirs(two_teams: World, stranger: Stranger) -> None:
    """Counts, facets, versions, the pages of lists: all of them, to the letter."""
    asked = list(own(two_teams, stranger))
    before = {ask.path: stranger.letters(ask) for ask in asked}

    for _ in range(3):
        world.hide(two_teams)
    after = {ask.path: stranger.letters(ask) for ask in asked}

    assert [path for path in before if before[path] != after[path]] == []
    assert len(before) > 30


def test_a_search_for_what_is_theirs_answers_as_one_for_nothing(two_teams: World, stranger: Stranger) -> None:
    nothing = "q" * len(STEM)
    for path in ("/incidents/?tab=all&q=", "/api/v1/incidents/?q=", "/postmortems/?q=", "/api/v1/postmortems/?q="):
        route = of_path(path)
        found = stranger.letters(Ask(route, "GET", path + STEM))

        assert found.replace(STEM, nothing) == stranger.letters(Ask(route, "GET", path + nothing)), path


# What is asked


def paths(of: World) -> Iterator[Ask]:
    """Every route that names something, with everything of theirs for its name."""
    names = world.names_of(of)
    for route in routes.every():
        for method in matrix()[route.name] if route.kinds and route.name not in STREAMS else ():
            for chosen in product(*(names[kind] for _, kind in route.kinds)):
                places = dict(zip((place for place, _ in route.kinds), chosen, strict=True))
                yield Ask(route, method, route.to(places))


def own(of: World, stranger: Stranger) -> Iterator[Ask]:
    """Every route that they may read, with what is their own for each name: one that has none fails here until
    tests/world.py gives it one."""
    for route in routes.every():
        if route.name not in STREAMS and may(stranger, route, "GET"):
            yield Ask(route, "GET", own_path(route, of))


def may(stranger: Stranger, route: Route, method: str) -> bool:
    act = access.act_of(route.name, method)
    return act is not Act.PUBLIC and access.judge(person(stranger.user), route.name, method) is Verdict.ALLOWED


def own_path(route: Route, of: World) -> str:
    words = route.template.split("/")
    named = [(before, after.strip("<>").split(":")[-1]) for before, after in pairwise(words) if "<" in after]
    assert {before for before, _ in named} <= of.own.keys(), f"tests/world.py has no example for {route.template}"
    return route.to({place: of.own[before] for before, place in named})


def queries(of: World, stranger: Stranger) -> Iterator[Ask]:
    """Every word of a query that the API's document, a form or a link names, with what is theirs."""
    names = world.names_of(of)
    values = [STEM, *names["int"], *names["slug"], *(f"INC-{incident.number}" for incident in of.private)]
    for ask in own(of, stranger):
        for name in sorted(words_of(ask, stranger)):
            for value in values:
                yield Ask(ask.route, "GET", f"{ask.path}?{name}={value}")


def words_of(ask: Ask, stranger: Stranger) -> set[str]:
    if ask.route.is_rest:
        operation = operations().get(nameless(ask.route.template), {}).get("get", {})
        return {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
    page = stranger.page(ask)
    linked = {name for link in page.links for name, _ in parse_qsl(urlsplit(link).query, keep_blank_values=True)}
    return linked | {name for form in page.forms if form.method == "GET" for name in form.fields}


def bodies(of: World, stranger: Stranger) -> Iterator[Ask]:
    """Every field of every body and form, with what is theirs in it."""
    names = world.names_of(of)
    values = [STEM, *names["int"], *names["slug"]]
    for ask in own(of, stranger):
        for form in stranger.page(ask).forms if not ask.route.is_rest else ():
            if form.method != "POST":
                continue
            path = urljoin(ask.path, form.action)
            for name, value in product(form.fields, values):
                yield Ask(of_path(path), "POST", path, {**form.fields, name: value})
    for route in routes.every():
        for method in ("POST", "PATCH"):
            if route.is_rest and may(stranger, route, method):
                for sent in _sent(route, method, values):
                    yield Ask(route, method, own_path(route, of), sent)


def _sent(route: Route, method: str, values: list[Any]) -> Iterator[dict[str, Any]]:
    operation = operations()[nameless(route.template)][method.lower()]
    if "requestBody" not in operation:
        return
    shape = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
    required = {name: choices(shape["properties"][name]) for name in shape.get("required", ())}
    for given in product(*required.values()):
        least = dict(zip(required, given, strict=True))
        for (name, its), value in product(shape.get("properties", {}).items(), values):
            kind = resolved(its).get("type")
            yield {**least, name: [value] if kind == "array" else value}


def choices(shape: dict[str, Any]) -> list[Any]:
    """What may stand in a field that must be there."""
    shape = resolved(shape)
    if "enum" in shape:
        return list(shape["enum"])
    by_type = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}
    return [by_type.get(shape.get("type", ""), "Words")]


def resolved(shape: dict[str, Any]) -> dict[str, Any]:
    for part in ("allOf", "oneOf", "anyOf"):
        if part in shape:
            shape = shape[part][0]
    if "$ref" in shape:
        return resolved(document()["components"]["schemas"][shape["$ref"].split("/")[-1]])
    return shape


@cache
def document() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return generated


@cache
def operations() -> dict[str, Any]:
    return {nameless(path.strip("/") + "/"): its for path, its in document()["paths"].items()}


def nameless(template: str) -> str:
    """A path, whatever its places are called."""
    return re.sub(r"<[^>]*>|{[^}]*}", "*", template)


def of_path(path: str) -> Route:
    name = resolve(urlsplit(path).path).view_name
    return next(route for route in routes.every() if route.name == name)


def content_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content
