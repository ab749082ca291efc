"""Asking every route as somebody may: by their pages and by the API, with what a page's forms and the document name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.db import transaction
from django.test import Client
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from people import access
from people.access import Act, Verdict
from people.actors import person
from people.models import User
from tests import make, markup, routes
from tests.conftest import json_client
from tests.markup import Markup
from tests.routes import Route
from tests.world import World

JSON = "application/json"
# What differs from one answer to the next, whatever they tell: what forms are signed with, what passkeys are to sign.
SIGNATURE = re.compile(
    r'(name="csrfmiddlewaretoken" value|name="csrf-token" content|data-csrf-token)="[^"]*"|"challenge": "[^"]*"'
)
STREAMS = {"live", "api-events"}  # tests/config/test_live.py asks them


@dataclass(frozen=True)
class Ask:
    route: Route
    method: str
    path: str
    sent: dict[str, Any] = field(default_factory=dict)


@dataclass
class Asker:
    """Somebody who asks as a page's reader and as a program; what they change is undone."""

    user: User
    browser: Client
    program: APIClient

    def page(self, ask: Ask) -> Markup:
        return markup.read(content_of(self.answer(ask)).decode())

    def answer(self, ask: Ask) -> Any:
        """What is answered; what was changed by it is undone."""
        with self.meanwhile(ask) as answer:
            return answer

    @contextmanager
    def meanwhile(self, ask: Ask) -> Iterator[Any]:
        """The answer, while what was changed by it stands; it is undone at the end."""
        client = self.program if ask.route.is_rest else self.browser
        before = transaction.savepoint()
        if ask.method == "GET":
            answer = client.get(ask.path)
        elif ask.route.is_rest:
            answer = client.generic(
                ask.method, ask.path, json.dumps(ask.sent), content_type=JSON, headers={"If-Match": "*"}
            )
        else:
            answer = client.post(ask.path, ask.sent)
        yield answer
        transaction.savepoint_rollback(before)


def asker(user: User, *scopes: str) -> Asker:
    """Them, signed in, and with a token."""
    browser = Client()
    browser.force_login(user)
    return Asker(user, browser, json_client(make.token(user, scopes or ["read", "write"])[1]))


def own(of: World, by: Asker) -> Iterator[Ask]:
    """Every route that they may read, with what is their own for each name: one that has none fails here until
    tests/world.py gives it one."""
    for route in routes.every():
        if route.name not in STREAMS and may(by, route, "GET"):
            yield Ask(route, "GET", own_path(route, of))


def may(by: Asker, route: Route, method: str) -> bool:
    act = access.act_of(route.name, method)
    return act is not Act.PUBLIC and access.judge(person(by.user), route.name, method) is Verdict.ALLOWED


def own_path(route: Route, of: World) -> str:
    assert has_own(route, of), f"tests/world.py has no example for {route.template}"
    return route.to({place: of.own[before] for before, place in _places(route)})


def has_own(route: Route, of: World) -> bool:
    """Whether the world has an example of what the path names."""
    return {before for before, _ in _places(route)} <= of.own.keys()


def _places(route: Route) -> list[tuple[str, str]]:
    """The word before each place in the path, or its name where another place is before it; and its name."""
    found = re.findall(r"(?:([-\w]+)[/.]|(?<=>)/)<(?:\w+:)?(\w+)>", route.template)
    return [(before or name, name) for before, name in found]


def words_of(ask: Ask, by: Asker) -> set[str]:
    if ask.route.is_rest:
        operation = operations().get(nameless(ask.route.template), {}).get("get", {})
        return {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
    page = by.page(ask)
    linked = {name for link in page.links for name, _ in parse_qsl(urlsplit(link).query, keep_blank_values=True)}
    return linked | {name for form in page.forms if form.method == "GET" for name in form.fields}


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


def body_of(route: Route, method: str) -> dict[str, Any]:
    """The shape of what the API takes there; empty where it takes nothing."""
    operation = operations()[nameless(route.template)][method.lower()]
    if "requestBody" not in operation:
        return {}
    return resolved(operation["requestBody"]["content"]["application/json"]["schema"])


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
