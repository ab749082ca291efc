"""What a delivery means, before anything of it is written. No database, no clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from alerts import payload, rules
from alerts.payload import Notification
from alerts.upsert import Identity, Key
from incidents.models import Incident


@dataclass(frozen=True, slots=True)
class Times:
    """What is taken in was heard `at` a time, by which the rules judge it; it is written down `now`, and its alerts
    were last delivered when they were `seen_at`. All three are the same for what a request takes in."""

    at: datetime
    now: datetime
    seen_at: datetime

    @classmethod
    def of_receipt(cls, received_at: datetime, now: datetime) -> Times:
        at = min(received_at, now)  # whose clock is ahead has received nothing in our future
        return cls(at, now, at)


class Overtaken(Exception):
    """Something else changed what was planned upon, or lies in the way. `incidents` are to be locked too, the next
    time."""

    def __init__(self, incidents: Iterable[int] = ()) -> None:
        super().__init__()
        self.incidents = set(incidents)


class Judge(Protocol):
    """Of what is known of a fingerprint and what is said of it, what it is now."""

    def __call__(
        self, known: Collection[rules.Instance], named: Sequence[rules.Instance], /, *, now: datetime, grace: timedelta
    ) -> rules.Verdict: ...


@dataclass(slots=True)
class Plan:
    known: dict[Key, rules.Instance] = field(default_factory=dict)  # what was delivered, as it is before this
    verdicts: dict[Identity, rules.Verdict] = field(default_factory=dict)  # in the order in which rows are locked
    sent: dict[Key, payload.Alert] = field(default_factory=dict)
    fired: list[tuple[Identity, payload.Alert]] = field(default_factory=list)  # not open before, open now
    ended: list[Identity] = field(default_factory=list)  # open before, not open now
    overtaken: list[int] = field(default_factory=list)  # ids of rows that another instance replaces
    uncovered: list[int] = field(
        default_factory=list
    )  # ids of rows that another instance replaced, wrongly as we know now
    # what is open and was heard of by an earlier start alone, and what was said of that
    confirmed: dict[Identity, tuple[rules.Instance, payload.Alert]] = field(default_factory=dict)
    home: dict[Identity, Incident] = field(default_factory=dict)  # which incident an identity belongs to
    moving: set[Identity] = field(default_factory=set)  # what returned after its own incident was over, to another
    lonely: set[Identity] = field(default_factory=set)  # sent, open before and now, and in no incident
    opened: list[Incident] = field(default_factory=list)
    told: dict[Identity, dict[str, Any]] = field(default_factory=dict)  # what a route made of it
    waits_for: dict[Identity, str] = field(default_factory=dict)  # the key of an incident that may yet take it

    @property
    def instances(self) -> Iterator[rules.Instance]:
        """All that it speaks of; some more than once."""
        for verdict in self.verdicts.values():
            yield from filter(None, (verdict.was_open, verdict.is_open, *verdict.delivered))

    @property
    def incidents(self) -> set[int]:
        """The ids of those to which what it speaks of belongs so far."""
        return {instance.incident_id for instance in self.instances if instance.incident_id}

    @property
    def heard(self) -> Iterator[rules.Instance]:
        """What is known of all that it confirms."""
        yield from self.known.values()
        yield from (instance for instance, _ in self.confirmed.values())

    def said_of_open(self, identity: Identity) -> payload.Alert:
        """What is said of the instance that is open."""
        if identity in self.confirmed:
            return self.confirmed[identity][1]
        instance = self.verdicts[identity].is_open
        assert instance is not None, "it fires"
        return self.sent[(*identity, instance.starts_at)]

    @property
    def has_several_of_one(self) -> bool:
        """Whether it writes more than one instance of an alert."""
        return bool(self.confirmed) or len(self.sent) > len(self.verdicts)

    @property
    def brings_nothing_new(self) -> bool:
        """Whether all that was delivered is known already, to the letter."""
        return (
            bool(self.sent)
            and len(self.known) == len(self.sent)
            and not (self.fired or self.ended or self.overtaken or self.uncovered or self.lonely)
            and all(self.sent[key].content_hash == known.content_hash for key, known in self.known.items())
            and all(said.content_hash == known.content_hash for known, said in self.confirmed.values())
            and all(
                instance == self.known[(*identity, instance.starts_at)]
                for identity, verdict in self.verdicts.items()
                for instance in verdict.delivered
            )
        )


def make(
    notification: Notification,
    known: Mapping[Identity, Sequence[rules.Instance]],
    judge: Judge,
    *,
    at: datetime,
    grace: timedelta,
) -> Plan:
    """Fold what was heard at this time into what is known."""
    sent: dict[Identity, list[payload.Alert]] = defaultdict(list)
    for alert in notification.alerts:
        sent[alert.identity].append(alert)
    plan = Plan()
    for identity in sorted(sent):
        alerts, before = sent[identity], known.get(identity, ())
        verdict = judge(before, [_instance(alert) for alert in alerts], now=at, grace=grace)
        plan.verdicts[identity] = verdict
        for alert in alerts:
            plan.sent[(*identity, alert.starts_at)] = alert
        for instance in before:
            if (*identity, instance.starts_at) in plan.sent:
                plan.known[(*identity, instance.starts_at)] = instance
        plan.overtaken += [old.id for old in verdict.overtaken if old.id is not None]
        if verdict.confirmed is not None:
            firing = (alert for alert in alerts if alert.status == "firing")
            plan.confirmed[identity] = verdict.confirmed, max(firing, key=lambda alert: alert.starts_at)
        if verdict.uncovered is not None and verdict.uncovered.id is not None:
            plan.uncovered.append(verdict.uncovered.id)
        if verdict.is_open and not verdict.was_open:
            plan.fired.append((identity, plan.sent[(*identity, verdict.is_open.starts_at)]))
        still = verdict.is_open if verdict.was_open else None
        is_heard = still and (identity in plan.confirmed or (*identity, still.starts_at) in plan.sent)
        if still and still.incident_id is None and is_heard:
            plan.lonely.add(identity)
        if verdict.was_open and not verdict.is_open:
            plan.ended.append(identity)
    return plan


def _instance(alert: payload.Alert) -> rules.Instance:
    return rules.Instance(alert.starts_at, alert.ends_at, alert.status == "firing", content_hash=alert.content_hash)
