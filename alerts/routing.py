"""Which service, model, team, severity and kind an alert speaks of, by its labels."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from alerts.models import Integration
from alerts.payload import Alert, Notification
from catalog.models import Model, Service
from common.text import shortened
from incidents.models import Incident

_FRESH_FOR = 5.0  # seconds that a process trusts its copy of the catalogue

_SEVERITIES = {
    **dict.fromkeys(("fatal", "emergency", "p1", "sev1"), Incident.Severity.SEV1),
    **dict.fromkeys(("critical", "page", "error", "major", "high", "p2", "sev2"), Incident.Severity.SEV2),
    **dict.fromkeys(("warning", "warn", "ticket", "p3", "sev3"), Incident.Severity.SEV3),
    **dict.fromkeys(("minor", "low", "p4", "sev4"), Incident.Severity.SEV4),
    **dict.fromkeys(("info", "none", "p5", "sev5"), Incident.Severity.SEV5),
}


@dataclass(frozen=True, slots=True)
class _Catalogue:
    services: Mapping[str, tuple[int, int | None]]  # slug -> (id, team id)
    models: Mapping[str, tuple[int, int | None, int | None]]  # slug -> (id, team id, service id)
    read_at: float


_catalogue: _Catalogue | None = None


def fields(integration: Integration, notification: Notification, fired: list[Alert]) -> dict[str, object]:
    """What a new incident of these alerts says of itself: the fields of `Incident` by name."""
    catalogue = _read()
    service_id = team_id = model_id = None
    for alert in fired:
        if (model := catalogue.models.get(alert.labels.get("model", ""))) is not None:
            model_id, team_id, service_id = model
            break
    for alert in fired:
        slug = alert.labels.get("service") or alert.labels.get("slo_service") or alert.labels.get("sloth_service") or ""
        if (service := catalogue.services.get(slug)) is not None:
            service_id, team_id = service[0], service[1] or team_id
            break
    return {
        "title": title(notification, fired),
        "severity": min((severity(alert.labels) for alert in fired), default=Incident.Severity.SEV3),
        "kind": _kind(fired),
        "service_id": service_id,
        "model_id": model_id,
        "team_id": team_id or integration.team_id,
        "labels": notification.common_labels or (fired[0].labels if fired else {}),
    }


def severity(labels: Mapping[str, str]) -> Incident.Severity:
    """By the `severity` label; SEV3 where it says nothing that we know."""
    word = labels.get("severity") or labels.get("sloth_severity") or ""
    return _SEVERITIES.get(word.strip().lower(), Incident.Severity.SEV3)


def title(notification: Notification, fired: list[Alert]) -> str:
    """What is wrong in one line: the alert's own summary when it is one alert, else its name and what they share."""
    if len(fired) == 1 and (summary := fired[0].annotations.get("summary", "").strip()):
        return shortened(summary, 300)
    names = sorted({alert.name for alert in fired if alert.name})
    name = notification.group_labels.get("alertname") or (names[0] if len(names) == 1 else "")
    if not name:
        name = f"{names[0]} and {len(names) - 1} more" if names else "Alert without a name"
    about = [notification.common_labels.get(label, "") for label in ("model", "service", "job")]
    where = next((value for value in about if value), "")
    return shortened(f"{name} on {where}" if where else name, 300)


def forget() -> None:
    """Drop this process's copy of the catalogue; for tests."""
    global _catalogue
    _catalogue = None


def _kind(fired: list[Alert]) -> str:
    for alert in fired:
        if alert.labels.get("kind") in Incident.Kind.values:
            return alert.labels["kind"]
    return Incident.Kind.OTHER


def _read() -> _Catalogue:
    global _catalogue
    if _catalogue is None or _catalogue.read_at < time.monotonic() - _FRESH_FOR:
        _catalogue = _Catalogue(
            services={s: (i, t) for s, i, t in Service.objects.values_list("slug", "id", "team_id")},
            models={s: (i, t, v) for s, i, t, v in Model.objects.values_list("slug", "id", "team_id", "service_id")},
            read_at=time.monotonic(),
        )
    return _catalogue
