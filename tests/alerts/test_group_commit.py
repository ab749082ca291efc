"""Deliveries that share a commit end as if each had come alone, and none of them suffers from another."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import zip_longest
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts import group_commit, homes, ingest
from alerts.group_commit import GroupCommit
from alerts.ingest import Parcel, Receipt
from alerts.models import Alert, Delivery, Group, Integration
from alerts.plans import Plan
from incidents import timeline
from incidents.models import Entry, Incident
from tests import captures, make
from tests.held import PATIENCE, Held
from tests.make import NOW

# All but the one in which an alert fires again with the start at which it had resolved: that asks for a grace.
SHUFFLED = [name for name, expected in captures.EXPECTED.items() if expected["shuffle_safe"]]


def parcel(integration: Integration, *alerts: dict[str, Any], group: str = "group", **fields: Any) -> Parcel:
    read = ingest.read(integration, make.alertmanager_body(*alerts, group=group, **fields), now=NOW)
    assert isinstance(read, Parcel)
    return read


def together(*parcels: Parcel) -> list[Receipt]:
    return ingest.receive_all(parcels, now=NOW)


@pytest.fixture
def source(db: None) -> Integration:
    integration: Integration = make.integration()[0]
    return integration


def test_groups_that_come_together_have_incidents_of_their_own(source: Integration) -> None:
    other, _ = make.integration("Other")

    receipts = together(
        parcel(source, make.alert("A"), group="one"),
        parcel(source, make.alert("B"), group="two"),
        parcel(other, make.alert("A"), group="one"),
    )

    assert [receipt.incidents for receipt in receipts] == [[1], [2], [3]]
    assert [receipt.counts["opened"] for receipt in receipts] == [1, 1, 1]
    by_incident = Alert.objects.order_by("incident__number").values_list("incident__number", "name", "integration")
    assert list(by_incident) == [(1, "A", source.pk), (2, "B", source.pk), (3, "A", other.pk)]
    assert {receipt.delivery for receipt in receipts} == set(Delivery.objects.values_list("pk", flat=True))


def test_what_comes_together_of_one_group_is_one_incident(source: Integration) -> None:
    first, second = together(parcel(source, make.alert("A")), parcel(source, make.alert("B"), truncatedAlerts=3))

    incident = Incident.objects.get()
    assert first.incidents == second.incidents == [incident.number]
    assert list(incident.entries.order_by("seq").values_list("kind", flat=True)) == [
        *("opened", "alerts_fired", "alerts_fired")
    ]
    assert timeline.verify(incident) is None
    assert Group.objects.get().truncated == 3


def test_that_nothing_fires_any_more_is_said_once(source: Integration) -> None:
    together(parcel(source, make.alert("A")), parcel(source, make.alert("B")), parcel(source, make.alert("C")))
    ended: dict[str, Any] = {"status": "resolved", "ends_at": NOW}

    together(parcel(source, make.alert("A", **ended)), parcel(source, make.alert("B", **ended)))
    clear = Entry.objects.filter(kind=Entry.Kind.ALL_CLEAR)
    assert not clear.exists()
    together(parcel(source, make.alert("C", **ended)), parcel(source, make.alert("A", **ended)))

    assert clear.count() == 1
    assert Entry.objects.filter(kind=Entry.Kind.ALERTS_RESOLVED).count() == 3


def test_a_repeat_goes_with_what_is_new(source: Integration) -> None:
    together(parcel(source, make.alert("A"), group="a"), parcel(source, make.alert("B"), group="b"))
    before = dict(Alert.objects.values_list("name", "last_seen_at"))

    receipts = ingest.receive_all(
        [
            parcel(source, make.alert("A"), group="a"),
            parcel(source, make.alert("B", annotations={"summary": "Worse"}), group="b"),
            parcel(source, make.alert("C"), group="a"),
        ],
        now=NOW + timedelta(minutes=1),
    )

    counted = [{name: n for name, n in receipt.counts.items() if n and name != "received"} for receipt in receipts]
    assert counted == [{"unchanged": 1}, {"changed": 1}, {"opened": 1}]
    after = dict(Alert.objects.values_list("name", "last_seen_at"))
    assert all(after[name] > before[name] for name in before)
    assert Incident.objects.count() == 2


def test_a_label_that_changes_each_time_joins_also_beside_others(source: Integration) -> None:
    def churning(n: int) -> Parcel:
        labels = {"alertname": "Churn", "value": str(n)}
        return parcel(source, make.alert("Churn", labels={"value": str(n)}), group=f"churn {n}", commonLabels=labels)

    for n in range(3):
        together(churning(n))
    together(parcel(source, make.alert("Beside"), group="beside"))

    receipts = together(parcel(source, make.alert("More"), group="beside"), churning(3), churning(4))

    assert [receipt.incidents for receipt in receipts] == [[4], [3], [3]]
    assert Incident.objects.count() == 4


@pytest.mark.parametrize("seed", range(3))
def test_captures_that_come_side_by_side_end_as_each_does_alone(db: None, seed: int) -> None:
    """The first delivery of each with the first of all others, and so on, in any order within a commit."""
    dice = random.Random(seed)
    sources = {scenario: make.integration(make.unique("source"))[0] for scenario in SHUFFLED}
    for row in zip_longest(*map(captures.bodies, sources)):
        parcels = [ingest.read(s, body, now=NOW) for s, body in zip(sources.values(), row, strict=True) if body]
        plain = [each for each in parcels if isinstance(each, Parcel) and each.sent.is_plain]
        dice.shuffle(plain)
        if plain:
            together(*plain)
        for each in parcels:
            if isinstance(each, Parcel) and not each.sent.is_plain:
                together(each)

    for scenario, integration in sources.items():
        captures.assert_ended_right(integration, scenario)


def test_it_costs_as_many_statements_as_one_alone(source: Integration) -> None:
    def statements(count: int, name: str) -> int:
        parcels = [parcel(source, make.alert(f"{name}{n}"), group=f"{n}") for n in range(count)]
        with CaptureQueriesContext(connection) as captured:
            together(*parcels)
        return sum(not q["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for q in captured)

    statements(20, "First")  # opens their incidents

    one, twenty = statements(1, "Second"), statements(20, "Third")

    if connection.vendor == "postgresql":
        assert (one, twenty) == (6, 6)
    else:  # where nothing travels, bodies and deliveries are written one by one
        assert (one, twenty) == (8, 8 + 2 * 19)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(monkeypatch)


@pytest.fixture
def commits() -> Iterator[GroupCommit]:
    """Its writers' connections are closed in the end."""
    its = GroupCommit(helpers=2)
    yield its
    its.end()


