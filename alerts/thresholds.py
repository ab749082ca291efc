"""Whether alerts that have no incident are enough for one, and which of them speaks for it. Judged route by route,
within one correlation key. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from alerts import payload
from alerts.routing import Asked, Destination
from alerts.upsert import Identity


class Homeless(NamedTuple):
    """An alert of a delivery that fires and has no incident. It counts as one that fires since then."""

    identity: Identity
    alert: payload.Alert
    goes: Destination
    since: datetime


class Waiting(NamedTuple):
    """One of an earlier delivery that waits, and what its route asks for."""

    asks: Asked
    labels: Mapping[str, str]
    since: datetime


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks for before an incident opens, and the labels of what fires of late by it."""

    asks: Asked
    of_late: Sequence[Mapping[str, str]]

    @property
    def is_met(self) -> bool:
        return self.asks.wanted <= 1 or self.found >= self.asks.wanted

    @property
    def found(self) -> int:
        label = self.asks.label
        return len({labels.get(label, "") for labels in self.of_late}) if label else len(self.of_late)


def needs(homeless: Sequence[Homeless], waiting: Sequence[Waiting], *, at: datetime) -> list[Need]:
    """What each route asks for by which these alerts would open an incident; what attaches opens none. One that is met
    is enough for all alerts of the key."""
    found: list[Need] = []
    openers = [each for each in sorted(homeless, key=lambda its: its.identity) if each.goes.does != "attach"]
    for asks in dict.fromkeys(each.goes.asks for each in openers):
        mine = [each for each in openers if each.goes.asks == asks]
        since = at - timedelta(seconds=asks.within)
        of_late: list[Mapping[str, str]] = [each.alert.labels for each in mine if each.since >= since]
        of_late += [each.labels for each in waiting if each.asks == asks and each.since >= since]
        found.append(Need(asks, of_late))
    return found


def in_order(homeless: Sequence[Homeless], judged: Sequence[Need]) -> list[Homeless]:
    """The alerts of an incident that opens. The first speaks for it: it is of a route whose need is met, and only a
    candidate where all those are."""
    met = {need.asks for need in judged if need.is_met}

    def rank(each: Homeless) -> tuple[bool, bool, Identity]:
        speaks = each.goes.does != "attach" and each.goes.asks in met
        return not speaks, speaks and not each.goes.makes_count, each.identity

    return sorted(homeless, key=rank)
