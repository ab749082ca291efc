"""Many senders of alerts that go on whatever happens to who takes them in, and what the database must hold then."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from django.db.models import Count, Max, Min
from django.utils import timezone

from alerts.models import Alert, Delivery, Group, RawBody
from incidents import timeline
from incidents.models import Entry, Incident
from tests import make
from tests.faults.signing import HEADER

SENDERS = 50
TO_A_GROUP = 5  # senders that share one, so that they contend for it
SPELL = 2.0  # seconds until all go on to the next group, whose incident is to be opened
PAUSE = 1.0  # seconds at most between two bodies of a sender
BODIES = 8  # that one connection carries: a worker that has just started gets its share of the next ones
PATIENCE = 40.0  # seconds for an answer, more than anything in the product waits: none comes late, after its successor
STUBBORN = 120.0  # seconds that a body is sent again and again


class Instance(NamedTuple):
    """One alert that started at a moment."""

    fingerprint: str
    starts_at: datetime


class Fault(Exception):
    """An answer that no sender should get."""


class Sender(threading.Thread):
    """Posts bodies of its own alerts, each again and again until it is answered with 2xx, as Alertmanager does. Only
    then it is written down as taken."""

    def __init__(self, number: int, port: int, token: str, seed: int, began: float, is_over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.bodies: dict[str, bytes] = {}  # the sha256 of each that was taken, by the id of its delivery
        self.alerts: dict[Instance, str] = {}  # the last status of each that was taken
        self.groups: set[str] = set()
        self.workers: set[int] = set()  # that have answered
        self.answers: Counter[int] = Counter()
        self.took: list[float] = []  # from the first time that a body was sent to the answer
        self.resent = 0
        self.fault = ""
        self._number, self._port, self._began, self._is_over = number, port, began, is_over
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._dice = random.Random(f"{seed} {number}")
        self._count = 0
        self._group = ""
        self._known: dict[str, tuple[datetime, datetime | None]] = {}  # start and end of what it has sent of its group
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def run(self) -> None:
        try:
            while not self._is_over.wait(self._dice.uniform(0, PAUSE)):
                self._deliver(self._news())
        except Exception as exc:
            self.fault = f"sender {self._number}: {exc!r}"
        finally:
            self._connection.close()

    def _news(self) -> list[str]:
        """The fingerprints that the next body is about; what is known of them has moved on."""
        group = f"{self._number // TO_A_GROUP}-{int((time.monotonic() - self._began) / SPELL)}"
        if group != self._group:
            self._group, self._known = group, {}
        now = timezone.now()
        named = [fingerprint for fingerprint in self._known if self._dice.random() < 0.3]
        for fingerprint in named:
            starts_at, ends_at = self._known[fingerprint]
            self._known[fingerprint] = (now, None) if ends_at else (starts_at, now)
        for _ in range(self._dice.choice((0, 1, 1, 1, 1, 1, 1, 1, 1, 20))):
            self._count += 1
            named.append(f"{self._number:04x}{self._count:012x}")
            self._known[named[-1]] = (now, None)
        return named or list(self._known) or self._news()

    def _deliver(self, named: Sequence[str]) -> None:
        body = make.alertmanager_body(*(self._alert(each) for each in named), group=self._group)
        began = time.monotonic()
        while (delivery := self._post(body)) is None:
            if time.monotonic() - began > STUBBORN:
                raise Fault(f"a body is not taken: {dict(self.answers)}")
            self.resent += 1
            time.sleep(self._dice.uniform(0.05, 0.5))
        self.took.append(time.monotonic() - began)
        self.bodies[delivery] = sha256(body).digest()
        for fingerprint in named:
            starts_at, ends_at = self._known[fingerprint]
            self.alerts[Instance(fingerprint, starts_at)] = "resolved" if ends_at else "firing"
        self.groups.add(self._group)

    def _alert(self, fingerprint: str) -> dict[str, Any]:
        starts_at, ends_at = self._known[fingerprint]
        status = "resolved" if ends_at else "firing"
        labels = {"of": fingerprint}
        return make.alert(status=status, starts_at=starts_at, ends_at=ends_at, labels=labels, fingerprint=fingerprint)

    def _post(self, body: bytes) -> str | None:
        """The id of the delivery; None where it is to be sent again."""
        try:
            self._connection.request("POST", "/webhooks/alertmanager/", body, self._headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None
        self.answers[answer.status] += 1
        self.workers.add(int(answer.headers[HEADER]))
        if self.answers.total() % BODIES == 0:
            self._connection.close()
        if 200 <= answer.status < 300:
            return str(json.loads(said)["delivery"])
        if answer.status != 503 or not answer.headers["Retry-After"]:
            raise Fault(f"{answer.status} {said[:200]!r}")
        return None


class Crowd:
    """All senders, and what they were told all together."""

    def __init__(self, senders: Sequence[Sender]) -> None:
        self._senders = senders

    @property
    def workers(self) -> set[int]:
        """The web processes that have answered so far."""
        return set[int]().union(*(sender.workers.copy() for sender in self._senders))

    @property
    def faults(self) -> list[str]:
        return [sender.fault for sender in self._senders if sender.fault]

    @property
    def bodies(self) -> dict[str, bytes]:
        return {delivery: digest for sender in self._senders for delivery, digest in sender.bodies.items()}

    @property
    def alerts(self) -> dict[Instance, str]:
        return {instance: status for sender in self._senders for instance, status in sender.alerts.items()}

    @property
    def groups(self) -> set[str]:
        return set[str]().union(*(sender.groups for sender in self._senders))

    @property
    def answers(self) -> Counter[int]:
        return sum((sender.answers for sender in self._senders), Counter[int]())

    @property
    def resent(self) -> int:
        return sum(sender.resent for sender in self._senders)

    @property
    def took(self) -> list[float]:
        return [seconds for sender in self._senders for seconds in sender.took]


@contextmanager
def sending(port: int, token: str, seed: int, count: int = SENDERS, first: int = 0) -> Iterator[Crowd]:
    """Senders at work, numbered from `first`; at the end each has its last body taken."""
    is_over, began = threading.Event(), time.monotonic()
    senders = [Sender(number, port, token, seed, began, is_over) for number in range(first, first + count)]
    for sender in senders:
        sender.start()
    try:
        yield Crowd(senders)
    finally:
        is_over.set()
        for sender in senders:
            sender.join(2 * STUBBORN)
    assert not any(sender.is_alive() for sender in senders)


@dataclass
class Findings:
    """What is wrong in the database, in words."""

    missing: list[str] = field(default_factory=list)  # alerts
    wrong: list[str] = field(default_factory=list)  # alerts whose status is another
    deliveries: list[str] = field(default_factory=list)  # that are missing, or hold something else
    half: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        lost = len(self.missing) + len(self.wrong) + len(self.deliveries)
        return {"lost": lost, "half": len(self.half), "double": len(self.double)}


def look(crowd: Crowd) -> Findings:
    """Compare the database with what was answered."""
    rows = Alert.objects.values_list("fingerprint", "starts_at", "status")
    alerts = {Instance(fingerprint, starts_at): status for fingerprint, starts_at, status in rows}
    raws = {str(pk): bytes(raw) for pk, raw in Delivery.objects.exclude(raw=None).values_list("pk", "raw")}
    mistold = list(_mistold(crowd.alerts))
    return Findings(
        missing=[str(instance) for instance in crowd.alerts if instance not in alerts],
        wrong=[
            f"{instance} is {alerts[instance]}, was taken as {status}"
            for instance, status in crowd.alerts.items()
            if alerts.get(instance, status) != status
        ],
        deliveries=[
            *(pk for pk, digest in crowd.bodies.items() if raws.get(pk) != digest),
            *(f"{raw} has other bytes" for raw in RawBody.objects.iterator() if not _is_whole(raw)),
        ],
        half=[*_half(), *(f"{what} is never told of" for what, times in mistold if not times)],
        double=[
            *_double(crowd.groups, alerts.keys() - crowd.alerts.keys()),
            *(f"{what} is told of {times} times" for what, times in mistold if times),
        ],
    )


def _is_whole(raw: RawBody) -> bool:
    return sha256(raw.body).digest() == bytes(raw.sha256)


def _half() -> Iterator[str]:
    entries = {
        pk: found
        for pk, *found in Entry.objects.order_by()
        .values_list("incident")
        .annotate(count=Count("pk"), first=Min("seq"), last=Max("seq"))
    }
    for incident in Incident.objects.iterator():
        if entries.get(incident.pk) != [incident.last_seq, 1, incident.last_seq]:
            yield f"incident {incident.number} counts {incident.last_seq} entries, has {entries.get(incident.pk)}"
        if broken := timeline.verify(incident):
            yield str(broken)
    for incident in Incident.objects.exclude(correlation_key="").filter(alerts=None):
        yield f"incident {incident.number} has no alerts"
    for alert in Alert.objects.filter(status="firing", incident=None):
        yield f"{alert.fingerprint} fires without an incident"
    for group in Group.objects.filter(incident=None):
        yield f"group {group.key} has no incident"


def _mistold(alerts: Mapping[Instance, str]) -> Iterator[tuple[str, int]]:
    """What the timelines tell of any other number of times than once: that an alert fired, and that it ended."""
    told: Counter[tuple[str, Instance]] = Counter()
    entries = Entry.objects.filter(kind__in=(Entry.Kind.ALERTS_FIRED, Entry.Kind.ALERTS_RESOLVED)).order_by()
    for kind, data in entries.values_list("kind", "data").iterator():
        for each in data["alerts"]:
            told[kind, Instance(each["fingerprint"], datetime.fromisoformat(each["starts_at"]))] += 1
    for instance, status in alerts.items():
        if (times := told[Entry.Kind.ALERTS_FIRED, instance]) != 1:
            yield f"that {instance} fired", times
        if (times := told[Entry.Kind.ALERTS_RESOLVED, instance]) != (status == "resolved"):
            yield f"that {instance} ended", times


def _double(groups: set[str], unknown: Iterable[Instance]) -> Iterator[str]:
    open_ones = Incident.objects.open().order_by().values_list("correlation_key").annotate(n=Count("pk"))
    for key, count in open_ones.filter(n__gt=1):
        yield f"{count} open incidents of {key}"
    firing = Alert.objects.firing().order_by().values_list("integration", "fingerprint").annotate(n=Count("pk"))
    for _, fingerprint, count in firing.filter(n__gt=1):
        yield f"{fingerprint} fires {count} times"
    if (incidents := Incident.objects.count()) != len(groups):
        yield f"{incidents} incidents of {len(groups)} groups"
    for instance in unknown:
        yield f"{instance} was never sent"
