"""The bell: heard after a commit, not after a rollback, and nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import transaction

from common import wake
from tests import clusters


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    if not settings.ENV.redis_url:
        pytest.skip("the suite with PostgreSQL and Redis has one")
    rung = threading.Event()
    bell = wake.Bell(wake.WORK, rung.set)
    end = time.monotonic() + 5
    while not rung.is_set() and time.monotonic() < end:  # it listens once the first ring comes through
        wake._ringer.ring(wake.WORK)
        rung.wait(0.1)
    assert rung.is_set()
    time.sleep(0.3)
    rung.clear()
    yield rung
    bell.close()


@pytest.mark.django_db(transaction=True)
def test_a_commit_is_heard_within_a_moment(heard: threading.Event) -> None:
    with transaction.atomic():
        wake.after_commit(wake.WORK)
        assert not heard.wait(0.3)

    assert heard.wait(2)


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_is_not_heard(heard: threading.Event) -> None:
    class Undone(Exception):
        pass

    def undone() -> None:
        with transaction.atomic():
            wake.after_commit(wake.WORK)
            raise Undone

    with pytest.raises(Undone):
        undone()

    assert not heard.wait(0.5)


@pytest.mark.django_db(transaction=True)
def test_another_bell_is_not_heard(heard: threading.Event) -> None:
    with transaction.atomic():
        wake.after_commit(wake.ENTRIES)

    assert not heard.wait(0.5)


@pytest.mark.django_db(transaction=True)
def test_who_commits_does_not_wait_for_a_redis_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = f"redis://127.0.0.1:{clusters.free_port()}/0"
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"redis_url": nowhere}))
    monkeypatch.setattr(wake, "_ringer", wake._Ringer())
    wake._client()  # imported before, so that the ringer reads at once where the Redis is

    began = time.monotonic()
    for _ in range(100):
        with transaction.atomic():
            wake.after_commit(wake.WORK)

    assert time.monotonic() - began < 1
