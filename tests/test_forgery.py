"""No other site changes anything in somebody's name, no reading changes anything, and a token never borrows a session.

Every route that the matrix lets change something is asked, of things that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from people import tokens
from people.access import Act, matrix
from people.models import Team, User
from tests import asking, make, routes, world
from tests.routes import Route
from tests.world import World

pytestmark = pytest.mark.django_db

# They know their sender by what they are sent, and look at no cookie.
NO_COOKIE = {"alertmanager-webhook", "alertmanager-webhook-bare", "grafana-webhook", "grafana-webhook-bare", "answer"}
EVIL = "https://evil.example"
HERE = "http://testserver"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
# What a request may write that changes nothing: that a session was used, that it was refused, that a log was taken out.
MOVES = {"people.Session", "people.Throttle", "people.Cached", "people.AuditEvent", "people.AuditHead"}

Headers = dict[str, str]


@pytest.fixture
def house(payments: Team, search: Team, admin: User, charlie: User) -> World:
    return world.built(payments, search, admin, charlie)


@pytest.fixture
def browser(admin: User) -> Client:
    """An administrator's, signed in, with the cookie that forms are signed by."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    client.get("/account/")
    return client


def own_token(browser: Client) -> Headers:
    return {"X-CSRFToken": browser.cookies[settings.CSRF_COOKIE_NAME].value}


FORGERIES: dict[str, Callable[[Client], Headers]] = {
    "without a token": lambda browser: {"Origin": HERE},
    "with a token of another browser": lambda browser: {"Origin": HERE, "X-CSRFToken": foreign_token()},
    "with a token that is none": lambda browser: {"Origin": HERE, "X-CSRFToken": "x" * 64},
    "from another site, with the token": lambda browser: {"Origin": EVIL, **own_token(browser)},
    "from nowhere, with the token": lambda browser: {"Origin": "null", **own_token(browser)},
    "from a page of another site": lambda browser: {"Referer": f"{EVIL}/page"},
}


@pytest.mark.parametrize(
    ("forgery", "kind"),
    [(forgery, "text/plain") for forgery in FORGERIES] + [("without a token", FORM), ("without a token", JSON)],
)
def test_nothing_is_changed_by_a_request_that_was_forged(
    house: World, browser: Client, forgery: str, kind: str
) -> None:
    before = kept()
    taken = []
    for method, path in changing(house):
        answer = browser.generic(method, path, b"{}", content_type=kind, headers=FORGERIES[forgery](browser))
        if answer.status_code not in (403, 415):
            taken.append(f"{method} {path}: {answer.status_code}")

    assert taken == []
    assert kept() == before


def test_the_same_requests_are_let_in_with_the_token_from_here(house: World, browser: Client, admin: User) -> None:
    """Without this, all above would hold of a house that is closed."""
    refused = []
    for method, path in changing(house):
        headers = {"Origin": HERE, **own_token(browser)}
        answer = browser.generic(method, path, b"{}", content_type="application/json", headers=headers)
        if "CSRF" in answer.content.decode() or "This form is no longer valid" in answer.content.decode():
            refused.append(f"{method} {path}")
        if not browser.session.get("_auth_user_id"):
            browser.force_login(admin)
            browser.get("/account/")

    assert refused == []


def test_reading_changes_nothing(house: World, admin: User) -> None:
    reader = asking.asker(admin, "read", "write", "admin")
    for ask in asking.own(house, reader):
        reader.answer(ask)  # what is kept on the way, as when it was used, is settled
    before = kept()
    for ask in asking.own(house, reader):
        client = reader.program if ask.route.is_rest else reader.browser
        for method in ("get", "head"):
            getattr(client, method)(ask.path)

    after = kept()
    assert [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)] == []


def test_a_token_never_borrows_the_rights_of_a_session(
    house: World, browser: Client, admin: User, victor: User
) -> None:
    """Who sends an Authorization header is who that says, whatever cookie comes along."""
    revoked, gone = make.token(admin, ["read", "write", "admin"])
    tokens.revoke(revoked, by=make.SYSTEM, now=make.NOW)
    hook = make.integration("Hook")[1]
    viewer = make.token(victor, ["read"])[1]
    before = kept()
    borrowed = []
    for route, method, path in asked_by_rest(house):
        act = matrix()[route.name][method]
        for said, allowed in ((gone, {401}), (hook, {401}), ("nonsense", {401}), (viewer, {403, 401})):
            if said == viewer and method == "GET" and act in (Act.READ, Act.SELF):
                continue  # that much is the viewer's own
            headers = {"Authorization": f"Bearer {said}", "Origin": HERE, **own_token(browser)}
            answer = browser.generic(method, path, b"{}", content_type="application/json", headers=headers)
            if answer.status_code not in allowed:
                borrowed.append(f"{method} {path} by {said[:8]}: {answer.status_code}")

    assert borrowed == []
    assert kept() == before


def test_a_token_opens_no_page(house: World, admin: User) -> None:
    secret = make.token(admin, ["read", "write", "admin"])[1]
    opened = []
    for route in routes.every():
        if route.is_rest or Act.PUBLIC in matrix()[route.name].values():
            continue
        for method in matrix()[route.name]:
            answer = Client().generic(method, route.path, headers={"Authorization": f"Bearer {secret}"})
            if not answer.headers.get("Location", "").startswith("/sign-in/"):
                opened.append(f"{method} {route.path}: {answer.status_code}")

    assert opened == []


def changing(of: World) -> Iterator[tuple[str, str]]:
    """Every way to change something that knows its sender by a cookie, of something that there is."""
    for route in routes.every():
        for method in matrix()[route.name].keys() - {"GET"}:
            if route.name not in NO_COOKIE:
                yield method, path_of(route, of)


def asked_by_rest(of: World) -> Iterator[tuple[Route, str, str]]:
    for route in routes.every():
        for method in matrix()[route.name]:
            if route.is_rest and route.name not in asking.STREAMS:
                yield route, method, path_of(route, of)


def path_of(route: Route, of: World) -> str:
    """Of what there is, where the world has such a thing."""
    return asking.own_path(route, of) if asking.has_own(route, of) else route.path


def kept() -> dict[str, Any]:
    """All that there is, but for what moves by itself."""
    return {
        f"{row._meta.label}:{row.pk}": {**columns, "last_used_at": None}
        for row, columns in world.rows()
        if row._meta.label not in MOVES
    }


def foreign_token() -> str:
    other = Client(enforce_csrf_checks=True)
    other.get("/sign-in/")
    return str(other.cookies[settings.CSRF_COOKIE_NAME].value)
