"""Who was let in for long is let in no more once they would not be let in anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.utils import timezone

from people import access, standing, tokens
from people.models import Session, Token, User
from people.standing import Pass
from tests import make


def by_session(user: User, route: str = "live") -> tuple[Pass, Client]:
    client = Client()
    client.force_login(user)
    return Pass(route, user.pk, session_key=client.session.session_key or ""), client


def by_token(user: User, route: str = "api-events", **fields: Any) -> tuple[Pass, Token]:
    token, _ = make.token(user, ["read"], **fields)
    return Pass(route, user.pk, token_id=token.pk), token


def void(*passes: Pass, **later: float) -> set[Pass]:
    return standing.void(passes, now=timezone.now() + timedelta(**later))


@pytest.mark.django_db
def test_sessions_and_tokens_that_live_stay(alice: User, victor: User) -> None:
    passes = [by_session(alice)[0], by_session(victor)[0], by_token(alice)[0], by_token(victor)[0]]

    assert void(*passes) == set()


def _sign_out(user: User, client: Client) -> None:
    client.logout()


def _change_password(user: User, client: Client) -> None:
    user.set_password("another staple altogether")
    user.save()


def _deactivate(user: User, client: Client) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _delete_the_session(user: User, client: Client) -> None:
    Session.objects.all().delete()


def _sign_in_as_another(user: User, client: Client) -> None:
    session = client.session
    session[SESSION_KEY] = str(make.user("Eve").pk)
    session.save()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "end",
    [_sign_out, _change_password, _deactivate, _delete_the_session, _sign_in_as_another],
    ids=lambda end: end.__name__,
)
def test_a_session_that_ended_opens_nothing(end: Callable[[User, Client], None], alice: User, bob: User) -> None:
    ended, client = by_session(alice)
    other = by_token(bob)[0]

    end(alice, client)

    assert void(ended, other) == {ended}


@pytest.mark.django_db
def test_a_session_ends_with_its_time(alice: User) -> None:
    session = by_session(alice)[0]

    assert void(session, hours=11) == set()
    assert void(session, hours=13) == {session}


@pytest.mark.django_db
def test_a_token_that_ended_opens_nothing(alice: User, bob: User, victor: User) -> None:
    stays = by_token(alice)[0]
    revoked, token = by_token(alice)
    of_somebody_gone = by_token(bob)[0]
    short, _ = by_token(victor, expires_at=timezone.now() + timedelta(hours=1))
    tokens.revoke(token, by=make.SYSTEM, now=timezone.now())
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert void(stays, revoked, of_somebody_gone, short) == {revoked, of_somebody_gone}
    assert void(stays, revoked, of_somebody_gone, short, hours=2) == {revoked, of_somebody_gone, short}


@pytest.mark.django_db
def test_the_matrix_is_asked_again(alice: User, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = [by_session(alice)[0], by_token(alice)[0], by_session(admin)[0]]
    strict = {**access.matrix(), "live": {"GET": access.Act.ADMINISTER}, "api-events": {"GET": access.Act.MANAGE}}

    monkeypatch.setattr(access, "matrix", lambda: strict)

    assert void(*passes) == set(passes[:2])


@pytest.mark.django_db
def test_two_hundred_cost_four_statements(alice: User, django_assert_max_num_queries: Any) -> None:
    people = [make.user(f"Reader {number}") for number in range(20)]
    passes = [by_session(user)[0] for user in people for _ in range(5)] + [
        by_token(user)[0] for user in people for _ in range(5)
    ]

    with django_assert_max_num_queries(4):
        assert void(*passes) == set()
