"""A test alert: a delivery as Alertmanager posts it, taken in as any other, whose incident is marked as a drill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from alerts import ingest
from alerts.models import Alert, Integration
from common import language
from common.errors import DomainError
from incidents import fields
from incidents.models import Incident
from people import access, audit
from people.actors import Actor

NAME = "BurnlineTest"  # of the alert, by which it is known again
_NEVER = "0001-01-01T00:00:00Z"  # how Alertmanager says that it still fires


class SwitchedOff(DomainError):
    """The integration takes nothing."""

    code = "integration_off"


@dataclass(frozen=True, slots=True)
class Tested:
    """The delivery that was made, and the incident that it opened."""

    delivery: UUID
    incident: Incident


def send(integration: Integration, *, by: Actor, now: datetime) -> Tested:
    """Let an alert fire, by the way of every webhook from behind the check of its token on. Each test is an alert, a
    group and an incident of its own. Returns after its commit, so it stands in no transaction. Raises SwitchedOff, and
    what `ingest.receive` raises."""
    access.require(by, access.Act.ADMINISTER)
    if not integration.is_active:
        raise SwitchedOff(_("It is switched off, and takes no deliveries: switch it on first."))
    with language.of_what_is_kept():
        summary = f"A test of the integration {integration.name}: nothing is wrong"
        words = {"summary": summary, "description": f"Sent by {by.name} to see that alerts become incidents."}
    labels = {"alertname": NAME, "severity": "info", "test": _instant(now)}
    receipt = ingest.receive(integration, _body(integration, [_alert(labels, words, now)], _instant(now)), now=now)
    incident = Incident.objects.get(number=receipt.incidents[0])
    with transaction.atomic():
        fields.change(incident, {"is_drill": True}, by=by, now=now)
        told = {"incident": str(incident), "delivery": str(receipt.delivery)}
        audit.record(audit.Action.INTEGRATION_TESTED, integration, by=by, now=now, after=told)
    return Tested(receipt.delivery, incident)


def end(integration: Integration, *, by: Actor, now: datetime) -> int:
    """Let every test alert that fires resolve, in the same way. How many there were."""
    access.require(by, access.Act.ADMINISTER)
    fired = list(firing(integration))
    for alert in fired:
        ended = _alert(alert.labels, alert.annotations, alert.starts_at, now + timedelta(microseconds=1))
        ingest.receive(integration, _body(integration, [ended], alert.labels.get("test", "")), now=now)
    return len(fired)


def firing(integration: Integration) -> Iterable[Alert]:
    """Test alerts of this integration that fire."""
    return integration.alerts.filter(name=NAME, status=Alert.Status.FIRING, labels__has_key="test").order_by("id")


def _alert(
    labels: Mapping[str, str], annotations: Mapping[str, str], starts_at: datetime, ends_at: datetime | None = None
) -> dict[str, Any]:
    return {
        "status": "resolved" if ends_at else "firing",
        "labels": dict(labels),
        "annotations": dict(annotations),
        "startsAt": _instant(starts_at),
        "endsAt": _instant(ends_at) if ends_at else _NEVER,
        "generatorURL": settings.ENV.public_url,
        "fingerprint": f"{hash_of(labels):016x}",
    }


def hash_of(labels: Mapping[str, str]) -> int:
    """Alertmanager's own fingerprint: FNV-1a over the sorted labels."""
    value = 0xCBF29CE484222325
    for name, text in sorted(labels.items()):
        for byte in name.encode() + b"\xff" + text.encode() + b"\xff":
            value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def _body(integration: Integration, alerts: list[dict[str, Any]], mark: str) -> bytes:
    return orjson.dumps(
        {
            "version": "1" if integration.kind == Integration.Kind.GRAFANA else "4",
            "groupKey": f'{{}}:{{alertname="{NAME}", test="{mark}"}}',
            "truncatedAlerts": 0,
            "status": alerts[0]["status"],
            "receiver": "burnline",
            "groupLabels": {"alertname": NAME, "test": mark},
            "commonLabels": alerts[0]["labels"],
            "commonAnnotations": alerts[0]["annotations"],
            "externalURL": settings.ENV.public_url,
            "alerts": alerts,
        }
    )


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
