"""Administrators see and end the tokens of everybody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from people import directory, tokens
from people.actors import person
from people.models import Token, User
from tests import make
from tests.browsing import grows, page, signed_in

LIST = "/settings/tokens/everybody/"


def token(owner: User, name: str, *, days: int | None = None) -> Token:
    now = timezone.now()
    expires_at = now + timedelta(days=days) if days else None
    return tokens.issue(owner, name, ["read"], by=person(owner), now=now, expires_at=expires_at)[0]


def test_it_tells_whose_each_is_and_what_it_may(admin: User, alice: User) -> None:
    token(alice, "deploy bot")

    shown = page(admin, LIST)

    assert "deploy bot" in shown
    assert f'href="/settings/people/{alice.pk}/"' in shown
    assert "refused with 401" in shown  # what revoking it does


def test_it_is_for_administrators(bob: User) -> None:
    assert signed_in(bob).get(LIST).status_code == 403
    assert LIST not in page(bob, "/settings/people/")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"live", "used", "ended", "of bob"}),
        ("state=live", {"live", "used"}),
        ("state=unused", {"live"}),
        ("state=ended", {"ended", "of bob"}),
        ("q=bob", {"of bob"}),
        ("q=alice+use", {"used"}),
        ("state=nonsense", {"live", "used", "ended", "of bob"}),
    ],
)
def test_they_are_found_by_words_and_by_state(admin: User, alice: User, bob: User, query: str, found: set[str]) -> None:
    now = timezone.now()
    token(alice, "live", days=3)
    Token.objects.filter(pk=token(alice, "used").pk).update(last_used_at=now)
    tokens.revoke(token(alice, "ended"), by=person(alice), now=now)
    token(bob, "of bob")
    directory.change_user(bob, {"is_active": False}, by=person(admin), now=now)

    rows = signed_in(admin).get(f"{LIST}?{query}").context["page"].rows

    assert {each.name for each in rows} == found


def test_revoking_one_leads_back_to_where_it_was_asked_for(admin: User, alice: User) -> None:
    one = token(alice, "deploy bot")

    response = signed_in(admin).post(f"/settings/tokens/{one.pk}/revoke/", {"next": f"{LIST}?q=deploy"})
    elsewhere = signed_in(admin).post(f"/settings/tokens/{one.pk}/revoke/", {"next": "https://example.com/"})

    one.refresh_from_db()
    assert one.revoked_at is not None
    assert response.headers["Location"] == f"{LIST}?q=deploy"
    assert elsewhere.headers["Location"] == "/settings/tokens/"


def test_the_list_costs_the_same_however_many_there_are(admin: User) -> None:
    assert grows(admin, [LIST], lambda: token(make.user(make.unique("Person")), "bot")) == []
