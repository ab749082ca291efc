"""Firing alerts that wait for an incident: for one to attach to, or until they are as many as their route asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from alerts.models import Alert
from alerts.plans import Overtaken, Plan
from incidents.models import Incident

_MOST = 1000  # of one key
_ORDER = ("fingerprint", "labels_hash", "starts_at")


def of(key: str, plan: Plan) -> Sequence[Alert]:
    """Those that wait for an incident of this key, are not stale, and that the plan does not speak of, in the order in
    which rows are locked."""
    waiting = Alert.objects.firing().filter(waits_for=key, incident=None, stale_since=None)
    return list(waiting.exclude(pk__in=_rows_of(plan)).order_by(*_ORDER)[:_MOST])


def join(waiting: Mapping[Incident, Collection[Alert]], plan: Plan) -> None:
    """They are in these incidents from now on. With them those rows are locked that the plan speaks of, all in the one
    order, as they are written after these. Raises Overtaken where one of them waits no longer."""
    which = {alert.pk for alerts in waiting.values() for alert in alerts}
    if not which:
        return
    locked = Alert.objects.select_for_update(no_key=True).filter(pk__in={*which, *_rows_of(plan)})
    still = {
        alert.pk
        for alert in locked.order_by(*_ORDER).only("pk", "status", "incident")
        if alert.status == Alert.Status.FIRING and alert.incident_id is None
    }
    if not which <= still:
        raise Overtaken
    for incident, alerts in waiting.items():
        Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(incident=incident, waits_for=None)


def _rows_of(plan: Plan) -> set[int]:
    return {instance.id for instance in plan.instances if instance.id is not None} | set(plan.overtaken)
