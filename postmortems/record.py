"""What the record of an incident says, read once: its entries, people, alerts and what it burned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, Q

from incidents import impact
from incidents.models import Entry, Incident, Responder, RoleAssignment
from people.actors import ActorType

_STATUS_OF = {"acknowledged_at": "acknowledged", "mitigated_at": "mitigated", "resolved_at": "resolved"}
_SPEAKING = ("summary", "description", "message", "title")
_FIRST_ALERTS = 50


@dataclass(frozen=True, slots=True)
class AlertName:
    """All instances of the alerts of one name."""

    name: str
    times: int
    firing: int
    first_start: datetime
    last_end: datetime | None
    says: str  # what the first of them is annotated with


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """One instance, in the order in which we heard of them."""

    name: str
    source: str
    says: str
    generator_url: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that a postmortem may rest on."""

    incident: Incident
    entries: list[Entry]
    responders: list[Responder]
    roles: list[RoleAssignment]
    alert_names: list[AlertName]
    alerts_seen: list[AlertSeen]
    impacts: list[impact.Impact]

    def of(self, *kinds: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind in kinds]

    @property
    def starred(self) -> set[int]:
        """The seqs of the entries that have a star."""
        said = {entry.amends: bool(entry.data.get("marked")) for entry in self.of(Entry.Kind.MARKED)}
        return {seq for seq, is_marked in said.items() if seq is not None and is_marked}

    @property
    def opening(self) -> Entry | None:
        return self.entries[0] if self.entries else None

    @property
    def impact_ended_at(self) -> datetime | None:
        return self.incident.mitigated_at or self.incident.resolved_at

    @property
    def is_detected_by_alert(self) -> bool:
        return bool(self.opening and self.opening.actor_type == ActorType.ALERT)

    def moment(self, name: str) -> Entry | None:
        """The entry that a moment comes from: its last correction, the move that brought it, or the opening."""
        moved = self.move_to(name)
        for entry in reversed(self.of(Entry.Kind.MOMENT_CORRECTED)):
            if entry.data.get("field") == name and (moved is None or entry.seq > moved.seq):
                return entry
        return moved or (self.opening if name in ("started_at", "detected_at") else None)

    def move_to(self, name: str) -> Entry | None:
        """The last change of status that brought this moment."""
        moves = [entry for entry in self.of(Entry.Kind.STATUS_CHANGED) if entry.data.get("to") == _STATUS_OF.get(name)]
        return moves[-1] if moves else None

    def about(self, *fields: str) -> list[Entry]:
        """The entries that changed these fields."""
        kinds = (Entry.Kind.FIELD_CHANGED, Entry.Kind.SEVERITY_CHANGED)
        return [entry for entry in self.of(*kinds) if entry.data.get("field") in fields]


def read(incident: Incident, now: datetime) -> Record:
    """Everything, in a number of queries that does not depend on how much there is."""
    seen = _alerts_seen(incident)
    return Record(
        incident=incident,
        entries=list(incident.entries.defer("html", "content_hash", "previous_hash", "hash").order_by("seq")),
        responders=list(incident.responders.select_related("user", "discipline")),
        roles=list(incident.role_assignments.select_related("role", "user")),
        alert_names=_alert_names(incident, {alert.name: alert.says for alert in reversed(seen)}),
        alerts_seen=seen,
        impacts=impact.impacts_of([incident], now)[incident.pk],
    )


def _alert_names(incident: Incident, says: Mapping[str, str]) -> list[AlertName]:
    rows = (
        incident.alerts.order_by()
        .values("name")
        .annotate(
            times=Count("id"),
            firing=Count("id", filter=Q(status="firing")),
            first_start=Min("starts_at"),
            last_end=Max("ends_at"),
        )
        .order_by("first_start", "name")
    )
    return [AlertName(**row, says=says.get(row["name"], "")) for row in rows]


def _alerts_seen(incident: Incident) -> list[AlertSeen]:
    rows = incident.alerts.order_by("first_seen_at", "starts_at", "id").values_list(
        "name", "integration__name", "annotations", "generator_url"
    )[:_FIRST_ALERTS]
    return [AlertSeen(name, source, _says(annotations), url) for name, source, annotations, url in rows]


def _says(annotations: Mapping[str, object]) -> str:
    """The sentence that whoever wrote the alert's rule meant for people."""
    return next((str(annotations[key]) for key in _SPEAKING if annotations.get(key)), "")
