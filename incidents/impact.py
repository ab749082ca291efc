"""What an incident burned: which SLOs it touched, and the share of their budgets that it took.

Computed from the ledger whenever it is asked for, and never stored: a late sample or a corrected moment corrects it.
Shares of different SLOs are never added. What a candidate burned can be asked for, and counts nowhere until somebody
confirms it; from then on it counts from its start.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from django.db import transaction
from django.db.models import DateTimeField, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from common.errors import Invalid
from incidents import timeline
from incidents.models import Entry, Incident, SloLink
from people import access
from people.actors import Actor
from slos import budget, ledger
from slos.budget import Interval, Status
from slos.models import Slo

MAX_LABELLED = 500  # SLOs that one delivery links to an incident; what is beyond waits for the next delivery
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,80}")


class Unchanged(Enum):
    """Said of what is to stay as it is."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


# Linking


@transaction.atomic
def link(
    incident: Incident,
    slo: Slo,
    *,
    origin: SloLink.Origin,
    by: Actor,
    now: datetime,
    impact_from: datetime | Unchanged | None = UNCHANGED,
    impact_to: datetime | Unchanged | None = UNCHANGED,
) -> tuple[SloLink, bool]:
    """Say that the incident touched the SLO, and from when to when: (link, True), or (link, False) where it was linked
    already; then what is given of the interval is set, and an entry tells of it if that changes anything.

    An end of the interval that is None is the incident's own: its start, its mitigation or resolution. Raises Invalid.
    """
    access.require(by, access.Act.RESPOND)
    Incident.objects.select_for_update().filter(pk=incident.pk).exists()
    found = incident.slo_links.filter(slo=slo).first()
    linked = found or SloLink(incident=incident, slo=slo, origin=origin, created_at=now)
    linked.incident, linked.slo = incident, slo
    before = (linked.impact_from, linked.impact_to)
    if not isinstance(impact_from, Unchanged):
        linked.impact_from = impact_from
    if not isinstance(impact_to, Unchanged):
        linked.impact_to = impact_to
    if found is not None and (linked.impact_from, linked.impact_to) == before:
        return linked, False
    _check(linked, now)
    linked.save()
    timeline.append([_entry(linked, by, now)], now=now)
    return linked, found is None


@transaction.atomic
def link_by_labels(incident: Incident, slugs: Collection[str], *, by: Actor, now: datetime) -> int:
    """Link the SLOs that alerts name, and count those that were not linked before. What names no SLO is passed over.

    One statement when there is nothing new, else a few more, however many SLOs are named.
    """
    named = sorted(slug for slug in set(slugs) if _SLUG.fullmatch(slug))
    if not named:
        return 0
    unlinked = Slo.objects.filter(slug__in=named[:MAX_LABELLED]).exclude(incident_links__incident=incident)
    if not unlinked.exists():
        return 0
    Incident.objects.select_for_update().filter(pk=incident.pk).exists()
    links = [
        SloLink(incident=incident, slo=slo, origin=SloLink.Origin.LABEL, created_at=now)
        for slo in unlinked.order_by("slug")
    ]
    SloLink.objects.bulk_create(links, ignore_conflicts=True)
    timeline.append([_entry(linked, by, now) for linked in links], now=now)
    return len(links)


def _check(linked: SloLink, now: datetime) -> None:
    for name in ("impact_from", "impact_to"):
        moment = getattr(linked, name)
        if moment is not None and moment > now:
            raise Invalid(_("An impact is counted up to now."), errors=[(name, _("This lies in the future."))])
    begins, ended = linked.begins_at, linked.ended_at or now
    if linked.impact_from is not None and linked.impact_from >= ended:
        raise Invalid(
            _("The impact ends before it begins."),
            errors=[("impact_from", _("Before {instant}.").format(instant=_instant(ended)))],
        )
    if linked.impact_to is not None and linked.impact_to <= begins:
        raise Invalid(
            _("The impact ends before it begins."),
            errors=[("impact_to", _("After {instant}.").format(instant=_instant(begins)))],
        )


def _entry(linked: SloLink, by: Actor, now: datetime) -> tuple[Incident, timeline.Draft]:
    data = {"slo": linked.slo.slug, "name": linked.slo.name, "origin": str(linked.origin)}
    interval = {"impact_from": linked.impact_from, "impact_to": linked.impact_to}
    data |= {name: _instant(moment) for name, moment in interval.items() if moment is not None}
    return linked.incident, timeline.Draft(Entry.Kind.SLO_LINKED, by, now, data=data)


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


