"""How long things took, from the five moments of an incident. Pure: neither database nor clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incidents.models import Incident


@dataclass(frozen=True, slots=True)
class Durations:
    """Whole seconds; None where a moment is unknown, or where two contradict each other."""

    to_detect: int | None
    to_acknowledge: int | None
    to_mitigate: int | None
    to_resolve: int | None


def durations(incident: Incident) -> Durations:
    """Mitigation and resolution are counted from the start of the impact, or from its detection where that is unknown."""
    began = incident.started_at or incident.detected_at
    return Durations(
        to_detect=_seconds(incident.started_at, incident.detected_at),
        to_acknowledge=_seconds(incident.detected_at, incident.acknowledged_at),
        to_mitigate=_seconds(began, incident.mitigated_at),
        to_resolve=_seconds(began, incident.resolved_at),
    )


def _seconds(first: datetime | None, then: datetime | None) -> int | None:
    if first is None or then is None or then < first:
        return None
    return int((then - first).total_seconds())
