"""One engine, and what must not stop it: a provider that hangs, hours away, poison, a signal, a database that goes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from common import engine, work
from common.engine import Engine
from tests import evidence, providers
from tests.faults.errands.models import Errand
from tests.faults.machines import Plant

OVERDUE = 1_000


def hang(handler: providers.Handler) -> None:
    handler.wait(9)
    handler.answer(200)


def becomes(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def write(count: int, lane: str, url: str, **fields: object) -> None:
    Errand.objects.bulk_create(
        Errand(**{"key": f"{lane} {n}", "lane": lane, "url": url, "due_at": timezone.now(), **fields})
        for n in range(count)
    )


def waiting(lane: str = "") -> int:
    return Errand.objects.filter(state="waiting", lane__startswith=lane).count()


@pytest.mark.proof
def test_who_hangs_delays_nobody_else(errands: type[Errand], machines: Plant) -> None:
    with (
        providers.http() as slow,
        providers.http() as quick,
        evidence.of("hanging-lane", redis=False) as row,
    ):
        slow.behave(hang)
        write(200, "slow", slow.url("/in"))
        machines.engine()
        assert becomes(lambda: len(slow.requests) > 0, 30)

        due = {}
        for n in range(60):
            now = timezone.now()
            Errand.objects.create(key=f"quick {n}", lane="quick", url=quick.url("/in"), due_at=now)
            due[f"quick {n}"] = now.timestamp()
            time.sleep(0.1)
        assert becomes(lambda: waiting("quick") == 0, 10)
        late = [request.at - due[request.key] for request in quick.requests]
        row |= {
            "deliveries": len(due),
            "arrived": len(quick.requests),
            "hanging_at_once": Errand.objects.filter(lane="slow", begun_at__isnull=False, state="waiting").count(),
            "p99_ms": round(evidence.percentile(late, 0.99) * 1000),
            "max_ms": round(max(late) * 1000),
        }

    assert row["arrived"] == len(due)
    assert row["hanging_at_once"] <= Errand.LANE_LIMIT
    assert row["max_ms"] <= 1000 * evidence.allowed(2)  # a tick, and the second that is allowed


@pytest.mark.proof
def test_what_became_due_while_no_engine_ran_is_done_within_ten_seconds_of_its_return(
    errands: type[Errand], machines: Plant
) -> None:
    with providers.http() as provider, evidence.of("overdue", redis=False) as row:
        overdue = timezone.now() - timedelta(hours=1)
        for lane in range(10):
            write(OVERDUE // 10, f"lane {lane}", provider.url("/in"), due_at=overdue)

        began = time.monotonic()
        machines.engine()
        assert becomes(lambda: waiting() == 0, evidence.allowed(30))

        seconds = time.monotonic() - began
        row |= {"deliveries": OVERDUE, "arrived": len(provider.requests), "max_ms": round(seconds * 1000)}

    assert row["arrived"] == OVERDUE
    assert seconds <= evidence.allowed(10 + 2)  # it needs a moment to start


@pytest.mark.proof
def test_what_kills_the_engine_is_put_aside_and_the_rest_is_done(errands: type[Errand], machines: Plant) -> None:
    write(1, "deadly", "", is_deadly=True, attempts=Errand.MAX_ATTEMPTS - 1)
    write(50, "good", "")
    its = machines.engine()

    assert becomes(lambda: not its.is_running, 30)
    its.start()

    assert becomes(lambda: waiting() == 0, 60)
    assert its.is_running
    assert dict(Errand.objects.values_list("key", "state").filter(lane="deadly")) == {"deadly 0": "quarantined"}
    assert Errand.objects.filter(state="done").count() == 50


def test_told_to_stop_it_gives_back_what_it_cannot_end_and_leaves_in_time(
    errands: type[Errand], machines: Plant
) -> None:
    with providers.http() as provider:
        provider.behave(hang)
        write(5, "slow", provider.url("/in"))
        its = machines.engine()
        assert becomes(lambda: len(provider.requests) == 5, 30)

        began = time.monotonic()
        code = its.terminate()

        assert code == 0
        assert time.monotonic() - began < 5
        assert set(Errand.objects.values_list("state", "claim", "attempts")) == {("waiting", "", 0)}


def test_told_to_stop_it_ends_what_can_be_ended(errands: type[Errand], machines: Plant) -> None:
    def answer(handler: providers.Handler) -> None:
        handler.wait(1)
        handler.answer(200)

    with providers.http() as provider:
        provider.behave(answer)
        write(5, "lane", provider.url("/in"))
        its = machines.engine()
        assert becomes(lambda: len(provider.requests) == 5, 30)

        assert its.terminate() == 0

        assert waiting() == 0
        assert len(provider.requests) == 5


@pytest.mark.proof
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no connections to cut")
def test_connections_that_are_cut_lose_nothing(errands: type[Errand], machines: Plant) -> None:
    with providers.http() as provider, evidence.of("cut-connections", redis=False) as row:
        its = machines.engine()
        for n in range(10):
            write(30, f"round {n}", provider.url("/in"))
            time.sleep(0.7)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        assert becomes(lambda: waiting() == 0, 40), its.said
        keys = [request.key for request in provider.requests]
        row |= {"deliveries": 300, "arrived": len(set(keys)), "copies": len(keys) - len(set(keys))}

    assert row["arrived"] == 300
    assert its.is_running


def test_a_loop_that_stands_still_ends_the_process(errands: type[Errand], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STALLED", 1)
    codes: list[int] = []
    stalled = threading.Event()

    def leave(code: int) -> None:
        codes.append(code)
        stalled.set()

    monkeypatch.setattr(os, "_exit", leave)
    its = Engine(1, with_workers=False)
    monkeypatch.setattr(its, "_look", lambda *_: stalled.wait(10))

    its_loop = threading.Thread(target=its.run)
    its_loop.start()
    assert stalled.wait(5)
    its.stop()
    its_loop.join(5)

    assert codes[0] == 70


def test_told_to_stop_in_a_slow_look_it_still_gives_back(
    errands: type[Errand], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    its = Engine(1, with_workers=False)
    look = its._look

    def look_slowly(is_tick: bool, ended: Collection[Any]) -> None:
        look(is_tick, ended)
        if provider.requests:
            its.stop()
            time.sleep(1.5)

    with providers.http() as provider:
        provider.behave(hang)
        write(1, "slow", provider.url("/in"))
        monkeypatch.setattr(its, "_look", look_slowly)

        assert not its.run()

        assert codes == []
        assert set(Errand.objects.values_list("state", "claim", "attempts")) == {("waiting", "", 0)}
    assert its._threads.wait(5) == []


def test_a_kind_with_a_long_queue_leaves_threads_for_others(errands: type[Errand]) -> None:
    its = Engine(32, with_workers=False)
    for lane in range(10):
        write(10, f"lane {lane}", "")

    taken = work.take(Errand, its._room(Errand), {})

    assert len(taken) == 32 - (len(work.kinds()) - 1) * (32 // (2 * len(work.kinds())))
    assert len(taken) < 32


def test_lanes_that_hang_leave_threads_for_lanes_that_have_none(
    errands: type[Errand], monkeypatch: pytest.MonkeyPatch
) -> None:
    its = Engine(32, with_workers=False)
    monkeypatch.setattr(its._threads, "begin", its._threads._in_hand.update)
    for lane in range(4):
        write(20, f"hangs {lane}", "")
    its._take(Errand)
    assert its._room(Errand) < its._spare
    write(5, "quick", "")

    its._take(Errand)

    assert its._lanes(Errand)["quick"] == 1
