"""Signing in and out by the pages: who gets in, who is told what, and how often one may guess."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from common.addresses import address_of
from people import directory, passwords, throttling
from people.actors import SYSTEM, person
from people.models import Throttle, User
from tests import make
from tests.make import NOW, PASSWORD


def sign_in(client: Client, email: str, password: str = PASSWORD, **fields: str) -> int:
    return client.post("/sign-in/", {"username": email, "password": password, **fields}).status_code


@pytest.fixture
def _three_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"login_attempts_per_hour": 3}))


def test_one_signs_in_by_email_whatever_its_case(client: Client, alice: User) -> None:
    response = client.post("/sign-in/", {"username": "ALICE@example.com", "password": PASSWORD})

    assert response.status_code == 302
    assert response["Location"] == "/"
    assert client.get("/account/").status_code == 200


def test_the_front_door_leads_to_the_incidents_where_there_are_some(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/")["Location"] == "/first-steps/"

    make.incident()

    assert client.get("/")["Location"] == "/incidents/"


def test_who_is_not_signed_in_is_asked_to_and_then_brought_where_they_were_going(client: Client, alice: User) -> None:
    asked = client.get("/incidents/?tab=all")
    assert asked["Location"] == "/sign-in/?next=/incidents/%3Ftab%3Dall"

    response = client.post(asked["Location"], {"username": alice.email, "password": PASSWORD})

    assert response["Location"] == "/incidents/?tab=all"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "\thttp://e.com"],
)
def test_nobody_is_sent_elsewhere_after_signing_in(client: Client, alice: User, elsewhere: str) -> None:
    response = client.post("/sign-in/", {"username": alice.email, "password": PASSWORD, "next": elsewhere})

    assert response["Location"] == "/"


def test_a_wrong_password_an_unknown_email_and_an_inactive_account_get_the_same_answer(
    client: Client, alice: User, admin: User, bob: User
) -> None:
    directory.change_user(bob, {"is_active": False}, by=person(admin), now=NOW)

    answers = [
        client.post("/sign-in/", {"username": email, "password": password})
        for email, password in [
            (alice.email, "wrong password"),
            ("nobody@example.com", PASSWORD),
            (bob.email, PASSWORD),
        ]
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422]
    for answer in answers:
        assert "do not belong together" in answer.content.decode()


@pytest.mark.usefixtures("_three_guesses")
def test_guessing_is_stopped_with_the_time_to_wait(client: Client, alice: User) -> None:
    codes = [sign_in(client, alice.email, "wrong password") for _ in range(4)]

    assert codes == [422, 422, 422, 429]
    response = client.post("/sign-in/", {"username": alice.email, "password": PASSWORD})
    assert response.status_code == 429
    assert 3500 < int(response["Retry-After"]) <= 3600
    assert "Too many attempts" in response.content.decode()


@pytest.mark.usefixtures("_three_guesses")
def test_an_account_is_guarded_from_many_addresses_and_an_address_from_many_accounts(db: None, alice: User) -> None:
    from_everywhere = [sign_in(Client(REMOTE_ADDR=f"10.0.0.{n}"), alice.email, "wrong password") for n in range(4)]
    to_everyone = [sign_in(Client(REMOTE_ADDR="10.9.9.9"), f"guess{n}@example.com", "wrong") for n in range(4)]

    assert from_everywhere == [422, 422, 422, 429]
    assert to_everyone == [422, 422, 422, 429]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed, to check them or to take as long."""
    seen: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        seen.append(password)
        return encode(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    return seen


def test_of_any_number_of_guesses_twenty_an_hour_are_looked_at(alice: User, hashed: list[str]) -> None:
    hashed.clear()

    codes = [sign_in(Client(REMOTE_ADDR=f"10.0.0.{n % 50}"), alice.email, f"guess {n}") for n in range(300)]

    assert codes.count(422) == 20
    assert codes.count(429) == 280
    assert len(hashed) == 20
    hashed.clear()
    assert (
        sum(sign_in(Client(REMOTE_ADDR="10.9.9.9"), f"guess{n}@example.com", "wrong") == 422 for n in range(100)) == 20
    )
    assert len(hashed) == 20


def test_an_unknown_address_takes_as_long_as_a_wrong_password(
    alice: User, bob: User, admin: User, hashed: list[str]
) -> None:
    directory.change_user(bob, {"is_active": False}, by=person(admin), now=NOW)
    nora = directory.add_user("nora@example.com", "Nora", by=SYSTEM, now=NOW)
    work = []
    for email in (alice.email, "nobody@example.com", bob.email, nora.email):
        hashed.clear()
        with CaptureQueriesContext(connection) as queries:
            sign_in(Client(), email, "a wrong password")
        work.append((len(hashed), len(queries)))

    assert len({hashes for hashes, _ in work}) == 1, work
    assert len({queries for _, queries in work}) == 1, work


@pytest.mark.usefixtures("_three_guesses")
def test_who_knows_the_password_is_not_counted(alice: User) -> None:
    assert [sign_in(Client(), alice.email) for _ in range(8)] == [302] * 8


def test_no_hour_lets_more_attempts_pass_than_its_limit(db: None) -> None:
    def attempt(minutes: float) -> bool:
        return throttling.attempt("key", limit=3, seconds=3600, now=NOW + timedelta(minutes=minutes))

    passed = [minutes for minutes in (0, 58, 59, 59.5, 60, 60.5, 61, 62, 117, 118, 119) if attempt(minutes)]

    assert passed == [0, 58, 59, 60, 118, 119]
    assert all(sum(start <= one < start + 60 for one in passed) <= 3 for start in passed)


def test_one_is_told_when_to_try_again(db: None) -> None:
    for minutes in (0, 30):
        throttling.attempt("key", limit=2, seconds=3600, now=NOW + timedelta(minutes=minutes))

    waits = [
        throttling.wait("key", limit=2, seconds=3600, now=NOW + timedelta(minutes=minutes)) for minutes in (31, 59, 60)
    ]

    assert waits == [29 * 60, 60, 0]


def test_what_counts_no_more_is_forgotten(db: None) -> None:
    throttling.attempt("old", limit=2, seconds=60, now=NOW)
    throttling.attempt("new", limit=2, seconds=3600, now=NOW)

    assert throttling.forget_over(now=NOW + timedelta(minutes=2)) == 1
    assert Throttle.objects.get().key == "new"


@pytest.mark.parametrize(
    ("tried_on", "led_to"),
    [("http://testserver/incidents/7/", "http://testserver/incidents/7/"), ("https://evil.example/", "/")],
)
def test_who_is_no_longer_signed_in_is_told_so_and_led_back_to_what_they_did(
    client: Client, db: None, tried_on: str, led_to: str
) -> None:
    response = client.post("/incidents/7/note/", {"text": "…"}, headers={"Referer": tried_on}, follow=True)

    page = response.content.decode()
    assert "nothing was changed" in page
    assert f'name="next" value="{led_to}"' in page


def test_signing_out_is_a_press_and_not_a_link(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/sign-out/").status_code in (403, 405)

    assert client.post("/sign-out/")["Location"] == "/sign-in/"

    assert client.get("/account/").status_code == 302


def test_a_form_without_its_csrf_token_is_refused(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)

    assert sign_in(client, alice.email) == 403


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "10.0.0.7", "127.0.0.1"),  # anybody can say so
        (1, "10.0.0.6, 10.0.0.7", "10.0.0.7"),
        (2, "10.0.0.6, 10.0.0.7", "10.0.0.6"),
        (2, "10.0.0.7", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_behind_proxies_guesses_are_counted_by_who_came_to_them(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch, proxies: int, forwarded: str, address: str
) -> None:
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"proxies": proxies}))

    assert address_of(rf.post("/sign-in/", headers={"X-Forwarded-For": forwarded})) == address


def test_who_was_given_a_password_is_asked_to_choose_one_and_forced_to_nothing(client: Client, admin: User) -> None:
    words = "Your password was made for you"
    client.force_login(admin)
    assert words not in client.get("/account/").content.decode()
    passwords.was_given(admin)
    assert words in client.get("/account/").content.decode()
    assert words in client.get("/first-steps/").content.decode()

    assert client.post("/account/password/keep/")["Location"] == "/account/password/"

    assert words not in client.get("/account/").content.decode()


def test_a_password_of_ones_own_is_asked_for_no_more(client: Client, admin: User, bob: User) -> None:
    passwords.was_given(bob)

    passwords.change(bob, "four purple horses jump", by=make.person(admin), now=NOW)
    bob.refresh_from_db()
    assert bob.has_given_password

    passwords.change(bob, "seven yellow geese swim", by=make.person(bob), now=NOW)
    bob.refresh_from_db()
    assert not bob.has_given_password
