"""What the pages of SLOs show, fetched in few queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.db.models import QuerySet

from people.actors import Actor
from slos import ledger
from slos.budget import Interval, Status
from slos.models import Slo

SHOWN = 50

_MOST_URGENT = (Status.ZERO_BUDGET_EXCEEDED, Status.EXCEEDED, Status.EXHAUSTED, Status.OK)


@dataclass(frozen=True, slots=True)
class Burner:
    """An incident that touched an SLO, and what it took of the budget. `provisional` while that may still change."""

    link: Any  # an incidents.SloLink: this room does not look into the other
    burned: ledger.Burned
    provisional: bool

    @property
    def share(self) -> Fraction | None:
        return self.burned.counts.share


def listed(slos: QuerySet[Slo], *, now: datetime) -> list[ledger.Standing]:
    """How each stands, the most urgent first: what exceeded its budget, then what has least left of it, then those of
    which nothing is known. Three queries."""
    standings = ledger.budgets(slos.select_related("service__team", "model"), now)
    return sorted(standings, key=_urgency)


def burners(slo: Slo, *, actor: Actor, now: datetime) -> list[Burner]:
    """The latest SHOWN incidents that touched the SLO and count, of those that this actor may see, the latest first.
    Three queries."""
    counted = slo.incident_links.for_actor(actor).confirmed()
    links = counted.select_related("incident").order_by("-incident_id")[:SHOWN]
    asked = [(slo, Interval(link.begins_at, max(link.begins_at, link.ended_at or now))) for link in links]
    return [
        Burner(link, burned, provisional=link.ended_at is None or burned.is_projected)
        for link, burned in zip(links, ledger.burned(asked, now=now), strict=True)
    ]


def candidates(slo: Slo, *, actor: Actor) -> list[Any]:
    """The latest SHOWN incidents that touched the SLO and count once somebody confirms them, as the actor may see them.
    One query."""
    links = slo.incident_links.for_actor(actor).awaiting().select_related("incident").order_by("-incident_id")
    return [link.incident for link in links[:SHOWN]]


def _urgency(standing: ledger.Standing) -> tuple[int, Fraction, str]:
    known = standing.status in _MOST_URGENT
    rank = _MOST_URGENT.index(standing.status) if known else len(_MOST_URGENT)
    return rank, standing.remaining if standing.remaining is not None else Fraction(1), standing.slo.name
