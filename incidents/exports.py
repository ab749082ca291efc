"""The list of incidents as a file."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils import timezone

from common import tables
from common.tables import Column
from incidents import listing
from people import exporting
from people.actors import SignedInRequest

_COLUMNS = [
    Column("incident", str),
    Column("title", lambda row: row.title),
    Column("status", lambda row: row.status),
    Column("severity", lambda row: row.severity),
    Column("service", lambda row: row.service),
    Column("model", lambda row: row.model),
    Column("team", lambda row: row.team),
    Column("commander", lambda row: row.commander),
    Column("firing_alerts", lambda row: row.firing),
    Column("worst_budget_slo", lambda row: row.worst and row.worst.slo),
    Column("worst_budget_share", lambda row: row.worst and row.worst.share),
    Column("is_drill", lambda row: row.is_drill),
    Column("is_candidate", lambda row: row.is_candidate),
    Column("is_private", lambda row: row.is_private),
    Column("started_at", lambda row: row.started_at),
    Column("detected_at", lambda row: row.detected_at),
    Column("opened_at", lambda row: row.created_at),
    Column("resolved_at", lambda row: row.resolved_at),
    Column("last_entry_at", lambda row: row.last_entry_at),
    Column("lasted_seconds", lambda row: row.lasted),
]


def incident_export(request: SignedInRequest, form: str) -> HttpResponseBase:
    """As the page with the same address shows them, and all pages of it."""

    def table() -> tables.Table:
        wanted = listing.asked(listing.tab_of(request.GET), request.GET)
        return tables.read(listing.listed(request.actor, wanted), _COLUMNS, _rows)

    return exporting.answer(request, "incidents", form, table)


def _rows(incidents: QuerySet[Any]) -> list[listing.Row]:
    return listing.rows_of(incidents, timezone.now())