# Measuring


@dataclass(frozen=True, slots=True)
class Attribution:
    """Shares of this impact's budget where other incidents of the SLO overlap it, None where unknown. `full` is all of
    its interval, `union` all that happened in it and in them, `equal_split` its part when each moment is shared."""

    full: Fraction | None
    union: Fraction | None
    equal_split: Fraction | None


@dataclass(frozen=True, slots=True)
class Impact:
    """What an incident took of one SLO's budget. `bad`, `valid` and `budget` are events, the last two of the window;
    `minutes` are those of a total outage that would have cost the same. None is unknown.

    Where a calendar period ended within the impact, the numbers are of the period that it hurt most. `provisional`:
    the impact goes on, or the period that it counts against. No postmortem is required by what does not count.
    """

    link: SloLink
    impact_from: datetime
    impact_to: datetime
    window: Interval
    bad: Fraction | None
    valid: Fraction | None
    budget: Fraction | None
    share: Fraction | None
    share_low: Fraction | None
    share_high: Fraction | None
    minutes: Fraction | None
    coverage: Fraction | None
    status: Status
    postmortem_required: bool | None
    provisional: bool
    measured: Interval  # the part of the impact that the numbers are of
    attribution: Attribution | None = None  # where only one incident is asked for

    @property
    def slo(self) -> Slo:
        return self.link.slo

    @property
    def origin(self) -> str:
        return self.link.origin

    @property
    def counts(self) -> bool:
        """Whether it counts: what a candidate burned does once somebody confirms it."""
        return not self.link.incident.is_candidate


def impacts(incident: Incident, now: datetime) -> list[Impact]:
    """What the incident burned of each SLO that it is linked to, with attribution. Six statements at most."""
    links = incident.slo_links.select_related("incident", "slo__service", "slo__model")
    return with_attribution(measure(links, now), now)


def impacts_of(incidents: Iterable[Incident], now: datetime) -> dict[int, list[Impact]]:
    """The same for many incidents, by their primary key and without attribution: three statements for all of them."""
    by_incident: dict[int, list[Impact]] = {incident.pk: [] for incident in incidents}
    links = SloLink.objects.filter(incident__in=list(by_incident)).select_related("incident", "slo")
    for impact in measure(links, now):
        by_incident[impact.link.incident_id].append(impact)
    return by_incident


@dataclass(frozen=True, slots=True)
class Worst:
    """Of the SLOs that an incident burned, the one with the greatest known share."""

    slo: str
    share: Fraction
    is_red: bool  # whether a postmortem is due by it


def worst_of(incidents: Mapping[int, int], now: datetime) -> dict[int, Worst]:
    """Primary key -> the worst, where there is one. Asked with each incident's `last_seq`, as whatever changes an
    impact but a sample writes an entry: a sample is seen within KEPT. Three statements, none where all is known."""
    if len(_known) > 4096:
        _known.clear()
    fresh = {pk: _known.get((pk, seq)) for pk, seq in incidents.items()}
    missing = [pk for pk, seen in fresh.items() if seen is None or not timedelta() <= now - seen[0] < KEPT]
    if missing:
        links = SloLink.objects.filter(incident__in=missing).select_related("incident", "slo")
        impacts: dict[int, list[Impact]] = {pk: [] for pk in missing}
        for impact in measure(links, now):
            impacts[impact.link.incident_id].append(impact)
        for pk, found in impacts.items():
            _known[pk, incidents[pk]] = fresh[pk] = (now, _worst_of(found))
    return {pk: seen[1] for pk, seen in fresh.items() if seen is not None and seen[1] is not None}


KEPT = timedelta(seconds=15)
_known: dict[tuple[int, int], tuple[datetime, Worst | None]] = {}  # by primary key and last_seq: when, and what


def forget() -> None:
    """Measure anew the next time."""
    _known.clear()


def _worst_of(impacts: Sequence[Impact]) -> Worst | None:
    found = worst(impacts)
    if found is None or found.share is None:
        return None
    return Worst(str(found.slo), found.share, is_red=bool(found.postmortem_required))


