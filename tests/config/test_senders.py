"""A sender whose large bodies wait leaves room for others, whether it is known or not."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError, connection

from alerts import integrations
from config import door, senders
from config.bodies import MIB
from config.bridge import Bridge
from tests import make
from tests.held import PATIENCE
from tests.serving import served

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = 4 * MIB
CEILING = 32 * MIB


class Crowd:
    """A server whose thread waits with every delivery of `noisy` tokens until it is opened."""

    def __init__(self) -> None:
        self.django = get_wsgi_application()
        self.opened = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.noisy: set[str] = set()
        self.bridge = Bridge(self.answer, ceiling=CEILING, short_way=door.take, senders=senders)
        self.pool = ThreadPoolExecutor(16)
        self.port = 0

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ") in self.noisy:
            self.waiting.release()
            assert self.opened.wait(PATIENCE)
        try:
            return self.django(environ, start_response)
        finally:
            connection.close()  # threads outlive the test, and its database must be free

    def post(self, token: str, size: int) -> tuple[int, str | None]:
        """A good notification of so many bytes: the status, and when to come again."""
        body = make.alertmanager_body(make.alert(annotations={"summary": "."}))
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        line.request("POST", "/webhooks/alertmanager/", body.ljust(size), headers)
        answer = line.getresponse()
        answer.read()
        line.close()
        return answer.status, answer.getheader("Retry-After")

    def fill(self, tokens: Iterable[str]) -> list[tuple[int, str | None]]:
        """Post a large body with each, all of which wait; what those hear that are refused."""
        refused = []
        for token in tokens:
            self.noisy.add(token)
            asked: Future[tuple[int, str | None]] = self.pool.submit(self.post, token, LARGE)
            while not asked.done() and not self.waiting.acquire(timeout=0.01):
                pass
            if asked.done():
                refused.append(asked.result())
        return refused


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    with served(crowd.bridge) as crowd.port:
        try:
            yield crowd
        finally:
            crowd.opened.set()
            crowd.pool.shutdown()


def test_one_that_fills_its_share_with_large_bodies_is_told_to_come_again_and_leaves_room(crowd: Crowd) -> None:
    _, noisy = make.integration("Noisy")
    _, quiet = make.integration("Quiet")
    assert crowd.post(noisy, 0) == crowd.post(quiet, 0) == (200, None)

    refused = crowd.fill([noisy] * 8)

    assert crowd.post(quiet, 3 * MIB) == (200, None)
    assert refused == [(503, "2")] * 4
    assert crowd.bridge.bytes_held == CEILING // 2
    crowd.opened.set()


def test_an_integration_that_is_not_remembered_has_room_beside_a_noisy_one(crowd: Crowd) -> None:
    _, noisy = make.integration("Noisy")
    _, quiet = make.integration("Quiet")

    refused = crowd.fill([noisy] * 8)
    integrations.forget()

    assert crowd.post(quiet, 3 * MIB) == (200, None)
    assert refused
    assert set(refused) == {(503, "2")}


def test_who_invents_tokens_has_one_share(crowd: Crowd) -> None:
    _, quiet = make.integration("Quiet")

    refused = crowd.fill(f"bli_{n:043}" for n in range(8))

    assert refused == [(503, "2")] * 4
    assert crowd.bridge.bytes_held == CEILING // 2
    assert crowd.post(quiet, 0) == (200, None)
    assert crowd.post(quiet, 3 * MIB) == (200, None)
    assert crowd.post("", 3 * MIB) == (503, "2")


def test_where_the_database_does_not_say_who_it_is_a_stranger_is_asked_to_come_later(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, quiet = make.integration("Quiet")
    crowd.fill(f"bli_{n:043}" for n in range(4))

    def gone(header: str) -> None:
        raise OperationalError("the database is gone")

    monkeypatch.setattr(integrations, "by_authorization", gone)

    assert crowd.post(quiet, LARGE) == (503, "2")


def test_where_the_database_takes_long_to_say_who_it_is_a_stranger_is_asked_to_come_later(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, quiet = make.integration("Quiet")
    crowd.fill(f"bli_{n:043}" for n in range(4))
    answers = threading.Event()

    monkeypatch.setattr(senders, "PATIENCE", 0.1)
    monkeypatch.setattr(integrations, "by_authorization", lambda header: answers.wait(PATIENCE) or None)

    assert crowd.post(quiet, LARGE) == (503, "2")
    answers.set()
