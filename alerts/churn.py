"""An alert whose label changes at every evaluation - a value, a percentage - is a new alert each time, and may be a
group of its own each time: it opens some incidents, and what comes after them joins the last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from alerts.models import Integration
from incidents.models import Incident

WITHIN = timedelta(minutes=30)
AT_MOST = 3  # incidents that differ in one such label alone
_LOOKED_AT = 50


def same(integration: Integration, labels: Mapping[str, str], *, at: datetime) -> Incident | None:
    """The incident that alerts with these labels are to join in place of opening another: the latest of so many that
    were opened lately, and that differ from it in one label alone, whose value is a number. Asks for nothing where no
    label has a number."""
    numbers = [name for name, value in labels.items() if _is_number(value)]
    if not numbers:
        return None
    lately = (
        Incident.objects.filter(created_at__gt=at - WITHIN, correlation_key__startswith=f"{integration.pk}:")
        .order_by("-created_at", "-id")
        .only("id", "labels", "status", "merged_into", "correlation_key", "resolved_at", "updated_at", "number")
    )
    recent = list(lately[:_LOOKED_AT])
    for name in numbers:
        rest = {**labels, name: ""}
        alike = [each for each in recent if _is_number(each.labels.get(name, "")) and {**each.labels, name: ""} == rest]
        if len(alike) >= AT_MOST:
            return next((each for each in alike if each.is_open), None)
    return None


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip("%"))
    except ValueError:
        return False
    return True
