"""A storm of alerts, in one notification, in many, or each alone: all of them are kept within a minute, in as many
incidents as there are groups, the page of the largest of these opens all the while, and who responds gets a handful of
messages, the first of them soon."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from alerts.models import Alert, FanOut
from incidents import timeline
from incidents.models import Announcement, Incident
from notifications import methods
from notifications.models import Message
from people.models import Team, User
from tests import evidence, make, providers
from tests.faults.machines import Plant, Web
from tests.providers import HttpProvider
from tests.streams import of_page, of_program

ALERTS = 10_000 if evidence.is_wanted() else 2_000
GROUPS = 20
CONNECTIONS = 32
STORED = 60.0  # seconds from the first notification to the last alert
PAGE_DURING, PAGE_AFTER = 2.0, 1.0  # seconds
FIRST_MESSAGE = 10.0  # seconds from the first alert
MESSAGES = 5  # to one person, at most
TRIES = 20  # of each notification, as Alertmanager does it: again after an answer of 5xx

# How many alerts a notification has; None is all of them, which are of one group then.
SHAPES: Mapping[str, int | None] = {"all in one": None, "ten in each": 10, "each alone": 1}

pytestmark = [pytest.mark.proof, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


class Reader(threading.Thread):
    """Looks at the incident with the most alerts, over and over, by its page and by the API."""

    def __init__(self, web: Web, number: int, reader: User) -> None:
        super().__init__(daemon=True)
        self.took: list[float] = []
        self.statuses: set[int] = set()
        self._port = web.port
        self._asked = [(f"/incidents/{number}/", of_page(reader)), (f"/api/v1/incidents/{number}/", of_program(reader))]
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(0.2):
            self.look()

    def look(self) -> None:
        for path, headers in self._asked:
            began = time.monotonic()
            self.statuses.add(ask(self._port, "GET", path, headers)[0])
            self.took.append(time.monotonic() - began)

    def stop(self) -> None:
        self._is_over.set()
        self.join(60)


@pytest.fixture
def pager(alice: User, settings: Any) -> Iterator[HttpProvider]:
    """What brings messages to Alice."""
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    with providers.http() as its:
        methods.add(alice, "webhook", its.url("/in"), now=timezone.now())
        yield its


@pytest.mark.parametrize("shape", SHAPES)
def test_a_storm_is_kept_and_can_be_looked_at(
    machines: Plant, admin: User, payments: Team, pager: HttpProvider, shape: str
) -> None:
    _, token = make.integration(team=payments)
    each = SHAPES[shape]
    groups = 1 if each is None else GROUPS
    bodies = [make.alertmanager_body(*alerts, group=f"group {n % groups}") for n, alerts in enumerate(told(each))]
    with evidence.of("storm", shape=shape) as row:
        web = machines.web()
        machines.engine()
        # What the storm goes on with: of each group an alert fires already.
        first = time.time()
        for n in range(groups):
            post(web.port, token, make.alertmanager_body(make.alert(f"First{n}"), group=f"group {n}"))
        reader = Reader(web, Incident.objects.order_by("pk").values_list("number", flat=True)[0], admin)
        reader.look()
        reader.took.clear()
        reader.start()

        began = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            answers = list(pool.map(lambda body: post(web.port, token, body), bodies))
        answered = time.monotonic() - began
        while (stored := Alert.objects.count()) < ALERTS + groups and time.monotonic() - began < 3 * STORED:
            time.sleep(0.1)
        seconds = time.monotonic() - began
        reader.stop()
        during = list(reader.took)
        reader.took.clear()
        for _ in range(5):
            reader.look()
        wait_until_all_is_told()

        tries = [tried for _, tried, _ in answers]
        row |= {
            "alerts": ALERTS,
            "notifications": len(bodies),
            "connections": CONNECTIONS,
            "lost": ALERTS + groups - stored,
            "groups": groups,
            "incidents": Incident.objects.count(),
            "told_to_come_again": sum(tries) - len(tries),
            "answered_within_ms": round(1000 * answered),
            "stored_within_ms": round(1000 * seconds),
            "slowest_answer_ms": round(1000 * max(took for _, _, took in answers)),
            "looks": len(during),
            "page_during_max_ms": round(1000 * max(during)),
            "page_after_max_ms": round(1000 * max(reader.took)),
            "messages": len(pager.requests),
            "first_message_ms": round(1000 * (min(request.at for request in pager.requests) - first)),
        }

    assert {status for status, _, _ in answers} == {202 if each is None else 200}
    assert row["lost"] == 0
    assert row["incidents"] == groups
    assert Alert.objects.filter(status="firing", incident__isnull=False).count() == ALERTS + groups
    assert not FanOut.objects.exclude(state="done").exists()
    assert seconds <= evidence.allowed(STORED)
    assert reader.statuses == {200}
    assert row["looks"] >= 2, "neither was looked at while it lasted"
    assert row["page_during_max_ms"] <= 1000 * evidence.allowed(PAGE_DURING)
    assert row["page_after_max_ms"] <= 1000 * evidence.allowed(PAGE_AFTER)
    assert row["messages"] <= MESSAGES
    assert row["first_message_ms"] <= 1000 * evidence.allowed(FIRST_MESSAGE)
    assert Announcement.objects.exclude(message=None).values("incident").distinct().count() == groups
    assert [timeline.verify(incident) for incident in Incident.objects.all()] == [None] * groups


def wait_until_all_is_told() -> None:
    """Of what came after the first message the second one tells, some seconds later."""
    end = time.monotonic() + 60
    while Incident.objects.filter(is_news=True).exists() or not has_arrived(Message.objects.filter(kind="opened")):
        assert time.monotonic() < end, "somebody was not told"
        time.sleep(0.1)


def has_arrived(messages: QuerySet[Message]) -> bool:
    """All of them, with nothing that waits to become one."""
    waits = Announcement.objects.filter(message=None).exists() or messages.filter(state="waiting").exists()
    return not waits and messages.exists()


def told(each: int | None) -> list[list[dict[str, Any]]]:
    """All alerts, as many to a notification."""
    alerts = [make.alert("Storm", labels={"instance": f"pod-{n}.example:8080"}) for n in range(ALERTS)]
    size = each or ALERTS
    return [alerts[first : first + size] for first in range(0, ALERTS, size)]


def post(port: int, token: str, body: bytes) -> tuple[int, int, float]:
    """The last answer, how often it was asked for, and the seconds that the slowest of them took."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    slowest = 0.0
    for tried in range(1, TRIES + 1):  # noqa: B007 (it is what we give)
        began = time.monotonic()
        status, _ = ask(port, "POST", "/webhooks/alertmanager/", headers, body)
        slowest = max(slowest, time.monotonic() - began)
        if status < 500:
            break
        time.sleep(0.5)
    return status, tried, slowest


def ask(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> tuple[int, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request(method, path, body, dict(headers))
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()
