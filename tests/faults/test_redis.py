"""Redis holds nothing that matters: whatever becomes of it, or of the workers behind it, nothing is lost or late."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests import evidence, providers
from tests.faults.errands.models import Errand
from tests.faults.machines import Machine, Plant, Redis

LATEST = 10.0  # seconds
EVERY = 0.05  # seconds between two errands
PATIENCE = 60.0  # seconds

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="no redis-server here"),
    pytest.mark.skipif(
        connection.vendor == "sqlite" and not evidence.is_wanted(), reason="on SQLite only as part of the proof"
    ),
]


class Stream:
    """Errands that become due one after the other; each fourth is written in a transaction that rolls back."""

    def __init__(self, url: str) -> None:
        self.due: dict[str, float] = {}
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._stop.wait(EVERY):
            number += 1
            key, is_rolled_back = f"errand-{number}", number % 4 == 0
            now = timezone.now()
            with transaction.atomic():
                Errand.objects.create(key=key, url=self._url, lane=f"lane {number % 4}", due_at=now)
                transaction.set_rollback(is_rolled_back)
            if not is_rolled_back:
                self.due[key] = now.timestamp()
        connection.close()


@contextmanager
def redis_hangs(redis: Redis, worker: Machine) -> Iterator[None]:
    redis.signal(signal.SIGSTOP)
    yield
    redis.signal(signal.SIGCONT)


@contextmanager
def redis_is_away(redis: Redis, worker: Machine) -> Iterator[None]:
    redis.kill()
    yield
    redis.start()


@contextmanager
def redis_restarts(redis: Redis, worker: Machine) -> Iterator[None]:
    redis.terminate()
    redis.start()
    yield


@contextmanager
def redis_forgets_what_waits_for_a_worker(redis: Redis, worker: Machine) -> Iterator[None]:
    worker.signal(signal.SIGSTOP)
    wait_until(lambda: redis.length() > 0, "nothing waits for a worker")
    redis.flush()
    yield
    worker.signal(signal.SIGCONT)


@contextmanager
def workers_are_away(redis: Redis, worker: Machine) -> Iterator[None]:
    worker.terminate()
    yield
    worker.start()


FAULTS: list[Callable[[Redis, Machine], object]] = [
    redis_hangs,
    redis_is_away,
    redis_restarts,
    redis_forgets_what_waits_for_a_worker,
    workers_are_away,
]
if not evidence.is_wanted():
    FAULTS = [redis_hangs, redis_forgets_what_waits_for_a_worker]


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_or_late_and_workers_come_back(
    errands: type[Errand], machines: Plant, fault: Callable[[Redis, Machine], object]
) -> None:
    redis, engine, worker = machines.redis(), machines.engine(), machines.worker()

    def trusted() -> int:
        return engine.said.count("workers carry out")

    name = fault.__name__
    with providers.http() as provider, evidence.of("redis", fault=name, redis=True) as row:
        with Stream(provider.url("/errands")) as stream:
            wait_until(lambda: trusted() > 0, engine.said)
            before = trusted()
            with fault(redis, worker):  # type: ignore[attr-defined]
                time.sleep(7)
            time.sleep(2)
            wait_until(lambda: trusted() > before or name == "redis_restarts", engine.said)
        wait_until(lambda: not errands.objects.filter(state="waiting").exists(), engine.said)
        row |= figures(stream.due, provider)

    assert row["arrived"] == row["deliveries"]
    assert row["rolled_back_arrived"] == 0
    assert row["copies"] == 0
    assert row["max_ms"] <= evidence.allowed(LATEST) * 1000


def test_without_any_worker_nothing_is_late(errands: type[Errand], machines: Plant) -> None:
    machines.redis()
    machines.engine()
    with providers.http() as provider, evidence.of("redis", fault="no_worker_ever", redis=True) as row:
        now = timezone.now()
        errands.objects.bulk_create(
            errands(key=f"heap-{n}", url=provider.url("/errands"), lane=f"lane {n % 40}", due_at=now)
            for n in range(300)
        )
        with Stream(provider.url("/errands")) as stream:
            time.sleep(12)
        wait_until(lambda: not errands.objects.filter(state="waiting").exists(), "some wait for ever")
        row |= figures({**stream.due, **{f"heap-{n}": now.timestamp() for n in range(300)}}, provider)

    assert row["arrived"] == row["deliveries"]
    assert row["rolled_back_arrived"] == 0
    assert row["copies"] == 0
    assert row["max_ms"] <= evidence.allowed(LATEST) * 1000


def figures(due: dict[str, float], provider: providers.HttpProvider) -> dict[str, int]:
    copies = Counter(request.key for request in provider.requests)
    first: dict[str, float] = {}
    for request in provider.requests:
        first.setdefault(request.key, request.at)
    late = [max(0.0, first[key] - at) for key, at in due.items() if key in first]
    return {
        "deliveries": len(due),
        "arrived": len(late),
        "rolled_back_arrived": len(set(copies) - set(due)),
        "copies": copies.total() - len(copies),
        "p50_ms": round(evidence.percentile(late, 0.5) * 1000),
        "p99_ms": round(evidence.percentile(late, 0.99) * 1000),
        "max_ms": round(max(late, default=0.0) * 1000),
    }


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)
