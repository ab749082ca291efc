"""What one is asked to confirm, when one signed in a while ago."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from people.models import Token, User
from tests.make import PASSWORD
from tests.people.test_csrf import PATHS

NEW = {"name": "chat bot", "scopes": ["read", "write"]}


@pytest.fixture
def idle(client: Client, alice: User) -> Client:
    """Alice's browser, in which she signed in twenty minutes ago."""
    client.force_login(alice)
    session = client.session
    session["_confirmed_at"] = (timezone.now() - timedelta(minutes=20)).timestamp()
    session.save()
    return client


def hidden(page: str) -> list[tuple[str, str]]:
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return [(name, html.unescape(value)) for name, value in fields]


def test_a_fresh_sign_in_is_asked_nothing(client: Client, alice: User) -> None:
    client.force_login(alice)

    assert client.post("/settings/tokens/", NEW).status_code == 201


def test_later_the_form_is_kept_until_one_has_confirmed_and_then_done(idle: Client, alice: User) -> None:
    asked = idle.post("/settings/tokens/", {**NEW, "name": 'Ana\'s "bot" <b>'})
    assert asked.status_code == 403
    assert not Token.objects.exists()
    carried = hidden(asked.content.decode())
    again: dict[str, list[str]] = {}
    for name, value in carried:
        again.setdefault(name, []).append(value)

    done = idle.post("/settings/tokens/", {**again, "confirm_password": PASSWORD})

    assert done.status_code == 201
    token = Token.objects.get()
    assert (token.name, token.scopes) == ('Ana\'s "bot" <b>', ["read", "write"])
    assert idle.post("/settings/tokens/", NEW).status_code == 201


def test_a_wrong_password_does_nothing_and_keeps_the_form(idle: Client) -> None:
    answer = idle.post("/settings/tokens/", {**NEW, "confirm_password": "not it"})

    assert answer.status_code == 422
    assert ("scopes", "write") in hidden(answer.content.decode())
    assert "not it" not in answer.content.decode()
    assert not Token.objects.exists()


def test_guesses_are_counted_with_those_at_the_door(idle: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"login_attempts_per_hour": 3}))
    tried = [
        idle.post("/settings/tokens/", {**NEW, "confirm_password": "not it"}).status_code,
        idle.post("/account/confirm/", {"confirm_password": "not it"}).status_code,
        idle.post("/account/password/", {"old_password": "not it", "new_password": "some other words"}).status_code,
    ]

    assert tried == [422, 422, 422]
    assert idle.post("/settings/tokens/", {**NEW, "confirm_password": PASSWORD}).status_code == 429
    assert idle.post("/account/confirm/", {"confirm_password": PASSWORD}).status_code == 429
    assert Client(REMOTE_ADDR="10.0.0.9").post(
        "/sign-in/", {"username": alice.email, "password": PASSWORD}
    ).status_code == 429  # fmt: skip
    assert not Token.objects.exists()


def test_what_htmx_sends_is_led_to_the_page_that_confirms(idle: Client) -> None:
    answer = idle.post(
        "/settings/tokens/",
        NEW,
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/settings/tokens/"},
    )

    assert answer.headers["HX-Redirect"] == "/account/confirm/?next=%2Fsettings%2Ftokens%2F"
    assert not Token.objects.exists()


def test_confirming_leads_back_and_nowhere_else(idle: Client) -> None:
    there = idle.post("/account/confirm/", {"confirm_password": PASSWORD, "next": "/settings/tokens/"})
    elsewhere = idle.post("/account/confirm/", {"confirm_password": PASSWORD, "next": "https://evil.example/"})

    assert (there["Location"], elsewhere["Location"]) == ("/settings/tokens/", "/")


def test_a_browsers_session_is_asked_by_the_api_too_and_a_token_is_not(idle: Client, alice: User, api: object) -> None:
    browser = APIClient()
    browser.cookies = idle.cookies
    answer = browser.post("/api/v1/tokens/", {"name": "bot", "scopes": ["read"]}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (403, "confirm_first")
    assert api(alice).post("/api/v1/tokens/", {"name": "bot", "scopes": ["read"]}).status_code == 201  # type: ignore[operator]
    assert browser.get("/api/v1/tokens/").status_code == 200


# What asks: the credentials, tokens, people and exports; each route that changes them

ASKS = {
    *("token-list", "token-revoke", "account-address", "single-sign-on-disconnect"),
    *(
        "second-factor-app",
        "second-factor-passkey",
        "second-factor-name",
        "second-factor-remove",
        "second-factor-codes",
    ),
    *("person-new", "person-edit", "person-invite", "person-reset"),
    *("integration-new", "integration-rotate", "integration-end-old", "integration-switch"),
}


@pytest.mark.parametrize("name", sorted(ASKS))
def test_each_form_that_weighs_asks_first(client: Client, admin: User, name: str) -> None:
    client.force_login(admin)
    session = client.session
    session["_confirmed_at"] -= 20 * 60
    session.save()

    answer = client.post(PATHS[name], {"name": "x"})

    assert answer.status_code == 403
    assert "Confirm that it is you" in answer.content.decode()


@pytest.mark.parametrize("path", ["/settings/people/export.csv", "/settings/audit/export.jsonl"])
def test_what_leaves_as_a_file_asks_first(client: Client, admin: User, path: str) -> None:
    client.force_login(admin)
    session = client.session
    session["_confirmed_at"] -= 20 * 60
    session.save()

    answer = client.get(path)

    assert answer.headers.get("Location", "").startswith("/account/confirm/"), answer.status_code
