"""Builds what tests start from, through the product's own functions: no test starts from an impossible state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

from alerts import ingest, integrations
from alerts.models import Integration
from catalog import inventory
from catalog.models import Model, Service
from incidents import lifecycle
from incidents.models import Incident
from people import directory, tokens
from people.actors import SYSTEM, Actor, alerts_from, bot, person
from people.models import Discipline, Role, Team, Token, User
from slos import definitions, ledger
from slos.models import Slo

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"

_numbers = count(1)

__all__ = ["NOW", "PASSWORD", "SYSTEM", "Actor", "alerts_from", "bot", "person"]


def user(name: str, teams: Mapping[Team, str] | None = None, *, discipline: str = "", is_admin: bool = False) -> User:
    """Somebody, with their role in each of their teams. Everybody's password is PASSWORD."""
    return directory.add_user(
        f"{name.lower().replace(' ', '.')}@example.com",
        name,
        by=SYSTEM,
        now=NOW,
        password=PASSWORD,
        discipline=Discipline.objects.get(slug=discipline) if discipline else None,
        is_admin=is_admin,
        memberships=teams,
    )


def team(slug: str) -> Team:
    return directory.add_team(slug.replace("-", " ").capitalize(), by=SYSTEM, now=NOW, slug=slug)


def role(slug: str) -> Role:
    """A role of the vocabulary that one starts with."""
    return Role.objects.get(slug=slug)


def discipline(slug: str) -> Discipline:
    """A discipline of the vocabulary that one starts with."""
    return Discipline.objects.get(slug=slug)


def service(slug: str, team: Team | None = None, **fields: Any) -> Service:
    return inventory.add_service(
        slug.replace("-", " ").capitalize(), by=SYSTEM, now=NOW, slug=slug, team=team, **fields
    )


def model(slug: str, team: Team | None = None, **fields: Any) -> Model:
    return inventory.add_model(slug.replace("-", " ").capitalize(), by=SYSTEM, now=NOW, slug=slug, team=team, **fields)


def slo(slug: str = "checkout-availability", of: Service | None = None, **fields: Any) -> Slo:
    """99.9 % of 30 days where nothing else is said; of a service of its own where none is named."""
    owner = of or service(unique("service"))
    name = slug.replace("-", " ").capitalize()
    return definitions.create(owner, name, **{"target": "0.999", **fields}, slug=slug, by=SYSTEM, now=NOW)


def samples(slo: Slo, *rows: tuple[datetime, int, int | float | str, int | float | str], now: datetime = NOW) -> None:
    """Samples in the ledger: (start, seconds, good, valid)."""
    ledger.store(slo, [dict(zip(("start", "seconds", "good", "valid"), row, strict=True)) for row in rows], now=now)


def token(owner: User, scopes: Iterable[str] = ("read", "write"), **fields: Any) -> tuple[Token, str]:
    """A token of somebody's, and its secret."""
    return tokens.issue(owner, f"{owner.name}'s bot", scopes, by=SYSTEM, now=NOW, **fields)


def incident(
    team: Team | None = None,
    title: str = "Checkout fails for one card in three",
    *,
    by: User | Actor | None = None,
    now: datetime = NOW,
    **fields: Any,
) -> Incident:
    """An incident just declared; by the system where nobody is named. `fields` are Incident's own."""
    actor = person(by) if isinstance(by, User) else by or SYSTEM
    return lifecycle.declare(title, by=actor, now=now, team=team, **fields)


def integration(
    name: str = "Production", *, kind: str = "alertmanager", team: Team | None = None
) -> tuple[Integration, str]:
    """A source of alerts, and its token."""
    return integrations.create(name, kind, team, by=SYSTEM, now=NOW)


def alert(
    name: str = "HighErrorRate",
    *,
    status: str = "firing",
    starts_at: datetime = NOW,
    ends_at: datetime | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    fingerprint: str = "",
) -> dict[str, Any]:
    """One alert as Alertmanager sends it."""
    labels = {"alertname": name, "severity": "critical", **(labels or {})}
    return {
        "status": status,
        "labels": labels,
        "annotations": dict(annotations or {"summary": "Errors above 5%"}),
        "startsAt": _instant(starts_at),
        "endsAt": _instant(ends_at) if ends_at else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": fingerprint or fingerprint_of(labels),
    }


def alertmanager_body(
    *alerts: Mapping[str, Any], group: str = '{}:{alertname="HighErrorRate"}', **fields: Any
) -> bytes:
    """What Alertmanager posts for a group: version 4, one firing alert where none is given."""
    sent = [dict(each) for each in alerts] or [alert()]
    return json.dumps(
        {
            "version": "4",
            "groupKey": group,
            "truncatedAlerts": 0,
            "status": "firing" if any(each["status"] == "firing" for each in sent) else "resolved",
            "receiver": "burnline",
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com",
            "alerts": sent,
            **fields,
        }
    ).encode()


def fired(integration: Integration, *alerts: Mapping[str, Any], now: datetime = NOW, **fields: Any) -> Incident:
    """The incident that these alerts lead to, delivered as Alertmanager does."""
    receipt = ingest.receive(integration, alertmanager_body(*alerts, **fields), now=now)
    return Incident.objects.get(number=receipt.incidents[0])


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """Alertmanager's own: FNV-1a over the sorted labels."""
    value = 0xCBF29CE484222325
    for name, text in sorted(labels.items()):
        for byte in name.encode() + b"\xff" + text.encode() + b"\xff":
            value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def unique(stem: str) -> str:
    """The stem with a number that no other call got."""
    return f"{stem}-{next(_numbers)}"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
