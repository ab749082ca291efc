"""Who may: every route x method x actor, asked over HTTP, against the matrix file.

A route that the matrix does not know fails here, and so does a line of the matrix without a route.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Model, Service
from incidents.models import Incident
from people import tokens
from people.access import Act, matrix
from people.models import Team, User
from slos.models import Slo
from tests import make, routes
from tests.make import NOW
from tests.routes import Route

# What needs no sign-in, written here a second time: adding to it is a decision, not a slip.
PUBLIC = {
    *("livez", "readyz", "metrics", "alertmanager-webhook", "alertmanager-webhook-bare", "answer"),
    *("grafana-webhook", "grafana-webhook-bare"),
    *("sign-in", "sign-in-code", "sign-in-passkey", "single-sign-on", "single-sign-on-back"),
    *("password-link", "password-set", "password-reset"),
}
OTHER_METHODS = ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ROUTES = routes.every()


def test_every_route_is_in_the_matrix_and_every_line_has_a_route() -> None:
    assert {route.name for route in ROUTES} == set(matrix())
    assert len({route.name for route in ROUTES}) == len(ROUTES)


def test_what_a_rest_view_implements_is_what_the_matrix_allows() -> None:
    implemented = {route.name: set(route.methods - {"OPTIONS"}) for route in ROUTES if route.methods is not None}

    assert implemented == {name: set(matrix()[name]) for name in implemented}


def test_only_the_written_list_needs_no_sign_in() -> None:
    assert {name for name, methods in matrix().items() if Act.PUBLIC in methods.values()} == PUBLIC


# Route x method x actor

LEVEL = {Act.SELF: 1, Act.READ: 1, Act.RESPOND: 2, Act.MANAGE: 3, Act.ADMINISTER: 4}
SCOPE = {Act.READ: "read", Act.RESPOND: "write", Act.MANAGE: "write", Act.ADMINISTER: "admin"}
EVERYTHING = frozenset({"read", "write", "admin"})

INCLUDED = {"read": {"read"}, "write": {"read", "write"}, "admin": {"read", "write", "admin"}}  # by each scope


@dataclass(frozen=True)
class Caller:
    """Somebody at the door: by session for pages, by token for REST, and with the token alone for both where there is
    no `user`, since a token opens no page. Level 0 is nobody that we know."""

    level: int
    user: User | None = None
    secret: str = ""
    scopes: frozenset[str] = EVERYTHING
    client: Client = field(default_factory=Client)

    def verdict_on(self, route: Route, method: str) -> str:
        """What API.md's table says: "unknown", "forbidden", "no method" or "let in"."""
        act = matrix()[route.name].get("GET" if method == "HEAD" else method)
        known = self.level if route.is_rest or self.user else 0
        if act is Act.PUBLIC:
            return "let in"
        if not known and route.name not in PUBLIC:
            return "unknown"
        if act is None:
            return "no method"
        needed = SCOPE.get(act) or ("read" if method in ("GET", "HEAD") else "write")
        scopes = self.scopes if route.is_rest else EVERYTHING
        return "let in" if known >= LEVEL[act] and needed in scopes else "forbidden"

    def ask(self, route: Route, method: str) -> str:
        headers = {}
        if self.user is not None and not route.is_rest and "_auth_user_id" not in self.client.session:
            self.client.force_login(self.user)
        if self.secret and (route.is_rest or self.user is None):
            headers["Authorization"] = f"Bearer {self.secret}"
        sent = {"data": b"{}", "content_type": "application/json"} if route.is_rest and method != "GET" else {}
        answer = self.client.generic(method, route.path, headers=headers, **sent)  # type: ignore[arg-type]
        if answer.status_code == 401 or answer.headers.get("Location", "").startswith(f"{reverse('sign-in')}?next="):
            return "let in" if route.name in PUBLIC else "unknown"
        assert answer.status_code < 500 or route.name == "readyz", f"{method} {route.path} answers {answer.status_code}"
        return {403: "forbidden", 405: "no method"}.get(answer.status_code, "let in")


