"""In which browsers somebody is signed in: seen, used, and ended."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db.models import F
from django.test import Client
from django.utils import timezone

from people import directory, sessions
from people.actors import person
from people.models import Session, User
from tests.make import NOW, PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/18.0 Safari/604"
)


def browser(user: User, agent: str = FIREFOX, address: str = "10.1.2.3") -> Client:
    """One in which this person has signed in at the door."""
    client = Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)
    assert client.post("/sign-in/", {"username": user.email, "password": PASSWORD}).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def moved(user: User, by: timedelta) -> None:
    """As if all that is written of their sessions had been written so much earlier."""
    for session in user.sessions.all():
        data = session.get_decoded()
        data["_origin"]["at"] -= by.total_seconds()
        Session.objects.filter(pk=session.pk).update(
            session_data=sessions.SessionStore().encode(data),
            signed_in_at=F("signed_in_at") - by,
            last_used_at=F("last_used_at") - by,
            expire_date=F("expire_date") - by,
        )


def test_one_sees_where_one_is_signed_in_this_browser_first(alice: User, bob: User) -> None:
    phone = browser(alice, PHONE, "10.9.9.9")
    desk = browser(alice)
    browser(bob, address="10.7.7.7")

    page = desk.get("/account/sessions/").content.decode()

    assert page.index("Firefox, Linux") < page.index("Safari, iPhone")
    assert "10.9.9.9" in page
    assert "10.7.7.7" not in page
    assert page.count("this one") == 1
    for client in (desk, phone):
        assert (client.session.session_key or "-") not in page


def test_another_session_is_ended_at_once_and_this_one_stays(alice: User) -> None:
    phone, desk = browser(alice, PHONE), browser(alice)
    mark = alice.sessions.get(agent=PHONE).mark

    desk.post("/account/sessions/end/", {"session": mark})

    assert (is_in(phone), is_in(desk)) == (False, True)


def test_nobody_ends_the_sessions_of_others(alice: User, bob: User) -> None:
    hers, his = browser(alice), browser(bob)

    his.post("/account/sessions/end/", {"session": alice.sessions.get().mark})
    his.post("/account/sessions/end-others/")

    assert is_in(hers)


def test_all_others_are_ended(alice: User) -> None:
    others, this = [browser(alice), browser(alice, PHONE)], browser(alice)

    this.post("/account/sessions/end-others/")

    assert [is_in(each) for each in others] == [False, False]
    assert is_in(this)


def test_signing_in_gives_the_session_a_new_id(alice: User) -> None:
    client = Client()
    client.get("/sign-in/passkey/", headers={"Accept": "application/json"})  # its challenge is kept in a session
    before = client.session.session_key

    client.post("/sign-in/", {"username": alice.email, "password": PASSWORD})

    assert before
    assert client.session.session_key != before
    assert not Session.objects.filter(pk=before).exists()


def test_signing_out_ends_the_session_on_the_server(alice: User) -> None:
    client = browser(alice)
    key = client.cookies[settings.SESSION_COOKIE_NAME].value

    client.post("/sign-out/")

    client.cookies[settings.SESSION_COOKIE_NAME] = key
    assert not is_in(client)
    assert not alice.sessions.exists()


def test_who_is_deactivated_is_signed_out_everywhere(alice: User, admin: User) -> None:
    client = browser(alice)

    directory.change_user(alice, {"is_active": False}, by=person(admin), now=NOW)

    assert not is_in(client)
    assert not alice.sessions.exists()


@pytest.mark.parametrize(("idle", "lives"), [(timedelta(hours=11), True), (timedelta(hours=13), False)])
def test_a_session_ends_after_twelve_hours_without_use(alice: User, idle: timedelta, lives: bool) -> None:
    client = browser(alice)
    moved(alice, idle)

    assert is_in(client) is lives


def test_use_keeps_a_session_but_not_beyond_seven_days(alice: User) -> None:
    client = browser(alice)
    for _ in range(16):  # times ten hours: nearly seven days
        moved(alice, timedelta(hours=10))
        assert is_in(client)
    moved(alice, timedelta(hours=9))

    assert not is_in(client)


def test_what_an_open_page_asks_for_by_itself_is_no_use(alice: User) -> None:
    client = browser(alice)
    moved(alice, timedelta(hours=1))
    before = alice.sessions.get().last_used_at

    client.get("/live/version/")
    assert alice.sessions.get().last_used_at == before

    client.get("/account/")
    after = alice.sessions.get().last_used_at
    assert after is not None
    assert timezone.now() - after < timedelta(minutes=1)


def test_the_last_use_is_written_down_every_few_minutes_only(alice: User) -> None:
    client = browser(alice)
    before: datetime | None = alice.sessions.get().last_used_at

    client.get("/account/")

    assert alice.sessions.get().last_used_at == before


def test_what_is_over_is_forgotten(alice: User) -> None:
    browser(alice)

    assert sessions.forget_ended(now=timezone.now()) == 0
    assert sessions.forget_ended(now=timezone.now() + timedelta(hours=13)) == 1


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox, Linux"),
        (PHONE, "Safari, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140.0 Safari/537 Edg/140.0", "Edge, Windows"),
        ("curl/8.1", "curl"),
        ("", ""),
    ],
)
def test_a_browser_is_told_by_what_it_says_of_itself(agent: str, words: str) -> None:
    assert str(sessions.device_of(agent)) == words
