"""The list of alerts as a file."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponseBase

from alerts import listing
from common import tables
from common.tables import Column
from people import exporting
from people.actors import SignedInRequest

_COLUMNS = [
    Column("name", lambda alert: alert.name),
    Column("status", lambda alert: alert.status),
    Column("incident", lambda alert: str(alert.incident) if alert.incident else None),
    Column("integration", lambda alert: alert.integration.slug),
    Column("fingerprint", lambda alert: alert.fingerprint),
    Column("labels", lambda alert: alert.labels),
    Column("annotations", lambda alert: alert.annotations),
    Column("starts_at", lambda alert: alert.starts_at),
    Column("ends_at", lambda alert: alert.ends_at),
    Column("first_seen_at", lambda alert: alert.first_seen_at),
    Column("last_seen_at", lambda alert: alert.last_seen_at),
]


def alert_export(request: SignedInRequest, form: str) -> HttpResponseBase:
    def table() -> tables.Table:
        wanted = listing.asked(request.GET)
        table = tables.read(listing.listed(request.actor, wanted), _COLUMNS)
        return replace(table, is_cut=table.is_cut or listing.is_cut(request.actor, wanted))

    return exporting.answer(request, "alerts", form, table)
