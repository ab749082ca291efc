"""Firing alerts that wait for an incident: for one to attach to, or until they are as many as their route asks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from alerts.models import Alert
from alerts.plans import Plan
from incidents.models import Incident

_MOST = 1000  # of one key


def of(key: str, plan: Plan) -> Sequence[Alert]:
    """Those that wait for an incident of this key and that the plan does not speak of, locked. With them those rows are
    locked that the plan speaks of, all in the one order, as they are written after these."""
    waiting = Alert.objects.firing().filter(waits_for=key, incident=None).order_by().values_list("pk", flat=True)
    found = list(waiting[:_MOST])
    if not found:
        return []
    instances = [
        instance
        for verdict in plan.verdicts.values()
        for instance in (verdict.was_open, *verdict.delivered)
        if instance
    ]
    own = {instance.id for instance in instances if instance.id is not None} | set(plan.overtaken)
    locked = Alert.objects.select_for_update().filter(pk__in={*found, *own})
    in_order = list(locked.order_by("fingerprint", "labels_hash", "starts_at"))
    is_waiting = set(found) - own
    return [
        alert
        for alert in in_order
        if alert.pk in is_waiting and alert.status == Alert.Status.FIRING and alert.incident_id is None
    ]


def join(waiting: Collection[Alert], incident: Incident) -> None:
    """They are in it from now on."""
    if waiting:
        Alert.objects.filter(pk__in=[alert.pk for alert in waiting]).update(incident=incident, waits_for=None)