def send_at_once(commits: GroupCommit, held: Held, first: Parcel, *others: Parcel) -> list[Future[Receipt]]:
    """The others gather while the first one is under way."""
    pool = ThreadPoolExecutor(1 + len(others))
    told = [pool.submit(commits.take_in, first)]
    assert held.has_arrived.wait(PATIENCE)
    for n, each in enumerate(others, start=1):
        told.append(pool.submit(commits.take_in, each))
        until(lambda n=n: commits.waiting == n)  # type: ignore[misc]
    held.opened.set()
    pool.shutdown(wait=True)
    return told


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


@pytest.mark.django_db(transaction=True)
def test_what_gathers_while_another_is_written_goes_with_one_commit(commits: GroupCommit, held: Held) -> None:
    source, _ = make.integration()
    parcels = [parcel(source, make.alert(f"A{n}"), group=f"{n}") for n in range(6)]

    told = send_at_once(commits, held, *parcels)

    assert held.sizes == [1, 5]
    assert sorted(receipt.result().incidents[0] for receipt in told) == [1, 2, 3, 4, 5, 6]
    assert Delivery.objects.count() == 6


@pytest.mark.django_db(transaction=True)
def test_of_the_same_alert_one_goes_after_the_other(commits: GroupCommit, held: Held) -> None:
    source, _ = make.integration()
    resolved: dict[str, Any] = {"status": "resolved", "ends_at": timezone.now()}

    told = send_at_once(
        commits,
        held,
        parcel(source, make.alert("Other"), group="other"),
        parcel(source, make.alert("A")),
        parcel(source, make.alert("A", **resolved)),
        parcel(source, make.alert("A", **resolved)),
        parcel(source, make.alert("B"), group="b"),
    )

    assert held.sizes == [1, 2, 1, 1]
    counts = [receipt.result().counts for receipt in told]
    assert [(c["opened"], c["resolved"], c["unchanged"]) for c in counts] == [
        *((1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0))
    ]


@pytest.mark.django_db(transaction=True)
def test_what_needs_more_locks_goes_alone(commits: GroupCommit, held: Held) -> None:
    source, _ = make.integration()

    send_at_once(
        commits,
        held,
        parcel(source, make.alert("Other"), group="other"),
        parcel(source, make.alert("A"), group="a"),
        parcel(source, make.alert("Watchdog"), group="watchdog"),
        parcel(source, make.alert("B"), group="b"),
    )

    assert held.batches == [["Other"], ["A", "B"], ["Watchdog"]]


@pytest.mark.django_db(transaction=True)
def test_integrations_take_turns(commits: GroupCommit, held: Held) -> None:
    """Who comes last goes with the next commit, however many of another wait."""
    noisy, quiet = make.integration("Noisy")[0], make.integration("Quiet")[0]
    many = [parcel(noisy, make.alert(f"A{n}"), group=f"{n}") for n in range(group_commit.MOST + 5)]

    told = send_at_once(commits, held, *many, parcel(quiet, make.alert("Quiet")))

    assert held.sizes == [1, group_commit.MOST, 5]
    assert "Quiet" in held.batches[1]
    assert all(receipt.exception() is None for receipt in told)