@pytest.fixture
def caller(request: pytest.FixtureRequest, payments: Team, search: Team) -> Caller:
    """The caller that the test is parametrised with."""
    name = request.param

    def by_token(user: User, level: int, *scopes: str) -> Caller:
        chosen = scopes or tuple(EVERYTHING)
        rights = frozenset(lesser for scope in chosen for lesser in INCLUDED[scope])
        return Caller(level, user, make.token(user, chosen)[1], rights)

    match name:
        case "anonymous":
            return Caller(0)
        case "somebody without a team":
            return by_token(make.user("Nora"), 1)
        case "viewer":
            return by_token(make.user("Victor", {payments: "viewer"}), 1)
        case "responder":
            return by_token(make.user("Alice", {payments: "responder"}), 2)
        case "responder of another team":
            return by_token(make.user("Charlie", {search: "responder"}), 2)
        case "manager":
            return by_token(make.user("Bob", {payments: "manager"}), 3)
        case "manager of another team":
            return by_token(make.user("Mia", {search: "manager"}), 3)
        case "admin":
            return by_token(make.user("Admin", is_admin=True), 4)
        case "admin's read token":
            return by_token(make.user("Admin", is_admin=True), 4, "read")
        case "admin's write token":
            return by_token(make.user("Admin", is_admin=True), 4, "write")
        case "responder's write token":
            return by_token(make.user("Alice", {payments: "responder"}), 2, "write")
        case "admin's token and no session":
            return Caller(4, secret=make.token(make.user("Admin", is_admin=True), EVERYTHING)[1])
        case "revoked token":
            token, secret = make.token(make.user("Admin", is_admin=True), EVERYTHING)
            tokens.revoke(token, by=make.SYSTEM, now=NOW)
            return Caller(0, secret=secret)
        case "deactivated admin":
            user = make.user("Gone", is_admin=True)
            secret = make.token(user, EVERYTHING)[1]
            User.objects.filter(pk=user.pk).update(is_active=False)
            return Caller(0, secret=secret)
        case "integration token":
            return Caller(0, secret=make.integration()[1])
    raise AssertionError(name)


@pytest.mark.parametrize(
    "caller",
    [
        *("anonymous", "somebody without a team", "viewer", "responder", "responder of another team", "manager"),
        *("manager of another team", "admin", "admin's read token", "admin's write token", "responder's write token"),
        *("admin's token and no session", "revoked token", "deactivated admin", "integration token"),
    ],
    indirect=True,
)
def test_every_route_lets_in_whom_the_matrix_says(caller: Caller) -> None:
    wrong = [
        f"{method} {route.path}: {answered}, not {expected}"
        for route in ROUTES
        for method in ("GET", "POST", *matrix()[route.name].keys() - {"GET", "POST"})
        if (answered := caller.ask(route, method)) != (expected := caller.verdict_on(route, method))
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("caller", ["anonymous", "admin"], indirect=True)
def test_no_other_method_is_a_way_in(caller: Caller) -> None:
    wrong = [
        f"{method} {route.path}: {answered}, not {expected}"
        for route in ROUTES
        for method in OTHER_METHODS
        if (answered := caller.ask(route, method)) != (expected := caller.verdict_on(route, method))
    ]

    assert not wrong, "\n".join(wrong)


# Of the team: what the matrix leaves to the domain


@pytest.fixture
def things(payments: Team) -> dict[str, Any]:
    """What belongs to payments, by the word in its routes' names."""
    service: Service = make.service("checkout", payments)
    model: Model = make.model("fraud", payments, service=service)
    slo: Slo = make.slo("availability", service)
    incident: Incident = make.incident(payments)
    return {"service": service.slug, "model": model.slug, "slo": slo.slug, "incident": incident.number}


MANAGED = [
    (route, method)
    for route in ROUTES
    for method, act in matrix().get(route.name, {}).items()
    if act is Act.MANAGE and route.kwargs
]


@pytest.mark.parametrize(("route", "method"), MANAGED, ids=[f"{method} {route.name}" for route, method in MANAGED])
def test_what_is_managed_is_managed_by_its_own_team(
    things: dict[str, Any], route: Route, method: str, bob: User, search: Team
) -> None:
    of = route.name.removeprefix("api-").split("-")[0]
    path = reverse(route.name, args=[things[of]])
    mia = make.user("Mia", {search: "manager"})

    assert _status(route, method, path, bob) in (200, 302, 422)
    assert _status(route, method, path, mia) == 403


def _status(route: Route, method: str, path: str, user: User) -> int:
    client = Client()
    if not route.is_rest:
        client.force_login(user)
        return client.generic(method, path).status_code
    headers = {"Authorization": f"Bearer {make.token(user)[1]}"}
    body = b'{"name": "Another name"}'
    return client.generic(method, path, body, content_type="application/json", headers=headers).status_code
