"""Whether what happens later does happen, told to everybody on every page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common import engine, pulse
from incidents.models import Incident
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in

STALE = "Messages and reminders are not going out"


@pytest.fixture(autouse=True)
def _looked_at_by_nobody() -> None:
    pulse.forget()


def words(html: str) -> str:
    """What of a page people read, on one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def stopped(**ago: float) -> None:
    engine.beat(now=timezone.now() - timedelta(**ago))


def test_while_the_engine_ticks_no_page_speaks_of_it(alice: User) -> None:
    stopped(seconds=3)

    assert STALE not in page(alice, "/incidents/")
    assert 'class="message error pulse"' not in page(alice, "/incidents/")


@pytest.mark.parametrize(
    "path", ["/incidents/", "/incidents/new/", "/slos/", "/services/", "/account/", "/postmortems/"]
)
def test_every_page_says_when_the_engine_stopped(alice: User, path: str) -> None:
    stopped(minutes=12)

    html = page(alice, path)

    assert 'role="alert"' in html
    assert re.search(STALE + r". The engine ran last: \d\d:\d\d \.", words(html))
    assert "reach people yourself" in words(html)
    assert "a delivery of more than 500 waits" in words(html)
    assert "Please tell whoever runs Burnline." in words(html)


def test_an_incidents_page_and_a_refusal_say_it_too(alice: User, payments: Team) -> None:
    incident: Incident = make.incident(payments, by=alice)

    assert STALE in page(alice, incident.get_absolute_url())
    assert STALE in signed_in(alice).get("/nowhere/").content.decode()


def test_an_engine_that_stopped_days_ago_is_named_with_its_day(alice: User) -> None:
    at = timezone.now() - timedelta(days=3)
    engine.beat(now=at)

    assert f"ran last: {at.day} {at:%b %Y}, {at:%H:%M}" in words(page(alice, "/incidents/"))


def test_an_engine_that_never_ran_is_said_so_and_admins_hear_what_to_do(admin: User) -> None:
    text = words(page(admin, "/incidents/"))

    assert "The engine has never run." in text
    assert "manage.py engine is up" in text


@pytest.mark.django_db
def test_who_is_not_signed_in_is_told_nothing(client: Client) -> None:
    for path in ("/sign-in/", "/nowhere/"):
        assert STALE not in client.get(path).content.decode()


def test_pages_pay_one_statement_in_five_seconds(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr("common.pulse.time.monotonic", lambda: moment)
    client = signed_in(alice)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/incidents/").status_code == 200
        return sum("common_heartbeat" in query["sql"] for query in queries)

    costs = [cost(), cost(), cost()]
    moment += pulse.KEPT + 0.1

    assert [*costs, cost(), cost()] == [1, 0, 0, 1, 0]


def test_a_part_of_a_page_and_the_api_pay_nothing(alice: User, payments: Team, api: Any) -> None:
    make.incident(payments, by=alice)
    program = api(alice)

    with CaptureQueriesContext(connection) as queries:
        program.get("/api/v1/incidents/")

    assert not [query for query in queries if "common_heartbeat" in query["sql"]]


def test_admins_hear_of_work_that_was_given_up(admin: User, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = pulse.Pulse(timezone.now(), has_quarantined=True)
    monkeypatch.setattr(pulse, "_take", lambda: stuck)

    assert "Some work was tried several times and given up." in words(page(admin, "/incidents/"))
    assert "given up" not in page(alice, "/incidents/")


def test_what_was_given_up_is_seen_with_the_heartbeat(db: None) -> None:
    stopped(seconds=1)

    with CaptureQueriesContext(connection) as queries:
        seen = pulse.look()

    assert not seen.has_quarantined
    assert len(queries) == 1


def test_a_page_does_not_fail_for_want_of_the_banner(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(pulse, "_take", fails)

    assert STALE not in page(alice, "/incidents/")
