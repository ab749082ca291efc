"""The life of alerts at random: whatever senders repeat, reorder, split, cut or keep silent about, and whatever people
do with the incidents meanwhile, what is kept agrees after each step with a model of a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from django.conf import settings
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alerts import grace, ingest
from alerts.models import Alert
from incidents import lifecycle, quiet, timeline
from incidents.models import Incident
from people.actors import Actor
from people.models import User
from tests import evidence, make
from tests.undone import undone

pytestmark = [pytest.mark.proof, pytest.mark.slow]

SEED = 20_262
# Parts that may run side by side, the runs of each, and the steps of a run.
PARTS, RUNS, STEPS = (10, 1_000, 50) if evidence.is_wanted() else (1, 500, 20)

GRACE = timedelta(seconds=settings.ENV.provisional_grace)
REFUSALS = (lifecycle.NotAllowed, lifecycle.AnotherIsOpen)
Status = Incident.Status

NAMES = ("A", "B")
GROUPS = ("one", "two")
names = st.sampled_from(NAMES)
groups = st.sampled_from(GROUPS)
some = st.integers(0, 5)  # which of those there are
arrives = st.sampled_from(["now", "now", "late"])  # which may come to be never
minutes = st.sampled_from([0.5, 2, 6, 31])


@dataclass
class Told:
    """What was said of one instance: until when it fired, since when it seems to fire again after that, and whether
    another one took its place without that it had resolved."""

    end: datetime | None = None
    again_since: datetime | None = None
    is_passed: bool = False


@dataclass
class Model:
    """Of each alert every instance by its start. What they are follows from what was said, whatever came first:
    resolved is final, only the greatest start can be open, and it is not where a resolved instance covers it. What was
    covered, and is so no more as an earlier end was heard of, fires with the next that outlives its grace.
    """

    alerts: dict[str, dict[datetime, Told]] = field(default_factory=lambda: {name: {} for name in NAMES})

    def hear(self, name: str, start: datetime, end: datetime | None, now: datetime) -> None:
        told = self.alerts[name].setdefault(start, Told(end))
        if end is not None:
            told.end, told.again_since, told.is_passed = min(told.end or end, end), None, False
        elif told.is_passed:
            if self.may_open(name, start):
                told.end, told.again_since, told.is_passed = None, None, False
        elif told.end is not None:
            told.again_since = told.again_since or now
            if self._ends_grace(name, start, now):
                told.is_passed = told.end is not None
        for other, its in self.alerts[name].items():
            its.is_passed |= its.end is None and not self.may_open(name, other)
        last = self.alerts[name][newest := max(self.alerts[name])]
        if last.is_passed and last.again_since is None and newest != start and self.may_open(name, newest):
            last.again_since = newest

    def end_graces(self, now: datetime) -> None:
        for name, instances in self.alerts.items():
            for start, told in instances.items():
                if told.again_since is not None:
                    self._ends_grace(name, start, now)

    def _ends_grace(self, name: str, start: datetime, now: datetime) -> bool:
        told = self.alerts[name][start]
        assert told.again_since is not None
        if now - told.again_since < GRACE:
            return False
        told.again_since = None
        if self.may_open(name, start):
            told.end, told.is_passed = None, False
        return True

    def may_open(self, name: str, start: datetime) -> bool:
        instances = self.alerts[name]
        covered = any(other < start < told.end for other, told in instances.items() if told.end is not None)
        return start == max(instances) and not covered

    @property
    def open(self) -> dict[str, datetime]:
        """The start of each alert that fires."""
        return {
            name: start
            for name, instances in self.alerts.items()
            for start, told in instances.items()
            if told.end is None and not told.is_passed and self.may_open(name, start)
        }

    @property
    def rows(self) -> dict[tuple[str, datetime], tuple[str, datetime | None]]:
        """The status of each instance, and since when it waits for its grace to end, if it can fire then."""
        opened = self.open
        return {
            (name, start): (
                "firing" if opened.get(name) == start else "resolved",
                told.again_since if self.may_open(name, start) else None,
            )
            for name, instances in self.alerts.items()
            for start, told in instances.items()
        }


@dataclass(frozen=True)
class Sent:
    """A delivery: what it says of each alert, and the bytes that say it."""

    says: tuple[tuple[str, datetime, datetime | None], ...]
    body: bytes


class AlertLife(RuleBasedStateMachine):
    """Two alerts in two groups, as their source sees them (`truth`), and as it is told."""

    manager: ClassVar[User]
    done: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.ending = ExitStack()
        self.ending.enter_context(undone())
        self.source = make.integration(make.unique("source"))[0]
        self.by: Actor = make.person(self.manager)
        self.now = self.source_now = make.NOW
        self.model = Model()
        self.truth: dict[str, tuple[datetime, datetime | None]] = {}
        self.group_of = dict.fromkeys(NAMES, GROUPS[0])
        self.silenced: set[str] = set()
        self.sent: list[Sent] = []
        self.held: list[Sent] = []
        self.entries: int | None = 0  # how many there must be; None where more may have come
        self.at_least = 0
        self.verified: dict[int, str] = {}
        self.done["runs"] += 1

    def teardown(self) -> None:
        try:
            for incident in self.incidents():
                assert timeline.verify(incident) is None
        finally:
            self.ending.close()

    # What the source tells

    @initialize(name=names, arrives=arrives)
    def begins(self, name: str, arrives: str) -> None:
        self.fires(name, arrives)

    @rule(name=names, arrives=arrives)
    def fires(self, name: str, arrives: str) -> None:
        """Also while it fires: then it flapped between two deliveries, and its start has moved."""
        self.truth[name] = (self._tick(), None)
        self._send(self.group_of[name], arrives)

    @precondition(lambda self: self._firing())
    @rule(which=some, arrives=arrives)
    def resolves(self, which: int, arrives: str) -> None:
        name = one_of(self._firing(), which)
        self.truth[name] = (self.truth[name][0], self._tick())
        self._send(self.group_of[name], arrives)

    @precondition(lambda self: self._resolved())
    @rule(which=some, arrives=arrives)
    def fires_again_with_the_same_start(self, which: int, arrives: str) -> None:
        name = one_of(self._resolved(), which)
        self.truth[name] = (self.truth[name][0], None)
        self._send(self.group_of[name], arrives)

    @precondition(lambda self: self._firing())
    @rule(which=some, minutes=minutes)
    def has_begun_earlier(self, which: int, minutes: float) -> None:
        """As a second Prometheus saw it."""
        name = one_of(self._firing(), which)
        self.truth[name] = (self.truth[name][0] - timedelta(minutes=minutes), None)
        self._send(self.group_of[name])

    @precondition(lambda self: self._resolved())
    @rule(which=some, minutes=minutes)
    def has_a_later_end_elsewhere(self, which: int, minutes: float) -> None:
        """As the other side of a partition saw it."""
        name = one_of(self._resolved(), which)
        start, end = self.truth[name]
        assert end is not None
        self._deliver(sent(self.group_of[name], [(name, start, end + timedelta(minutes=minutes))]))

    @rule(group=groups)
    def repeats(self, group: str) -> None:
        self._send(group)

    @precondition(lambda self: self.held)
    @rule(which=some)
    def comes_late(self, which: int) -> None:
        self._deliver(self.held.pop(which % len(self.held)))

    @precondition(lambda self: self.sent)
    @rule()
    def comes_again_as_the_answer_was_lost(self) -> None:
        self._deliver(self.sent[-1])

    @precondition(lambda self: self.sent)
    @rule(which=some)
    def comes_again_from_another_node(self, which: int) -> None:
        """Which may be behind."""
        self._deliver(self.sent[-1 - which % len(self.sent)])

    @rule(name=names, group=groups)
    def goes_to_another_group(self, name: str, group: str) -> None:
        self.group_of[name] = group
        self._send(group)

    @rule(name=names, group=groups)
    def goes_to_another_group_too(self, name: str, group: str) -> None:
        self._send(group, also=name)

    @precondition(lambda self: self._largest())
    @rule(which=some)
    def is_cut_off(self, which: int) -> None:
        group = self._largest()
        says = self._says(group)
        says.pop(which % len(says))
        self._deliver(sent(group, says, truncated=1))

    @rule(name=names)
    def is_silenced_or_no_longer(self, name: str) -> None:
        self.silenced ^= {name}

    # What time and people do

    @rule(minutes=minutes, is_swept=st.booleans())
    def time_passes(self, minutes: float, is_swept: bool) -> None:
        """And what is due then is done, or not yet."""
        self.now += timedelta(minutes=minutes)
        self.source_now += timedelta(minutes=minutes)
        if is_swept:
            self._sweep()

    @rule(hours=st.sampled_from([-1, 1]))
    def the_clock_steps(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self._sweep()

    @rule(which=some, to=st.sampled_from([status for status in Status if status != Status.MERGED]))
    def a_person_moves_an_incident(self, which: int, to: Status) -> None:
        """Acknowledges it, resolves it, opens it again, takes it out of the one into which it was merged."""
        if incidents := self.incidents():
            self._move(incidents[which % len(incidents)], to)

    @rule(which=some, into=some)
    def a_person_merges_two(self, which: int, into: int) -> None:
        unmerged = [incident for incident in self.incidents() if incident.status != Status.MERGED]
        if unmerged and (one := unmerged[which % len(unmerged)]) != (other := unmerged[into % len(unmerged)]):
            self._move(one, Status.MERGED, other)

    # What holds after each step

    @invariant()
    def what_is_kept_agrees_with_the_model(self) -> None:
        self.done["steps"] += 1
        alerts = list(Alert.objects.filter(integration=self.source))
        assert len({(alert.name, alert.starts_at) for alert in alerts}) == len(alerts)
        assert {(alert.name, alert.starts_at): self.row(alert) for alert in alerts} == self.model.rows
        assert not [alert for alert in alerts if alert.superseded and alert.status == "firing"]
        incidents = {incident.pk: incident for incident in self.incidents()}
        for alert in alerts:
            if alert.status == "firing":
                assert alert.incident_id is not None
                assert incidents[alert.incident_id].status != Status.MERGED
        opened = Counter(incident.correlation_key for incident in incidents.values() if incident.is_open)
        assert max(opened.values(), default=0) <= 1
        for incident in incidents.values():
            if self.verified.get(incident.pk) != incident.last_hash:
                assert timeline.verify(incident) is None
                self.verified[incident.pk] = incident.last_hash
        written = sum(incident.last_seq for incident in incidents.values())
        assert written >= self.at_least
        assert self.entries in (None, written)
        self.entries = self.at_least = written

    def row(self, alert: Alert) -> tuple[str, datetime | None]:
        can_fire = self.model.may_open(alert.name, alert.starts_at)
        return alert.status, alert.provisional_since if can_fire else None

    def incidents(self) -> list[Incident]:
        return list(Incident.objects.order_by("pk"))

    def _tick(self) -> datetime:
        self.source_now += timedelta(seconds=20)
        return self.source_now

    def _firing(self) -> list[str]:
        return [name for name, (_, end) in self.truth.items() if end is None]

    def _resolved(self) -> list[str]:
        return [name for name, (_, end) in self.truth.items() if end is not None]

    def _largest(self) -> str:
        """The group of most alerts, if there is one of several."""
        return max(GROUPS, key=lambda group: len(self._says(group))) if any(self._says(g)[1:] for g in GROUPS) else ""

    def _says(self, group: str, also: str = "") -> list[tuple[str, datetime, datetime | None]]:
        """What a body for the group would say now."""
        return [
            (name, *self.truth[name])
            for name in NAMES
            if name in self.truth and name not in self.silenced and (self.group_of[name] == group or name == also)
        ]

    def _send(self, group: str, arrives: str = "now", also: str = "") -> None:
        says = self._says(group, also)
        if says and arrives == "now":
            self._deliver(sent(group, says))
        elif says and arrives == "late":
            self.held.append(sent(group, says))

    def _deliver(self, sent: Sent) -> None:
        self.now += timedelta(seconds=1)
        before = self.model.open
        for name, start, end in sent.says:
            self.model.hear(name, start, end, self.now)
        receipt = ingest.receive(self.source, sent.body, now=self.now)
        counts = dict(receipt.counts)
        assert counts.pop("received") == sum(counts.values()) == len(sent.says)
        self._expect_entries(before)
        self.sent.append(sent)
        self.done["deliveries"] += 1

    def _expect_entries(self, before: dict[str, datetime]) -> None:
        """Nothing is told where the same alerts fire as before; and something where others do."""
        after = self.model.open
        if after != before:
            self.entries = None
            self.at_least += set(after) != set(before)

    def _sweep(self) -> None:
        before = self.model.open
        self.model.end_graces(self.now)
        grace.end(now=self.now)
        self._expect_entries(before)
        if quiet.resolve_quiet(now=self.now):
            self.entries = None

    def _move(self, incident: Incident, to: Status, into: Incident | None = None) -> None:
        self.now += timedelta(seconds=1)
        self.entries = None
        try:
            lifecycle.move(incident, to, by=self.by, now=self.now, reason="A false alarm", merged_into=into)
            self.done["moves"] += 1
        except REFUSALS:
            self.done["refused"] += 1


def one_of(found: Sequence[str], which: int) -> str:
    return found[which % len(found)]


def sent(group: str, says: Iterable[tuple[str, datetime, datetime | None]], truncated: int = 0) -> Sent:
    says = tuple(says)
    alerts = [
        make.alert(name, status="resolved" if end else "firing", starts_at=start, ends_at=end)
        for name, start, end in says
    ]
    return Sent(says, make.alertmanager_body(*alerts, group=group, truncatedAlerts=truncated))


@pytest.mark.django_db
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_to_alerts_what_is_kept_agrees_with_the_model(bob: User, part: int) -> None:
    class Life(AlertLife):
        manager = bob
        done = Counter[str]()

    with evidence.of("alert-life", seed=SEED + part, steps_of_a_run=STEPS) as row:
        run_state_machine_as_test(
            seed(SEED + part)(Life),
            settings=hypothesis_settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
        row |= dict(Life.done)

    assert row["runs"] >= RUNS
    assert row["deliveries"] >= row["runs"]
