"""What an incident shows beside its own columns - who, which alerts, which SLOs - for one or a hundred of them in the
same number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from incidents import impact
from incidents.models import Incident, IncidentQuerySet, RoleAssignment
from people.models import User

COMMANDER = "commander"
_FIRING = Q(alerts__status="firing")
_ALERTS = {
    "firing": _FIRING & Q(alerts__stale_since=None),
    "resolved": Q(alerts__status="resolved"),
    "stale": _FIRING & Q(alerts__stale_since__isnull=False),  # not confirmed any more
}


@dataclass(frozen=True, slots=True)
class Overview:
    """An incident with what belongs to it."""

    incident: Incident
    alerts: Mapping[str, int]  # how many are firing, resolved, stale
    roles: Sequence[RoleAssignment]  # held now
    impacts: Sequence[impact.Impact]  # without attribution
    postmortem: int | None  # its number, where there is one

    @property
    def commander(self) -> User | None:
        return next((held.user for held in self.roles if held.role.slug == COMMANDER), None)


def rows() -> IncidentQuerySet:
    """Incidents with the columns of others that an overview needs."""
    found: IncidentQuerySet = Incident.objects.all()
    return found.select_related("service", "model", "team", "merged_into", "postmortem")


def of(incidents: Iterable[Incident], *, now: datetime) -> list[Overview]:
    """Their overviews, in the same order: five statements for all of them. They come from `rows`."""
    incidents = list(incidents)
    if not incidents:
        return []
    alerts = _alert_counts(incidents)
    roles: dict[int, list[RoleAssignment]] = {incident.pk: [] for incident in incidents}
    held = RoleAssignment.objects.filter(incident__in=incidents, ended_at=None).select_related("role", "user")
    for assignment in held.order_by("role__position", "since", "id"):
        roles[assignment.incident_id].append(assignment)
    impacts = impact.impacts_of(incidents, now)
    return [
        Overview(
            incident,
            alerts[incident.pk],
            roles[incident.pk],
            impacts[incident.pk],
            incident.number if hasattr(incident, "postmortem") else None,
        )
        for incident in incidents
    ]


def of_one(incident: Incident, *, now: datetime) -> Overview:
    """The overview of an incident as it stands in the database."""
    [overview] = of([rows().get(pk=incident.pk)], now=now)
    return overview


def _alert_counts(incidents: Sequence[Incident]) -> dict[int, dict[str, int]]:
    counted = (
        Incident.objects.filter(pk__in=[incident.pk for incident in incidents])
        .order_by()
        .annotate(**{status: Count("alerts", filter=which) for status, which in _ALERTS.items()})
    )
    return {row["pk"]: {status: row[status] for status in _ALERTS} for row in counted.values("pk", *_ALERTS)}
