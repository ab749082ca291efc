"""However many passwords somebody tries, and from wherever, only a few of them are looked at in an hour."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from people.models import User
from tests import evidence
from tests.asking import SIGNATURE
from tests.make import NOW, PASSWORD

pytestmark = pytest.mark.django_db

GUESSES = 10_000 if evidence.is_wanted() else 80
LOOKED_AT = 20


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> count[int]:
    """How many passwords were compared with one that is kept, or with none for an account that is not there."""
    done = count()
    hashed = MD5PasswordHasher.encode

    def encode(self: Any, password: str, salt: str, *words: Any) -> str:
        next(done)
        return hashed(self, password, salt, *words)

    monkeypatch.setattr(MD5PasswordHasher, "encode", encode)
    return done


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    now = [NOW]
    monkeypatch.setattr(timezone, "now", lambda: now[0])
    return now


@pytest.fixture
def proxied(settings: Any) -> None:
    settings.ENV = settings.ENV.model_copy(update={"proxies": 1})


@pytest.mark.parametrize("account", ["alice@example.com", "nobody@example.com"])
def test_one_account_guessed_at_from_everywhere(
    alice: User, account: str, looked_at: count[int], clock: list[Any], proxied: None
) -> None:
    client = Client()
    for n in range(GUESSES):
        clock[0] = NOW + timedelta(seconds=3599 * n / GUESSES)
        guess(client, account, f"guess number {n}", address=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")

    assert next(looked_at) <= LOOKED_AT
    with evidence.of("guesses", of="one account", known=account == alice.email) as row:
        row |= {"guesses": GUESSES, "looked_at": next(looked_at) - 1}


def test_every_account_guessed_at_from_one_place(looked_at: count[int], clock: list[Any], proxied: None) -> None:
    client = Client()
    for n in range(GUESSES):
        clock[0] = NOW + timedelta(seconds=3599 * n / GUESSES)
        guess(client, f"somebody-{n}@example.com", "Password of the year", address="10.0.0.1")

    assert next(looked_at) <= LOOKED_AT
    with evidence.of("guesses", of="every account") as row:
        row |= {"guesses": GUESSES, "looked_at": next(looked_at) - 1}


def test_the_right_password_is_not_found_among_too_many(alice: User, clock: list[Any], proxied: None) -> None:
    client = Client()
    for n in range(LOOKED_AT + 5):
        guess(client, alice.email, f"guess number {n}", address=f"10.0.0.{n}")

    assert guess(client, alice.email, PASSWORD, address="10.9.9.9") == 429
    clock[0] = NOW + timedelta(hours=2)
    assert guess(client, alice.email, PASSWORD, address="10.9.9.9") == 302


def test_an_account_that_is_there_answers_as_one_that_is_not(alice: User) -> None:
    def answer(email: str) -> str:
        sent = {"username": email, "password": "not the password"}
        html = Client().post(reverse("sign-in"), sent).content.decode()
        return html.replace(email, "")

    known, unknown = answer(alice.email), answer("nobody@example.com")

    assert SIGNATURE.sub("", known) == SIGNATURE.sub("", unknown)


def guess(client: Client, email: str, password: str, *, address: str) -> int:
    sent = {"username": email, "password": password}
    headers = {"X-Forwarded-For": address}
    return client.post(reverse("sign-in"), sent, headers=headers).status_code
