"""One's account and tokens, and what admins say of people, teams and words."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from people.models import Discipline, Role, Team, Token, User
from tests import make
from tests.make import PASSWORD

READABLE = [
    "/settings/people/",
    "/settings/teams/",
    "/settings/vocabulary/",
    "/settings/tokens/",
    "/account/",
    "/account/sessions/",
]


@pytest.mark.parametrize("path", READABLE)
def test_everybody_may_read_who_is_here(client: Client, victor: User, path: str) -> None:
    client.force_login(victor)

    response = client.get(path)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert "Change" not in response.content.decode() or path.startswith("/account/")


@pytest.mark.parametrize("path", ["/settings/people/new/", "/settings/teams/new/", "/settings/people/1/"])
def test_only_admins_change_people_and_teams(client: Client, bob: User, path: str) -> None:
    client.force_login(bob)

    assert client.get(path).status_code == 403
    assert client.post(path, {"name": "x", "email": "x@example.com"}).status_code == 403


def test_one_changes_ones_own_name_zone_and_discipline(client: Client, victor: User) -> None:
    client.force_login(victor)
    science = make.discipline("data_science")

    response = client.post(
        "/account/", {"name": "Vic", "time_zone": "Asia/Tokyo", "discipline": science.pk, "is_admin": "on"}
    )

    assert response.status_code == 302
    victor.refresh_from_db()
    assert (victor.name, victor.time_zone, victor.discipline, victor.is_admin) == ("Vic", "Asia/Tokyo", science, False)


def test_an_account_form_that_will_not_do_keeps_what_was_typed(client: Client, victor: User) -> None:
    client.force_login(victor)

    response = client.post("/account/", {"name": "Vicky", "time_zone": "Mars/Olympus"})

    assert response.status_code == 422
    assert 'value="Vicky"' in response.content.decode()


def test_changing_the_password_keeps_this_session_and_ends_the_others(client: Client, alice: User) -> None:
    other = Client()
    client.force_login(alice)
    other.force_login(alice)

    new = {"new_password": "a quite different one"}
    wrong = client.post("/account/password/", {"old_password": "not it", **new})
    right = client.post("/account/password/", {"old_password": PASSWORD, **new})

    assert (wrong.status_code, right.status_code) == (422, 302)
    assert client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302
    alice.refresh_from_db()
    assert alice.check_password("a quite different one")


def test_a_tokens_secret_is_shown_once(client: Client, alice: User) -> None:
    client.force_login(alice)

    made = client.post("/settings/tokens/", {"name": "chat bot", "scopes": ["read", "write"]})

    found = re.search(r"blt_[\w-]{30,}", made.content.decode())
    assert made.status_code == 201
    assert found is not None
    assert Token.objects.get().secret_hash == Token.hash_of(found[0])
    assert found[0] not in client.get("/settings/tokens/").content.decode()


def test_nobody_is_offered_or_given_a_scope_beyond_their_rights(client: Client, victor: User) -> None:
    client.force_login(victor)

    assert 'value="write"' not in client.get("/settings/tokens/").content.decode()
    assert client.post("/settings/tokens/", {"name": "bot", "scopes": ["write"]}).status_code == 422
    assert not Token.objects.exists()


def test_a_token_lasts_to_the_end_of_its_last_day(client: Client, alice: User) -> None:
    client.force_login(alice)
    tomorrow = timezone.localdate() + timedelta(days=1)

    client.post("/settings/tokens/", {"name": "bot", "scopes": ["read"], "last_day": tomorrow.isoformat()})
    gone = client.post("/settings/tokens/", {"name": "bot", "scopes": ["read"], "last_day": "2020-01-01"})

    expires_at = Token.objects.get().expires_at
    assert expires_at is not None
    assert expires_at.date() == tomorrow + timedelta(days=1)
    assert gone.status_code == 422


def test_one_revokes_ones_own_tokens_and_no_others(client: Client, alice: User, charlie: User, admin: User) -> None:
    token, _ = make.token(alice)

    client.force_login(charlie)
    assert client.post(f"/settings/tokens/{token.pk}/revoke/").status_code == 404
    client.force_login(admin)
    assert client.post(f"/settings/tokens/{token.pk}/revoke/").status_code == 302

    token.refresh_from_db()
    assert token.revoked_at is not None


@pytest.mark.parametrize("email", ["alice@example.com", "no address", ""])
def test_an_email_that_is_taken_or_none_is_said_on_the_form(
    client: Client, admin: User, alice: User, email: str
) -> None:
    client.force_login(admin)

    response = client.post("/settings/people/new/", {"name": "Another", "email": email})

    assert response.status_code == 422
    assert 'value="Another"' in response.content.decode()
    assert User.objects.count() == 2


def test_an_admin_changes_teams_and_rights(
    client: Client, admin: User, alice: User, payments: Team, search: Team
) -> None:
    client.force_login(admin)
    said = {"name": alice.name, "email": alice.email, "version": alice.version, f"team_{search.pk}": "manager"}

    response = client.post(f"/settings/people/{alice.pk}/", said)

    assert response.status_code == 302
    alice.refresh_from_db()
    assert alice.is_active
    assert list(alice.memberships.values_list("team__slug", "role")) == [("search", "manager")]


def test_what_somebody_else_changed_meanwhile_is_not_overwritten_unseen(
    client: Client, admin: User, alice: User
) -> None:
    client.force_login(admin)
    said = {"name": "Mine", "email": alice.email, "version": alice.version}
    client.post(f"/settings/people/{alice.pk}/", {**said, "name": "Theirs"})

    response = client.post(f"/settings/people/{alice.pk}/", said)

    assert response.status_code == 412
    assert 'value="Mine"' in response.content.decode()
    alice.refresh_from_db()
    assert alice.name == "Theirs"


def test_the_last_administrator_stays_one(client: Client, admin: User) -> None:
    client.force_login(admin)

    response = client.post(
        f"/settings/people/{admin.pk}/",
        {"name": admin.name, "email": admin.email, "version": admin.version},
    )

    assert response.status_code == 409
    admin.refresh_from_db()
    assert admin.is_admin


def test_admins_add_teams_and_words(client: Client, admin: User) -> None:
    client.force_login(admin)

    assert client.post("/settings/teams/new/", {"name": "Ranking"}).status_code == 302
    assert client.post("/settings/teams/new/", {"name": "Ranking"}).status_code == 422
    assert client.post("/settings/vocabulary/", {"discipline-name": "Linguistics"}).status_code == 302
    assert client.post("/settings/vocabulary/", {"role-name": "Labeller", "role-is_exclusive": "on"}).status_code == 302
    assert client.post("/settings/vocabulary/", {"role-name": " "}).status_code == 422

    assert Team.objects.filter(slug="ranking").exists()
    assert Discipline.objects.filter(slug="linguistics").exists()
    assert Role.objects.get(slug="labeller").is_exclusive


def test_who_is_no_admin_adds_no_words(client: Client, bob: User) -> None:
    client.force_login(bob)

    assert "New role" not in client.get("/settings/vocabulary/").content.decode()
    assert client.post("/settings/vocabulary/", {"role-name": "Labeller"}).status_code == 403