def measure(links: Iterable[SloLink], now: datetime) -> list[Impact]:
    """What each link's incident burned of its SLO, without attribution: two statements for all of them."""
    links = list(links)
    asked = [(linked.slo, _interval(linked, now)) for linked in links]
    return [
        _impact(linked, interval, burned)
        for linked, (_, interval), burned in zip(links, asked, ledger.burned(asked, now=now), strict=True)
    ]


def with_attribution(impacts: Sequence[Impact], now: datetime) -> list[Impact]:
    """The same, each with whose its bad events are: three statements for all of them.

    Incidents that were dismissed or merged, and candidates, are not counted beside it; what a candidate itself burned
    is, as if it were confirmed. The numbers count private incidents too.
    """
    if not impacts:
        return []
    overlapping = _overlapping(impacts, now)
    asked: list[tuple[Slo, Mapping[int, Interval]]] = []
    for impact in impacts:
        others = {
            other.pk: _clipped(_interval(other, now), impact)
            for other in overlapping
            if other.slo_id == impact.slo.pk and other.incident_id != impact.link.incident_id
        }
        touching = {pk: interval for pk, interval in others.items() if _overlap(interval, impact.measured)}
        asked.append((impact.slo, {**touching, impact.link.pk: impact.measured}))
    return [
        replace(impact, attribution=_shares(impact, attribution))
        for impact, attribution in zip(impacts, ledger.attributed(asked), strict=True)
    ]


def worst(impacts: Iterable[Impact]) -> Impact | None:
    """The one with the greatest known share; shares are never added. None when none is known."""
    by_place = dict(enumerate(impacts))
    driver = budget.driver({place: impact.share for place, impact in by_place.items()})
    return None if driver is None else by_place[driver[0]]


def postmortem_required(impacts: Iterable[Impact]) -> bool | None:
    """Whether any of them took more than a fifth of its budget; None when none did and one is unknown."""
    answers = {impact.postmortem_required for impact in impacts}
    return True if True in answers else None if None in answers else False


def _interval(linked: SloLink, now: datetime) -> Interval:
    begins = linked.begins_at
    return Interval(begins, max(begins, linked.ended_at or now))


def _impact(linked: SloLink, interval: Interval, burned: ledger.Burned) -> Impact:
    counts = burned.counts
    return Impact(
        link=linked,
        impact_from=interval.start,
        impact_to=interval.end,
        window=burned.window,
        bad=counts.bad,
        valid=counts.valid,
        budget=counts.budget,
        share=counts.share,
        share_low=counts.share_low,
        share_high=counts.share_high,
        minutes=counts.minutes,
        coverage=burned.coverage,
        status=burned.status,
        postmortem_required=not linked.incident.is_candidate and counts.postmortem_required,
        provisional=linked.ended_at is None or burned.is_projected,
        measured=burned.interval,
    )


def _overlapping(impacts: Sequence[Impact], now: datetime) -> list[SloLink]:
    """The links of other incidents that lie across one of these impacts."""
    across = Q()
    for impact in impacts:
        across |= Q(slo=impact.slo, begins__lt=impact.measured.end, ends__gt=impact.measured.start) & ~Q(
            incident=impact.link.incident_id
        )
    own = ("incident__started_at", "incident__detected_at", "incident__created_at")
    ended = ("impact_to", "incident__mitigated_at", "incident__resolved_at")
    return list(
        SloLink.objects.confirmed()
        .exclude(incident__status__in=Incident.GONE)
        .annotate(begins=Coalesce("impact_from", *own), ends=Coalesce(*ended, Value(now, output_field=DateTimeField())))
        .filter(across)
        .select_related("incident")
    )


def _clipped(interval: Interval, impact: Impact) -> Interval:
    """What of it counts against the same calendar period; all of it where the window is a rolling one."""
    if not impact.slo.window_calendar:
        return interval
    start = min(max(interval.start, impact.window.start), impact.window.end)
    return Interval(start, max(start, min(interval.end, impact.window.end)))


def _overlap(one: Interval, other: Interval) -> bool:
    return one.start < other.end and other.start < one.end


def _shares(impact: Impact, attribution: budget.Attribution[int]) -> Attribution:
    def share(bad: Fraction | None) -> Fraction | None:
        return bad / impact.budget if bad is not None and impact.budget else None

    own = impact.link.pk
    return Attribution(
        full=share(attribution.full[own]),
        union=share(attribution.union),
        equal_split=share(attribution.equal_split[own]),
    )
