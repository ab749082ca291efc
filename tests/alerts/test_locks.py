"""Senders, people and the engine at the same few alerts and incidents at once: nobody waits in a circle, and nothing
ends up half done."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import pytest
from django.db import connection, connections

from alerts import grace, heartbeats, ingest, integrations, staleness
from alerts.models import Alert, Delivery, Integration
from common.errors import Invalid
from incidents import lifecycle, quiet, timeline
from incidents.models import Entry, Incident
from people.models import User
from tests import evidence, make

pytestmark = [pytest.mark.proof, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SEED = 20_263
SECONDS = 180.0 if evidence.is_wanted() else 10.0
PACE = 60.0  # seconds that pass for the product in one, so that graces and quiet periods end

NAMES = [f"Alert{n:02}" for n in range(16)]
GROUPS = {"one": NAMES[:12], "two": NAMES[:3:-1], "three": NAMES[::-2], "four": NAMES}  # overlapping, in opposite order
LATEST = 5  # incidents that people look at

ROUTES: list[dict[str, Any]] = [
    {"name": "life", "matchers": "alertname=Alert00", "does": "heartbeat", "heartbeat_interval": 10},
    {
        "name": "several",
        "matchers": 'alertname=~"Alert0[1-5]"',
        "correlate": "labels",
        "correlate_labels": ["severity"],
        "threshold": 3,
        "threshold_within": 600,
        "window": 300,
    },
    {
        "name": "beside",
        "matchers": 'alertname=~"Alert0[67]"',
        "does": "attach",
        "correlate": "labels",
        "correlate_labels": ["severity"],
    },
    {"name": "three", "matchers": 'alertname=~"Alert0[89]|Alert10"', "threshold": 3, "threshold_within": 600},
]

REFUSALS = (lifecycle.NotAllowed, lifecycle.AnotherIsOpen, Invalid, ingest.Contended)
Status = Incident.Status
Act: TypeAlias = Callable[[random.Random, datetime], str]


@pytest.mark.parametrize("routes", [[], ROUTES], ids=["without routes", "with routes"])
def test_senders_people_and_the_engine_never_wait_in_a_circle(bob: User, routes: list[dict[str, Any]]) -> None:
    source = make.integration()[0]
    integrations.set_routes(source, routes, by=make.SYSTEM, now=make.NOW)
    hammer = Hammer(source, bob)
    acts = [*[hammer.deliver] * 4, *[hammer.move] * 3, hammer.note, hammer.sweep]
    with evidence.of("locks", seed=SEED, threads=len(acts), routes=bool(routes)) as row:
        deadlocks = number_of_deadlocks()
        hammer.run(acts)
        row |= {
            **dict(sorted(hammer.done.items())),
            "refused": sum(hammer.refused.values()),
            "refused_as": dict(sorted(hammer.refused.items())),
            "deadlocks": number_of_deadlocks() - deadlocks,
            "faults": len(hammer.faults),
        }

    assert not hammer.faults, "\n\n".join(hammer.faults[:3])
    assert row["deadlocks"] == 0
    assert {"deliver", "repeat", "merged", "unmerged", "acknowledged", "resolved", "note", "sweep"} <= set(hammer.done)
    assert Delivery.objects.filter(outcome="taken").count() == hammer.done["deliver"] + hammer.done["repeat"]
    assert_all_is_whole()


class Hammer:
    """What the threads do, again and again until the time is over, and what became of it."""

    def __init__(self, source: Integration, manager: User) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.faults: list[str] = []
        self._source, self._by = source, make.person(manager)
        self._last: dict[str, bytes] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def run(self, acts: Sequence[Act]) -> None:
        threads = [threading.Thread(target=self._go_on, args=(act, SEED + n)) for n, act in enumerate(acts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def deliver(self, dice: random.Random, now: datetime) -> str:
        """Each alert has a new start every ten minutes, and may have ended since; or all is as it was."""
        group = dice.choice(list(GROUPS))
        known = self._last.get(group)
        start = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
        alerts = [
            make.alert(name, status="resolved", starts_at=start, ends_at=now)
            if dice.random() < 0.2
            else make.alert(name, starts_at=start)
            for name in GROUPS[group]
        ]
        is_repeat = known is not None and dice.random() < 0.5
        body = known if known is not None and is_repeat else make.alertmanager_body(*alerts, group=group)
        ingest.receive(self._source, body, now=now)
        self._last[group] = body
        return "repeat" if is_repeat else "deliver"

    def move(self, dice: random.Random, now: datetime) -> str:
        incidents = list(Incident.objects.order_by("-pk")[:LATEST])
        if not incidents:
            return "nothing"
        incident, other = dice.choice(incidents), dice.choice(incidents)
        before = incident.status
        allowed = lifecycle.MOVES[before]  # somebody else may be first
        to = Status.MERGED if Status.MERGED in allowed and dice.random() < 0.5 else dice.choice(allowed)
        moved = lifecycle.move(incident, to, by=self._by, now=now, reason="A false alarm", merged_into=other)
        if not moved:
            return "nothing"
        return "unmerged" if before == Status.MERGED else to.value

    def note(self, dice: random.Random, now: datetime) -> str:
        incidents = list(Incident.objects.order_by("-pk")[:LATEST])
        if not incidents:
            return "nothing"
        time.sleep(0.02)
        timeline.write(dice.choice(incidents), Entry.Kind.NOTE, "Looking", by=self._by, now=now)
        return "note"

    def sweep(self, dice: random.Random, now: datetime) -> str:
        time.sleep(0.05)
        grace.end(now=now)
        quiet.resolve_quiet(now=now)
        heartbeats.look(now=now)
        staleness.look(now=now)
        return "sweep"

    def _go_on(self, act: Act, seed: int) -> None:
        dice = random.Random(seed)
        done, refused = Counter[str](), Counter[str]()
        try:
            while (passed := time.monotonic() - self._began) < SECONDS and not self.faults:
                try:
                    done[act(dice, make.NOW + timedelta(seconds=passed * PACE))] += 1
                except REFUSALS as exc:
                    refused[exc.code] += 1
        except Exception:  # whatever it is, it is what is looked for
            self.faults.append(traceback.format_exc())
        finally:
            connections.close_all()
            with self._lock:
                self.done += done
                self.refused += refused


def number_of_deadlocks() -> int:
    """That PostgreSQL has had to end in this database. On SQLite only one writes at a time."""
    if connection.vendor != "postgresql":
        return 0
    time.sleep(1.5)  # what a connection counted is told after a second, or when it closes
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        [(number,)] = cursor.fetchall()
    return int(number)


def assert_all_is_whole() -> None:
    firing = list(Alert.objects.firing().select_related("incident"))
    assert len({(alert.fingerprint, alert.labels_hash) for alert in firing}) == len(firing)
    for alert in firing:
        if alert.incident is None:
            assert alert.routed is not None, alert
            assert alert.routed["becomes"] in ("waits", "heartbeat")
            continue
        assert alert.incident.status != Status.MERGED
    keyed = Incident.objects.open().exclude(correlation_key="")  # of a heartbeat, and past its window, it has none
    opened = Counter(keyed.values_list("correlation_key", flat=True))
    assert max(opened.values(), default=0) <= 1
    for incident in Incident.objects.all():
        assert timeline.verify(incident) is None
