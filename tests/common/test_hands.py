"""The engine's own threads, and how far Celery's workers are trusted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from common import hands, work
from common.hands import Threads, Workers
from common.models import ScheduledRun
from common.work import Claimed
from tests.make import NOW


class Broker:
    """Stands for Celery: notes what is sent, and refuses or hangs as it is told."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, str]] = []
        self.is_away = False
        self.answers = threading.Event()
        self.answers.set()

    def send_task(self, name: str, *, args: list[Any], **_: Any) -> None:
        self.answers.wait(10)
        if self.is_away:
            raise ConnectionError("nobody there")
        self.sent.append((args[0], args[1]))


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    its = Broker()
    monkeypatch.setattr(hands, "celery", lambda: its)
    yield its
    its.answers.set()


def pieces(count: int) -> list[Claimed]:
    """Taken for workers."""
    first = ScheduledRun.objects.count()
    for n in range(first, first + count):
        ScheduledRun.objects.create(job=f"job {n}", slot=NOW, due_at=NOW, lane=f"{n}")
    return work.take(ScheduledRun, count, {}, work.HAND_OVER)


def begin(piece: Claimed) -> None:
    assert work.begin(ScheduledRun, piece.pk, piece.claim)


def lapse(piece: Claimed) -> None:
    ScheduledRun.objects.filter(pk=piece.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def came_back(workers: Workers) -> list[Claimed]:
    """What the engine has to do itself, as soon as there is something."""
    back: list[Claimed] = []

    def look() -> bool:
        back.extend(workers.refused())
        return bool(back)

    assert soon(look)
    return back


def soon(condition: Any) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


@pytest.mark.django_db
def test_workers_get_one_piece_until_they_have_begun_something(broker: Broker) -> None:
    workers = Workers()
    assert workers.room == 1
    (piece,) = pieces(1)

    workers.hand_over([piece], time.monotonic())
    assert workers.room == 0
    assert soon(lambda: broker.sent == [(piece.pk, piece.claim)])
    begin(piece)
    workers.look()

    assert workers.are_trusted
    assert workers.room == hands.AHEAD
    assert workers.in_hand == [piece]


@pytest.mark.django_db
def test_what_ended_leaves_their_hands(broker: Broker) -> None:
    workers = Workers()
    (piece,) = pieces(1)
    workers.hand_over([piece], time.monotonic())
    work.carry_out(ScheduledRun, piece.pk, piece.claim, lambda row: None)

    assert workers.look() == {ScheduledRun}

    assert workers.are_trusted
    assert workers.in_hand == []


@pytest.mark.django_db
def test_what_a_dead_worker_had_leaves_their_hands_with_its_lease(broker: Broker) -> None:
    workers = Workers()
    (piece,) = pieces(1)
    workers.hand_over([piece], time.monotonic())
    begin(piece)
    workers.look()
    lapse(piece)

    workers.look()

    assert workers.in_hand == []
    assert [again.pk for again in work.take(ScheduledRun, 1, {})] == [piece.pk]


@pytest.mark.django_db
def test_workers_that_begin_nothing_are_left_alone_ever_longer(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "FIRST_PAUSE", 0.2)
    workers = Workers()
    pauses = []
    for _ in range(3):
        (piece,) = pieces(1)
        workers.hand_over([piece], time.monotonic() - work.HAND_OVER.total_seconds())
        lapse(piece)
        workers.look()
        began = time.monotonic()
        assert workers.room == 0
        assert soon(lambda: workers.room == 1)
        pauses.append(time.monotonic() - began)

    assert not workers.are_trusted
    assert pauses == pytest.approx([0.2, 0.4, 0.8], abs=0.1)


@pytest.mark.django_db
def test_what_redis_refuses_comes_back_at_once(broker: Broker) -> None:
    broker.is_away = True
    workers = Workers()
    (piece,) = pieces(1)

    workers.hand_over([piece], time.monotonic())

    back = came_back(workers)
    assert back == [piece]
    assert workers.room == 0
    assert workers.in_hand == []


@pytest.mark.django_db
def test_what_waits_behind_a_publish_that_hangs_comes_back_once_and_nobody_waited(broker: Broker) -> None:
    broker.answers.clear()
    workers = Workers()
    taken = pieces(3)

    began = time.monotonic()
    workers.hand_over(taken, time.monotonic())
    assert workers.refused() == []
    assert time.monotonic() - began < 2
    back = came_back(workers)
    broker.answers.set()
    time.sleep(0.1)

    assert sorted(piece.pk for piece in [*back, *workers.refused()]) == sorted(piece.pk for piece in taken)


def test_threads_do_as_much_at_once_as_there_are_and_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    names: list[int | None] = []
    ended: list[Claimed] = []

    def task(pk: int, claim: str) -> None:
        names.append(threading.current_thread().ident)
        go.wait(5)

    monkeypatch.setattr(hands, "import_string", lambda path: task)
    threads = Threads(3, ended.append)
    first = [Claimed(ScheduledRun, n, "", "", is_late=False) for n in range(3)]

    threads.begin(first)
    assert soon(lambda: len(names) == 3)
    assert threads.room == 0
    assert threads.wait(0.05) != []
    go.set()
    assert threads.wait(5) == []
    assert soon(lambda: len(ended) == 3)
    threads.begin([Claimed(ScheduledRun, 9, "", "", is_late=False)])
    assert soon(lambda: len(ended) == 4)

    assert len(set(names)) == 3


def test_a_task_that_cannot_be_called_ends_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> Any:
        raise ImportError(path)

    monkeypatch.setattr(hands, "import_string", missing)
    ended: list[Claimed] = []
    threads = Threads(1, ended.append)

    for n in range(2):
        threads.begin([Claimed(ScheduledRun, n, "", "", is_late=False)])
        assert soon(lambda: threads.room == 1)

    assert soon(lambda: len(ended) == 2)
