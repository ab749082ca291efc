"""What the list of incidents shows, in a number of queries that does not grow with what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Count, Q, QuerySet

from common import keyset
from common.errors import Invalid
from incidents import filters, impact, overview
from incidents.models import Incident, IncidentQuerySet, Responder
from people.actors import Actor
from slos.budget import Status
from slos.decimals import to_decimal_string

TABS = {"mine": "Mine", "open": "Open", "resolved": "Resolved", "all": "All"}
_OVER = (Incident.Status.RESOLVED, Incident.Status.CLOSED, Incident.Status.DISMISSED, Incident.Status.MERGED)


# The list


@dataclass(frozen=True, slots=True)
class Row:
    """An incident in the list. `worst`: of the SLOs that it burned, the one with the greatest share."""

    overview: overview.Overview
    worst: Burn | None

    @property
    def incident(self) -> Incident:
        return self.overview.incident

    @property
    def lasted(self) -> timedelta | None:
        """From its start to its resolution; None while it is open, or where nobody resolved it."""
        ended = self.incident.resolved_at
        return ended - self.incident.since if ended else None


@dataclass(frozen=True, slots=True)
class ListPage:
    rows: list[Row]
    next: str | None
    previous: str | None
    counts: Mapping[str, int]  # of the tabs that are counted

    @property
    def has_waiting(self) -> bool:
        """Whether one of them waits to be acknowledged."""
        return any(row.incident.status == Incident.Status.TRIGGERED for row in self.rows)


def list_page(actor: Actor, tab: str, asked: Any, cursor: str | None, now: datetime) -> ListPage:
    """The incidents of a tab that the actor may see, narrowed by what the address asks. Open ones by urgency, others
    the newest first. Seven queries. Raises Invalid for what no filter knows."""
    visible = Incident.objects.for_actor(actor)
    filtering = filters.IncidentFilter(asked, queryset=_of_tab(tab, overview.rows().for_actor(actor), actor))
    if not filtering.is_valid():
        faults = [(name, str(text)) for name, texts in filtering.errors.items() for text in texts]
        raise Invalid("No incident can be asked for like this: " + " ".join(text for _, text in faults), errors=faults)
    by_urgency = tab in ("mine", "open")
    ordering = "urgency" if by_urgency else "-opened"
    found = filtering.order(filtering.qs, "ordering", ordering)
    page = keyset.page(found, filters.ORDERS[ordering], cursor)
    rows = [Row(each, _worst(each.impacts)) for each in overview.of(page.rows, now=now)]
    counts = visible.open().aggregate(open=Count("pk"), mine=Count("pk", filter=_mine(actor)))
    return ListPage(rows, page.next, page.previous, counts)


def _of_tab(tab: str, incidents: IncidentQuerySet, actor: Actor) -> QuerySet[Incident]:
    match tab:
        case "mine":
            return incidents.open().filter(_mine(actor))
        case "open":
            return incidents.open()
        case "resolved":
            return incidents.filter(status__in=_OVER)
    return incidents


def _mine(actor: Actor) -> Q:
    """Of the actor's teams, or asking for them, or with them in it."""
    user = actor.user
    if user is None:
        return Q(pk__in=())
    called = Responder.objects.filter(user=user).exclude(state=Responder.State.LEFT)
    teams = user.memberships.exclude(role="viewer")
    return Q(pk__in=called.values("incident")) | Q(team__in=teams.values("team"))


# What both the list and the page of one show


@dataclass(frozen=True, slots=True)
class Burn:
    """What the incident took of one SLO's budget, as decimals; None is unknown, and `why` says for what reason."""

    impact: impact.Impact
    share: str | None
    percent: str  # of the bar
    bad: str | None
    budget: str | None
    low: str | None
    high: str | None
    coverage: str | None
    why: str


def web_address(url: str) -> str:
    """The address if it is http or https, else nothing: no link of ours runs a script."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def firing(incident: Incident) -> int:
    """How many of its alerts fire."""
    return incident.alerts.firing().count()


def burn_of(burned: impact.Impact) -> Burn:
    share = burned.share
    return Burn(
        impact=burned,
        share=to_decimal_string(share),
        percent=str(min(100, round(float(share) * 100, 1))) if share is not None else "0",
        bad=_events(burned.bad),
        budget=_events(burned.budget),
        low=to_decimal_string(burned.share_low),
        high=to_decimal_string(burned.share_high),
        coverage=to_decimal_string(burned.coverage),
        why=_WHY.get(burned.status, "it cannot be told from the samples that there are"),
    )


_WHY = {
    Status.UNKNOWN: "no sample covers the time of the incident",
    Status.ZERO_BUDGET_OK: "a target of 100% leaves no budget",
    Status.ZERO_BUDGET_EXCEEDED: "a target of 100% leaves no budget, and there were bad events",
}


def _worst(impacts: Iterable[impact.Impact]) -> Burn | None:
    found = impact.worst(impacts)
    return None if found is None else burn_of(found)


def _events(count: Any) -> str | None:
    """A number of events for people, whole where it is large."""
    if count is None:
        return None
    return f"{round(count):,}" if count >= 100 or count == round(count) else f"{float(count):,.1f}"
