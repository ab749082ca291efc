"""A row of due work is carried out once, by whoever lives to do it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from common import work
from common.models import Heartbeat, ScheduledRun
from common.work import Claimed
from tests.make import NOW

pytestmark = pytest.mark.django_db

Queries = Callable[[int], Any]


def due(job: str, ago: float = 1, **fields: Any) -> ScheduledRun:
    """A row of the simplest kind that is due since so many seconds."""
    return ScheduledRun.objects.create(
        job=job, slot=NOW, **{"due_at": timezone.now() - timedelta(seconds=ago), **fields}
    )


def taken(room: int = 32, **lanes: int) -> list[Claimed]:
    return work.take(ScheduledRun, room, lanes)


def take_one() -> Claimed:
    (piece,) = taken()
    return piece


def carry_out(piece: Claimed, do: Callable[[ScheduledRun], None] = lambda row: None) -> None:
    work.carry_out(ScheduledRun, piece.pk, piece.claim, do)


def lapse(row: ScheduledRun) -> None:
    """As if whoever has it had been silent for too long."""
    ScheduledRun.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def effect(row: ScheduledRun) -> None:
    """Written with the end of the row, or not at all."""
    with work.finishing(row):
        Heartbeat.objects.create(name=row.job, beat_at=NOW, pid=1, host="")


def break_down(row: ScheduledRun) -> None:
    raise RuntimeError("the provider is away")


# Taking


def test_what_is_due_is_taken_once() -> None:
    row = due("a")

    (piece,) = taken()

    assert (piece.pk, piece.is_late) == (row.pk, False)
    assert taken() == []


def test_what_is_not_due_yet_is_left() -> None:
    due("a", ago=-5)

    assert taken() == []


def test_the_longest_due_goes_first_and_no_more_than_there_is_room_for() -> None:
    rows = [due(f"job {n}", ago=n, lane=f"{n}") for n in range(6)]

    assert [piece.pk for piece in taken(room=2)] == [rows[5].pk, rows[4].pk]


def test_where_nothing_is_due_one_statement_looks(django_assert_num_queries: Queries) -> None:
    due("a", ago=-5)

    with django_assert_num_queries(1):
        taken()


def test_a_lane_gets_no_more_than_its_limit_and_others_pass_it() -> None:
    for n in range(20):
        due(f"slow {n}", ago=100, lane="slow")
    due("quick", lane="quick")

    assert Counter(piece.lane for piece in taken()) == {"slow": 8, "quick": 1}


def test_what_is_in_hand_counts_for_its_lane() -> None:
    for n in range(20):
        due(f"slow {n}", lane="slow")

    assert len(taken(slow=5)) == 3
    assert taken(slow=8) == []


def test_what_nobody_began_comes_again_as_late_and_can_be_asked_for() -> None:
    row, _ = due("a"), due("b", ago=-100)
    piece = take_one()
    assert not work.take(ScheduledRun, 32, {}, only_late=True)
    lapse(row)

    assert not work.take(ScheduledRun, 32, {}, only_late=False)
    (again,) = work.take(ScheduledRun, 32, {}, only_late=True)
    assert again.is_late
    assert again.claim != piece.claim


def test_what_was_begun_and_left_is_not_late_but_abandoned() -> None:
    row = due("a")
    piece = take_one()
    work.begin(ScheduledRun, piece.pk, piece.claim)
    lapse(row)

    assert not take_one().is_late


@pytest.mark.django_db(transaction=True)
def test_of_those_who_take_at_once_one_gets_each_row() -> None:
    for n in range(60):
        due(f"job {n}", lane=f"lane {n}")
    got: list[Claimed] = []
    start = threading.Barrier(4)

    def take() -> None:
        start.wait()
        while ScheduledRun.objects.claimable().exists():
            got.extend(taken(room=5))
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(piece.pk for piece in got) == Counter(ScheduledRun.objects.values_list("pk", flat=True))
    claims = dict(ScheduledRun.objects.values_list("pk", "claim"))
    assert all(claims[piece.pk] == piece.claim for piece in got)


def test_a_row_that_another_took_between_the_look_and_the_claim_is_left_to_it() -> None:
    row = due("a")
    wanted = {row.pk: ("", False)}

    first = work._claim(ScheduledRun, wanted, work.LEASE)
    second = work._claim(ScheduledRun, wanted, work.LEASE)

    assert [piece.pk for piece in first] == [row.pk]
    assert second == []
    row.refresh_from_db()
    assert row.claim == first[0].claim


# Carrying out


def test_what_is_done_is_done_and_its_lease_is_over() -> None:
    row = due("a")

    carry_out(take_one(), effect)

    row.refresh_from_db()
    assert (row.state, row.claim, row.lease_until, row.attempts) == ("done", "", None, 1)
    assert row.finished_at
    assert Heartbeat.objects.filter(name="a").exists()


def test_what_only_returns_counts_as_done() -> None:
    row = due("a")

    carry_out(take_one())

    row.refresh_from_db()
    assert row.state == "done"


def test_a_message_that_comes_again_does_nothing() -> None:
    """Redis delivers again after an hour what nobody acknowledged, and a publish may arrive although it failed."""
    due("a")
    piece, times = take_one(), Counter[str]()

    def do(row: ScheduledRun) -> None:
        times["done"] += 1
        carry_out(piece, do)  # while it is under way

    carry_out(piece, do)
    carry_out(piece, do)

    assert times["done"] == 1


def test_a_message_that_comes_too_late_takes_nothing_from_who_has_it_now() -> None:
    row = due("a")
    stale = take_one()
    lapse(row)
    piece = take_one()

    carry_out(stale, effect)
    carry_out(piece, effect)

    row.refresh_from_db()
    assert (row.state, row.attempts) == ("done", 1)


def test_who_lost_the_lease_writes_nothing() -> None:
    row = due("a")

    def stall(its: ScheduledRun) -> None:
        lapse(row)
        carry_out(take_one(), lambda other: None)
        effect(its)

    carry_out(take_one(), stall)

    row.refresh_from_db()
    assert row.state == "done"
    assert not Heartbeat.objects.exists()


def test_who_lost_the_lease_does_not_postpone_or_fail_what_another_does() -> None:
    row = due("a")
    piece = take_one()
    mine = work.begin(ScheduledRun, piece.pk, piece.claim)
    assert mine
    lapse(row)
    other = take_one()

    work.fail(mine, "too late")
    with pytest.raises(work.LeaseLost):
        work.postpone(mine, timedelta(hours=1))

    row.refresh_from_db()
    assert (row.claim, row.fault) == (other.claim, "")


def test_who_stalled_may_still_end_what_nobody_else_took() -> None:
    row = due("a")

    def stall(its: ScheduledRun) -> None:
        lapse(row)
        effect(its)

    carry_out(take_one(), stall)

    row.refresh_from_db()
    assert row.state == "done"


def test_what_was_cancelled_meanwhile_has_no_effect() -> None:
    row = due("a")

    def cancelled(its: ScheduledRun) -> None:
        assert ScheduledRun.objects.filter(pk=row.pk).cancel() == 1
        effect(its)

    carry_out(take_one(), cancelled)

    row.refresh_from_db()
    assert row.state == "cancelled"
    assert not Heartbeat.objects.exists()


def test_what_is_postponed_comes_at_its_time_and_did_not_fail() -> None:
    row = due("a", attempts=3)

    carry_out(take_one(), lambda its: work.postpone(its, timedelta(minutes=5), job="b"))

    row.refresh_from_db()
    assert (row.state, row.attempts, row.claim, row.job) == ("waiting", 0, "", "b")
    assert timedelta(minutes=4) < row.due_at - timezone.now() < timedelta(minutes=6)


# Failing


def test_what_fails_is_done_again_after_a_pause_and_says_why() -> None:
    row = due("a")

    carry_out(take_one(), break_down)

    row.refresh_from_db()
    assert (row.state, row.attempts, row.claim) == ("waiting", 1, "")
    assert row.fault == "RuntimeError: the provider is away"
    assert timedelta(seconds=0.5) < row.due_at - timezone.now() < timedelta(seconds=3)


def test_pauses_double_up_to_five_minutes_and_are_spread() -> None:
    bounds = [(min(2 * 2**n, 300) * 0.5, min(2 * 2**n, 300) * 1.5) for n in range(40)]

    for attempts, (least, most) in enumerate(bounds, start=1):
        pauses = [work.pause(attempts).total_seconds() for _ in range(50)]
        assert least <= min(pauses) < max(pauses) <= most
        assert len(set(pauses)) > 40


def test_what_fails_too_often_is_quarantined_until_somebody_retries_it() -> None:
    row = due("a")
    for _ in range(ScheduledRun.MAX_ATTEMPTS):
        assert ScheduledRun.objects.filter(pk=row.pk).update(due_at=NOW) == 1
        carry_out(take_one(), break_down)

    row.refresh_from_db()
    assert (row.state, row.fault) == ("quarantined", "RuntimeError: the provider is away")
    assert taken() == []

    assert work.retry(row)
    assert not work.retry(row)
    carry_out(take_one())
    row.refresh_from_db()
    assert row.state == "done"


def test_what_kills_who_does_it_is_quarantined_without_another_try() -> None:
    row = due("deadly")
    good = due("good", lane="good")
    for _ in range(ScheduledRun.MAX_ATTEMPTS):
        piece = next(piece for piece in taken() if piece.pk == row.pk)
        work.begin(ScheduledRun, piece.pk, piece.claim)
        lapse(row)
        lapse(good)

    assert [piece.pk for piece in taken()] == [good.pk]
    row.refresh_from_db()
    assert row.state == "quarantined"
    assert "died" in row.fault


def test_what_was_taken_often_but_never_begun_is_not_its_own_fault() -> None:
    row = due("a", hand_overs=1000)

    carry_out(take_one())

    row.refresh_from_db()
    assert row.state == "done"


# Leases


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_as_long_as_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(work, "RENEW", 0.2)
    monkeypatch.setattr(work, "_keeper", work._Keeper())
    row = due("a")
    seen = []

    def work_long(its: ScheduledRun) -> None:
        time.sleep(2)
        seen.extend(taken())
        effect(its)

    carry_out(take_one(), work_long)

    row.refresh_from_db()
    assert seen == []
    assert row.state == "done"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
@pytest.mark.django_db(transaction=True)
def test_what_takes_long_to_write_its_end_keeps_no_other_from_being_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(work, "RENEW", 0.2)
    monkeypatch.setattr(work, "_keeper", work._Keeper())
    due("large", 2)
    due("small", 1)
    large, small = taken()
    seen = []

    def write_long(its: ScheduledRun) -> None:
        with work.finishing(its):
            time.sleep(3)

    def wait(its: ScheduledRun) -> None:
        time.sleep(2)
        seen.extend(taken())

    def write() -> None:
        carry_out(large, write_long)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.3)
    carry_out(small, wait)
    writer.join()

    assert seen == []
    assert set(ScheduledRun.objects.values_list("state", flat=True)) == {"done"}


@pytest.mark.django_db(transaction=True)
def test_what_hangs_for_ever_is_not_renewed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LEASE", timedelta(seconds=0.5))
    monkeypatch.setattr(work, "RENEW", 0.1)
    monkeypatch.setattr(work, "LONGEST", 0.5)
    monkeypatch.setattr(work, "_keeper", work._Keeper())
    due("a")
    seen = []

    def hang(its: ScheduledRun) -> None:
        time.sleep(1.5)
        seen.extend(taken())

    carry_out(take_one(), hang)

    assert len(seen) == 1


def test_what_is_still_held_is_known_with_whether_it_was_begun() -> None:
    rows = {name: due(name, lane=name) for name in ("waiting", "begun", "done", "lapsed")}
    pieces = {piece.lane: piece for piece in taken()}
    work.begin(ScheduledRun, pieces["begun"].pk, pieces["begun"].claim)
    carry_out(pieces["done"])
    lapse(rows["lapsed"])

    assert work.still_held(pieces.values()) == {pieces["waiting"]: False, pieces["begun"]: True}


def test_what_is_given_back_can_be_taken_at_once_and_was_not_tried() -> None:
    begun, waiting, done = due("begun", lane="begun"), due("waiting", lane="waiting"), due("done", lane="done")
    pieces = {piece.lane: piece for piece in taken()}
    work.begin(ScheduledRun, begun.pk, pieces["begun"].claim)
    carry_out(pieces["done"])

    work.give_back(pieces.values())

    assert {(piece.pk, piece.is_late) for piece in taken()} == {(begun.pk, False), (waiting.pk, False)}
    assert set(ScheduledRun.objects.values_list("job", "attempts")) == {("begun", 0), ("waiting", 0), ("done", 1)}
    done.refresh_from_db()
    assert done.state == "done"


def test_what_another_has_by_now_is_not_given_back() -> None:
    row = due("a")
    mine = take_one()
    lapse(row)
    other = take_one()

    work.give_back([mine])

    row.refresh_from_db()
    assert row.claim == other.claim


@pytest.mark.django_db(transaction=True)
def test_a_row_of_a_transaction_that_rolls_back_is_never_taken() -> None:
    with transaction.atomic():
        due("a")
        transaction.set_rollback(True)

    assert taken() == []
