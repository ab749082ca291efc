"""How long things took, from the five moments of an incident. Pure: neither database nor clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.utils.translation import gettext as _

from common.errors import Invalid
from incidents.models import Incident

NAMES = ("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")


@dataclass(frozen=True, slots=True)
class Durations:
    """Whole seconds; None where a moment is unknown, or where two contradict each other."""

    to_detect: int | None
    to_acknowledge: int | None
    to_mitigate: int | None
    to_resolve: int | None


def durations(incident: Incident) -> Durations:
    """Mitigation and resolution count from the start of the impact, or from its detection where that is unknown."""
    began = incident.started_at or incident.detected_at
    return Durations(
        to_detect=_seconds(incident.started_at, incident.detected_at),
        to_acknowledge=_seconds(incident.detected_at, incident.acknowledged_at),
        to_mitigate=_seconds(began, incident.mitigated_at),
        to_resolve=_seconds(began, incident.resolved_at),
    )


def check(moments: Mapping[str, datetime | None], changed: Collection[str], *, now: datetime) -> None:
    """Raise Invalid where one that is `changed` lies in the future, or where they do not follow each other."""
    known = [(name, moment) for name in NAMES if (moment := moments.get(name)) is not None]
    for name, moment in known:
        if name in changed and moment > now:
            raise Invalid(_("A moment cannot lie in the future."), errors=[(name, _("This lies in the future."))])
    for (earlier, first), (later, second) in pairwise(known):
        if first > second:
            raise Invalid(
                _("The moments are out of order."),
                errors=[
                    (
                        later if later in changed else earlier,
                        _("{later} lies before {earlier}.").format(later=later, earlier=earlier),
                    )
                ],
            )


def _seconds(first: datetime | None, then: datetime | None) -> int | None:
    if first is None or then is None or then < first:
        return None
    return int((then - first).total_seconds())
