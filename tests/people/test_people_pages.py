"""The list of people, and letting somebody in no longer."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from people.models import User
from tests import make
from tests.browsing import grows, page, signed_in
from tests.make import NOW

LIST = "/settings/people/"


def switch(by: User, user: User, on: str) -> int:
    return signed_in(by).post(f"{LIST}{user.pk}/switch/", {"on": on}).status_code


def test_who_is_deactivated_is_signed_out_and_their_tokens_stop(admin: User, alice: User) -> None:
    browser = signed_in(alice)
    _, secret = make.token(alice)
    bot = {"Authorization": f"Bearer {secret}"}
    assert Client().get("/api/v1/incidents/", headers=bot).status_code == 200

    assert switch(admin, alice, "no") == 302

    assert browser.get("/incidents/").status_code == 302
    assert Client().get("/api/v1/incidents/", headers=bot).status_code == 401


def test_deactivating_can_be_undone(admin: User, alice: User) -> None:
    client = signed_in(admin)

    told = client.post(f"{LIST}{alice.pk}/switch/", {"on": "no"}, follow=True).content.decode()

    assert "Alice is deactivated" in told
    assert "Undo" in told
    assert "Activate" in told
    assert switch(admin, alice, "yes") == 302
    alice.refresh_from_db()
    assert alice.is_active


def test_the_last_administrator_is_told_why_they_stay(admin: User) -> None:
    shown = page(admin, f"{LIST}{admin.pk}/")

    assert "The last administrator cannot be deactivated" in shown
    assert ">Deactivate<" not in shown
    assert switch(admin, admin, "no") == 409
    admin.refresh_from_db()
    assert admin.is_active


def test_only_administrators_deactivate(bob: User, alice: User) -> None:
    assert switch(bob, alice, "no") == 403


def test_administrators_see_who_has_a_second_factor(admin: User, bob: User, alice: User) -> None:
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={})
    Authenticator.objects.create(user=bob, type=Authenticator.Type.RECOVERY_CODES, data={})  # stand in for none

    people = {each.name: each.has_second_factor for each in signed_in(admin).get(LIST).context["people"]}

    assert (people["Alice"], people["Bob"]) == (True, False)
    assert "Second factor" in page(admin, LIST)
    assert "Second factor" not in page(bob, LIST)


@pytest.mark.parametrize(
    ("who", "found"),
    [("", {"Admin", "Alice", "Bob"}), ("inactive", {"Bob"}), ("admins", {"Admin"}), ("one_factor", {"Admin"})],
)
def test_people_are_narrowed_by_what_they_are(admin: User, alice: User, bob: User, who: str, found: set[str]) -> None:
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={})
    switch(admin, bob, "no")

    people = signed_in(admin).get(LIST, {"who": who}).context["people"]

    assert {each.name for each in people} == found


def test_who_has_no_second_factor_is_nothing_that_others_can_ask_for(alice: User, bob: User) -> None:
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={})

    people = signed_in(bob).get(LIST, {"who": "one_factor"}).context["people"]

    assert {"Alice", "Bob"} <= {each.name for each in people}


def test_somebody_was_seen_when_they_signed_in_also_when_their_sessions_are_over(admin: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(last_login=NOW)

    seen = {each.name: each.seen_at for each in signed_in(admin).get(LIST).context["people"]}

    assert seen["Alice"] == NOW


def test_the_list_costs_the_same_however_many_there_are(admin: User) -> None:
    assert grows(admin, [LIST], lambda: make.user(make.unique("Person"))) == []
