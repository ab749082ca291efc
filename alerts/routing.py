"""Where each alert of a delivery goes by the routes of its integration, and what a new incident says of itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from alerts import routes
from alerts.models import Integration
from alerts.payload import Alert, Notification
from alerts.routes import Decision
from catalog.models import Model, Service
from common.text import shortened
from incidents.models import Incident
from people.models import Team

_FRESH_FOR = 5.0  # seconds that a process trusts its copy of the catalogue

_SEVERITIES = {
    **dict.fromkeys(("fatal", "emergency", "p1", "sev1"), Incident.Severity.SEV1),
    **dict.fromkeys(("critical", "page", "error", "major", "high", "p2", "sev2"), Incident.Severity.SEV2),
    **dict.fromkeys(("warning", "warn", "ticket", "p3", "sev3"), Incident.Severity.SEV3),
    **dict.fromkeys(("minor", "low", "p4", "sev4"), Incident.Severity.SEV4),
    **dict.fromkeys(("info", "none", "p5", "sev5"), Incident.Severity.SEV5),
}


class Asked(NamedTuple):
    """What has to fire before an incident opens: by which route, how many alerts, or values of a label (else ""),
    within how many seconds. A route that continues may have said it."""

    route: str | None
    wanted: int
    label: str
    within: int


@dataclass(frozen=True, slots=True)
class Destination:
    """What was decided of an alert, and the key by which its incident is found: "" for the Alertmanager group's own."""

    decision: Decision
    key: str = ""

    @property
    def does(self) -> str:
        return self.decision.does

    def span(self, name: str) -> timedelta | None:
        seconds = self.decision.said.get(name)
        return None if seconds is None else timedelta(seconds=seconds)

    @property
    def asks(self) -> Asked:
        said = self.decision.said
        wanted, within = int(said.get("threshold") or 1), int(said.get("threshold_within") or 0)
        return Asked(self.decision.route, wanted, str(said.get("threshold_label") or ""), within)

    @property
    def wants_several(self) -> bool:
        """Whether one alert alone is not enough for an incident."""
        return self.asks.wanted > 1

    @property
    def makes_count(self) -> bool:
        """Whether an alert that goes there is an incident, not a candidate for one, nor an addition."""
        return self.does == "open" and not self.decision.said.get("candidate")

    def told(self, becomes: str, *, is_new: bool = False) -> dict[str, Any] | None:
        """For people, and for programs: which route took it and why; None where the defaults did what they do with what
        was never heard of, so that nothing else was told of it before."""
        decision = self.decision
        if is_new and decision.route is None and not decision.because and becomes in ("opened", "attached"):
            return None
        told = {
            "does": decision.does,
            "route": decision.route,
            "because": [list(each) for each in decision.because],
            "key": self.key,
            "becomes": becomes,
        }
        return told | {"asks": list(self.asks)} if becomes == "waits" else told


DEFAULT = Destination(Decision("open", None, {}))  # of an alert that no route takes


@dataclass(frozen=True, slots=True)
class _Catalogue:
    services: Mapping[str, tuple[int, int | None]]  # slug -> (id, team id)
    models: Mapping[str, tuple[int, int | None, int | None]]  # slug -> (id, team id, service id)
    teams: Mapping[str, int]
    read_at: float


_catalogue: _Catalogue | None = None


def destination(table: routes.Table, alert: Alert) -> Destination:
    """Where it goes. Asks for the catalogue where a route needs it, else for nothing."""
    decision = table.decide(alert)
    return Destination(decision, _key(decision, alert) if decision.said else "")


def fields(
    integration: Integration, notification: Notification, fired: list[Alert], *, table: routes.Table | None = None
) -> dict[str, Any]:
    """What a new incident of these alerts says of itself: the fields of `Incident` by name. What routes say of the
    first of them goes before what is read from the labels of all."""
    catalogue = _read()
    table = integration.table if table is None else table
    said = table.decide(fired[0]).said if fired and table else {}
    service_id = team_id = model_id = None
    if (model := _first(catalogue.models, (_model_of(said, alert) for alert in fired))) is not None:
        model_id, team_id, service_id = model
    if (service := _first(catalogue.services, (_service_of(said, alert) for alert in fired))) is not None:
        service_id, team_id = service[0], service[1] or team_id
    if said.get("team"):
        team_id = catalogue.teams.get(routes.filled(said["team"], fired[0]), team_id)
    words = routes.filled(said.get("title", ""), fired[0]) if said else ""
    found: dict[str, Any] = {
        "title": shortened(words, 300) or title(notification, fired),
        "severity": min((_severity_of(said, alert) for alert in fired), default=Incident.Severity.SEV3),
        "kind": _kind(said, fired),
        "service_id": service_id,
        "model_id": model_id,
        "team_id": team_id or integration.team_id,
        "labels": notification.common_labels or (fired[0].labels if fired else {}),
    }
    if said:
        kept = {"resolve": "resolves", "quiet_period": "quiet_period", "reopen_window": "reopen_window"}
        found |= {field: said[name] for name, field in kept.items() if name in said}
        if said.get("candidate"):
            found["is_candidate"] = True
    return found


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
    """Drop this process's copy of the catalogue."""
    global _catalogue
    _catalogue = None


def _key(decision: Decision, alert: Alert) -> str:
    """What its incident is found by; "" where that is the Alertmanager group."""
    match decision.said.get("correlate"):
        case "labels":
            values = {name: alert.labels.get(name, "") for name in sorted(decision.said["correlate_labels"])}
            return f"labels {json.dumps(values, ensure_ascii=False)}"
        case "service" if (slug := _service_of(decision.said, alert)) in _read().services:
            return f"service {slug}"
        case "model" if (slug := _model_of(decision.said, alert)) in _read().models:
            return f"model {slug}"
    return ""


def _service_of(said: Mapping[str, Any], alert: Alert) -> str:
    if said.get("service") and (slug := routes.filled(said["service"], alert)):
        return slug
    return alert.labels.get("service") or alert.labels.get("slo_service") or alert.labels.get("sloth_service") or ""


def _model_of(said: Mapping[str, Any], alert: Alert) -> str:
    return (routes.filled(said["model"], alert) if said.get("model") else "") or alert.labels.get("model", "")


def _severity_of(said: Mapping[str, Any], alert: Alert) -> Incident.Severity:
    if said.get("severity") and (word := routes.filled(said["severity"], alert).lower()) in _SEVERITIES:
        return _SEVERITIES[word]
    return severity(alert.labels)


def _kind(said: Mapping[str, Any], fired: Sequence[Alert]) -> str:
    for alert in fired:
        word = routes.filled(said["kind"], alert).lower() if said.get("kind") else ""
        for kind in (word, alert.labels.get("kind")):
            if kind in Incident.Kind.values:
                return str(kind)
    return Incident.Kind.OTHER


def _first(known: Mapping[str, Any], slugs: Iterable[str]) -> Any:
    """The first of them that the catalogue knows."""
    return next((known[slug] for slug in slugs if slug in known), None)


def _read() -> _Catalogue:
    global _catalogue
    if _catalogue is None or _catalogue.read_at < time.monotonic() - _FRESH_FOR:
        _catalogue = _Catalogue(
            services={s: (i, t) for s, i, t in Service.objects.values_list("slug", "id", "team_id")},
            models={s: (i, t, v) for s, i, t, v in Model.objects.values_list("slug", "id", "team_id", "service_id")},
            teams=dict(Team.objects.values_list("slug", "id")),
            read_at=time.monotonic(),
        )
    return _catalogue