@pytest.mark.django_db(transaction=True)
def test_none_suffers_from_one_that_breaks(commits: GroupCommit, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = make.integration()
    find = homes.find

    def breaks(plan: Plan, *args: Any) -> None:
        if any(alert.name == "Poison" for alert in plan.sent.values()):
            raise ZeroDivisionError
        find(plan, *args)

    monkeypatch.setattr(homes, "find", breaks)

    told = send_at_once(
        commits, held, *[parcel(source, make.alert(name), group=name) for name in ("First", "A", "Poison", "B")]
    )

    assert held.sizes == [1, 3, 1, 1, 1]
    assert [receipt.exception() is None for receipt in told] == [True, True, False, True]
    assert isinstance(told[2].exception(), ZeroDivisionError)
    assert set(Alert.objects.values_list("name", flat=True)) == {"First", "A", "B"}
    assert Delivery.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_where_the_database_is_gone_all_hear_of_it_soon(commits: GroupCommit, held: Held) -> None:
    source, _ = make.integration()

    def gone(*args: Any, **fields: Any) -> list[Receipt]:
        raise OperationalError("the database is gone")

    held.through = gone

    told = send_at_once(commits, held, *[parcel(source, make.alert(f"A{n}"), group=f"{n}") for n in range(9)])

    assert all(isinstance(receipt.exception(), OperationalError) for receipt in told)
    assert held.sizes == [1, 8, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time locks no rows")
def test_a_row_that_is_locked_holds_up_only_who_needs_it() -> None:
    """Also those that came with it, and those that come later."""
    commits = GroupCommit(helpers=2)
    source, _ = make.integration()
    together(*[parcel(source, make.alert(f"First{n}"), group=f"{n}") for n in range(4)])

    with ThreadPoolExecutor(8) as pool:
        with transaction.atomic():
            Group.objects.select_for_update().get(key="0")
            locked = [pool.submit(commits.take_in, parcel(source, make.alert("Locked"), group="0"))]
            others = [
                pool.submit(commits.take_in, parcel(source, make.alert(f"B{n}"), group=f"{n}")) for n in range(1, 4)
            ]
            assert [each.result(3).counts["opened"] for each in others] == [1, 1, 1]
            locked.append(pool.submit(commits.take_in, parcel(source, make.alert("Locked too"), group="0")))
            later = pool.submit(commits.take_in, parcel(source, make.alert("Later"), group="1"))
            assert later.result(3).counts["opened"] == 1
            assert not any(each.done() for each in locked)
        assert [each.result(3).counts["opened"] for each in locked] == [1, 1]
    commits.end()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time locks no rows")
def test_two_commits_that_overlap_do_not_wait_in_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what the one repeats the other brings news, and the other way round: repeats are written before."""
    source, _ = make.integration()
    together(parcel(source, make.alert("A"), group="a"), parcel(source, make.alert("B"), group="b"))
    worse: dict[str, Any] = {"annotations": {"summary": "Worse"}}
    sides = [
        [parcel(source, make.alert("A"), group="a"), parcel(source, make.alert("B", **worse), group="c")],
        [parcel(source, make.alert("B"), group="b"), parcel(source, make.alert("A", **worse), group="d")],
    ]
    hear_again, both = ingest._hear_again, threading.Barrier(2)

    def meet(*args: Any) -> None:
        hear_again(*args)
        with suppress(threading.BrokenBarrierError):  # the other one waits for a lock, or has met us before
            both.wait(0.5)

    def take_in(side: list[Parcel]) -> list[Receipt]:
        try:
            return together(*side)
        finally:
            connection.close()

    monkeypatch.setattr(ingest, "_hear_again", meet)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(take_in, sides))

    assert [receipt.counts["changed"] for receipts in told for receipt in receipts].count(1) >= 2
    assert Delivery.objects.count() == 6
    assert Incident.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_many_senders_at_once_leave_what_each_was_told(commits: GroupCommit) -> None:
    """Sixteen of them, to a few groups, with alerts that fire, repeat and end."""
    source, _ = make.integration()
    told: list[Receipt] = []

    def send(sender: int) -> None:
        dice = random.Random(sender)
        for n in range(12):
            name = f"A{sender}-{dice.randrange(4)}"
            ended: dict[str, Any] = {"status": "resolved", "ends_at": timezone.now()} if dice.random() < 0.3 else {}
            start = NOW + timedelta(minutes=n if dice.random() < 0.3 else 0)
            sent = parcel(source, make.alert(name, starts_at=start, **ended), group=f"{dice.randrange(3)}")
            told.append(commits.take_in(sent))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(send, range(16)))

    assert len(told) == 16 * 12
    assert set(Delivery.objects.values_list("pk", flat=True)) == {receipt.delivery for receipt in told}
    assert Delivery.objects.exclude(raw=None).count() == len(told)
    for incident in Incident.objects.all():
        assert timeline.verify(incident) is None
    open_ones = Incident.objects.open().values_list("correlation_key", flat=True)
    assert len(open_ones) == len(set(open_ones)) <= 3
    firing = Alert.objects.firing()
    assert not firing.filter(incident=None).exists()
    assert firing.count() == len(set(firing.values_list("fingerprint", flat=True)))
