"""Tokens: shown once, never more than their maker has, gone when revoked."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from rest_framework.test import APIClient

from people import tokens
from people.actors import bot
from people.models import Token, User
from tests import make
from tests.conftest import Api, json_client


def test_a_token_is_shown_once_and_kept_as_a_hash(api: Api, alice: User) -> None:
    client = api(alice)

    made = client.post("/api/v1/tokens/", {"name": "deploy bot", "scopes": ["read"]})

    assert made.status_code == 201
    secret = made.json()["token"]
    assert secret.startswith("blt_")
    listed = client.get("/api/v1/tokens/").json()["results"]
    assert {each["name"] for each in listed} == {"deploy bot", "Alice's bot"}
    assert all("token" not in each and "secret_hash" not in each for each in listed)
    assert not Token.objects.filter(secret_hash=secret).exists()
    assert json_client(secret).get("/api/v1/users/").status_code == 200


def test_a_read_token_changes_nothing_whoever_owns_it(api: Api, admin: User) -> None:
    client = api(admin, "read")

    assert client.get("/api/v1/users/").status_code == 200
    assert client.get("/api/v1/integrations/").status_code == 403
    assert client.post("/api/v1/teams/", {"name": "X"}).status_code == 403
    assert client.post("/api/v1/tokens/", {"name": "more", "scopes": ["read"]}).status_code == 403


def test_nobody_gives_away_more_than_they_have(api: Api, alice: User, victor: User, admin: User) -> None:
    def scopes(client: APIClient, *wanted: str) -> int:
        return client.post("/api/v1/tokens/", {"name": "more", "scopes": list(wanted)}).status_code

    assert scopes(api(alice), "read", "write") == 201
    assert scopes(api(alice), "admin") == 403
    assert scopes(api(victor), "write") == 403
    assert scopes(api(admin, "write"), "admin") == 403
    assert scopes(api(admin), "read", "admin") == 201
    assert scopes(api(admin), "root") == 422


def test_a_token_of_a_token_does_not_outlive_it(alice: User) -> None:
    now = timezone.now()
    token, secret = tokens.issue(
        alice, "short", ["read", "write"], by=make.person(alice), now=now, expires_at=now + timedelta(hours=1)
    )

    longer = json_client(secret).post("/api/v1/tokens/", {"name": "for ever", "scopes": ["read"]})
    shorter = json_client(secret).post(
        "/api/v1/tokens/",
        {"name": "a minute", "scopes": ["read"], "expires_at": (now + timedelta(minutes=1)).isoformat()},
    )

    assert bot(token).scopes == {"read", "write"}
    assert longer.status_code == 403
    assert shorter.status_code == 201


def test_a_revoked_or_expired_token_is_nobody(api: Api, alice: User) -> None:
    client = api(alice)
    pk = client.get("/api/v1/tokens/").json()["results"][0]["id"]
    expired, secret = make.token(alice)
    Token.objects.filter(pk=expired.pk).update(expires_at=timezone.now())

    assert client.post(f"/api/v1/tokens/{pk}/revoke/").json()["revoked_at"] is not None

    assert client.get("/api/v1/tokens/").status_code == 401
    assert json_client(secret).get("/api/v1/tokens/").status_code == 401


def test_tokens_of_others_are_the_admins(api: Api, alice: User, bob: User, admin: User) -> None:
    token, secret = make.token(alice)

    assert api(bob).post(f"/api/v1/tokens/{token.pk}/revoke/").status_code == 404
    assert api(admin, "write").post(f"/api/v1/tokens/{token.pk}/revoke/").status_code == 404
    assert api(admin).post(f"/api/v1/tokens/{token.pk}/revoke/").status_code == 200
    assert json_client(secret).get("/api/v1/tokens/").status_code == 401


def test_how_credentials_are_refused(db: None) -> None:
    for header in ("", "Bearer", "Bearer x", "Basic eDp5", "Token abc", "Bearer blt_\N{SNOWMAN}"):
        answer = APIClient().get("/api/v1/users/", headers={"Authorization": header} if header else {})

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="burnline"'
        assert answer.json()["code"] == "unauthenticated"


def test_a_browser_asks_by_its_session_and_changes_only_with_the_csrf_token(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)

    assert client.get("/api/v1/users/").status_code == 200
    refused = client.post("/api/v1/tokens/", {"name": "x", "scopes": ["read"]})
    assert refused.status_code == 403
    assert refused.headers["Content-Type"] == "application/problem+json"
