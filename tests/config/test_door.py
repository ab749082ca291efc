"""The short way in for webhooks: it answers as Django would, after the commit, and leaves to Django what it cannot."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any, NamedTuple

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError

from alerts import group_commit, ingest
from alerts.group_commit import GroupCommit
from alerts.models import Alert, Delivery
from common import metrics
from config import door
from config.bridge import Bridge
from tests import make
from tests.held import PATIENCE, Held
from tests.serving import served

pytestmark = pytest.mark.django_db(transaction=True)


class Told(NamedTuple):
    status: int
    headers: dict[str, str]
    document: dict[str, Any]


class Sender:
    """Posts to one server with the token of an integration."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.integration, self.token = make.integration()

    def post(
        self, body: bytes = b"", *, token: str = "", path: str = "/webhooks/alertmanager/", method: str = "POST"
    ) -> Told:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {token or self.token}", "X-Request-ID": "mine"}
        connection.request(method, path, body or make.alertmanager_body(), headers)
        answer = connection.getresponse()
        told = Told(answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.load(answer))
        connection.close()
        return told

    def is_known(self) -> Sender:
        """After a first delivery."""
        assert self.post(make.alertmanager_body(make.alert("First"), group="first")).status == 200
        return self


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    commits = GroupCommit(most_waiting=3)
    monkeypatch.setattr(group_commit, "_shared", commits)
    with served(Bridge(get_wsgi_application(), short_way=door.take)) as port:
        yield Sender(port)
    commits.end()


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many went on to Django since it was asked for last."""
    seen: list[None] = []
    through = group_commit.receive

    def receive(*args: Any, **fields: Any) -> ingest.Receipt:
        seen.append(None)
        return through(*args, **fields)

    monkeypatch.setattr(group_commit, "receive", receive)

    def count() -> int:
        number = len(seen)
        seen.clear()
        return number

    return count


def test_it_says_what_django_says(sender: Sender, long_way: Callable[[], int]) -> None:
    first = sender.post(make.alertmanager_body(make.alert("A"), group="a"))
    assert long_way() == 1, "nobody knew the token yet"

    second = sender.post(make.alertmanager_body(make.alert("B"), group="b"))

    assert long_way() == 0
    assert first.status == second.status == 200
    ours = {"date", "content-length", "vary"}
    assert {n: v for n, v in first.headers.items() if n not in ours} == {
        n: v for n, v in second.headers.items() if n not in ours
    }
    assert second.headers["x-request-id"] == "mine"
    assert first.document.keys() == second.document.keys()
    assert second.document["alerts"]["opened"] == 1
    assert Delivery.objects.filter(pk=second.document["delivery"]).exists()


def test_what_it_answers_is_counted_and_logged(
    sender: Sender, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[metrics.Delivery] = []
    sender.is_known()
    monkeypatch.setattr(metrics, "ingested", lambda delivery, seconds: counted.append(delivery))
    caplog.clear()

    sender.post(make.alertmanager_body(make.alert("A"), make.alert("B")))

    assert counted == [metrics.Delivery(sender.integration.slug, 2, 200)]
    [line] = [record for record in caplog.records if record.name == "burnline.requests"]
    assert line.getMessage() == "POST /webhooks/alertmanager/ 200"
    assert line.__dict__["client.ip"] == "127.0.0.1"


def test_the_answer_comes_after_the_commit(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sender.is_known()
    held = Held(monkeypatch)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(sender.post, make.alertmanager_body(make.alert("Late")))
        assert held.has_arrived.wait(PATIENCE)
        time.sleep(0.3)
        assert not asked.done()
        held.opened.set()
        assert asked.result(PATIENCE).status == 200

    assert Alert.objects.filter(name="Late").exists()


def test_what_is_not_well_goes_to_django(sender: Sender, long_way: Callable[[], int]) -> None:
    sender.is_known()
    long_way()
    many = [make.alert(f"A{n}") for n in range(ingest.AT_ONCE + 1)]

    assert sender.post(token="bli_" + "x" * 43).status == 401
    assert sender.post(method="PUT").status == 405
    assert sender.post(path="/webhooks/elsewhere/").status == 404
    assert long_way() == 0
    assert sender.post(b'{"version": "3"}').status == 400
    assert long_way() == 1
    assert sender.post(make.alertmanager_body(*many)).status == 202
    assert long_way() == 1
    assert Delivery.objects.filter(outcome="refused").count() == 1


def test_what_fails_is_tried_by_itself_and_answered_by_django(
    sender: Sender, long_way: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.is_known()
    long_way()

    def gone(*args: Any, **fields: Any) -> list[ingest.Receipt]:
        raise OperationalError("the database is gone")

    monkeypatch.setattr(ingest, "receive_all", gone)

    told = sender.post()

    assert (told.status, told.headers["retry-after"], long_way()) == (503, "5", 1)


def test_of_one_integration_only_so_many_wait(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sender.is_known()
    held = Held(monkeypatch)
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(sender.post)]
        assert held.has_arrived.wait(PATIENCE)
        bodies = [make.alertmanager_body(make.alert(f"A{n}"), group=f"{n}") for n in range(11)]
        asked += [pool.submit(sender.post, body) for body in bodies]
        end = time.monotonic() + PATIENCE
        while sum(each.done() for each in asked) < 8 and time.monotonic() < end:
            time.sleep(0.05)
        refused = [each.result() for each in asked if each.done()]
        held.opened.set()
        told = [each.result(PATIENCE) for each in asked]

    assert len(refused) == 8, "one was begun, three wait"
    assert {(each.status, "retry-after" in each.headers) for each in refused} == {(503, True)}
    assert sorted(each.status for each in told) == [200] * 4 + [503] * 8
    assert Delivery.objects.count() == 1 + 4
