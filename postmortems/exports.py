"""The lists of postmortems and of action items as files."""

from __future__ import annotations

from django.http import HttpResponseBase

from common import tables
from common.tables import Column
from people import exporting
from people.actors import SignedInRequest
from postmortems import queries, views
from postmortems.filters import ActionItemFilter, PostmortemFilter

_POSTMORTEMS = [
    Column("incident", lambda postmortem: str(postmortem.incident)),
    Column("title", lambda postmortem: postmortem.incident.title),
    Column("severity", lambda postmortem: postmortem.incident.severity),
    Column("status", lambda postmortem: postmortem.status),
    Column("owner", lambda postmortem: postmortem.owner and postmortem.owner.name),
    Column("team", lambda postmortem: postmortem.incident.team and postmortem.incident.team.slug),
    Column("service", lambda postmortem: postmortem.incident.service and postmortem.incident.service.slug),
    Column("due_at", lambda postmortem: postmortem.due_at),
    Column("published_at", lambda postmortem: postmortem.published_at),
    Column("created_at", lambda postmortem: postmortem.created_at),
    Column("updated_at", lambda postmortem: postmortem.updated_at),
]
_ITEMS = [
    Column("id", lambda item: item.pk),
    Column("incident", lambda item: str(item.postmortem.incident)),
    Column("title", lambda item: item.title),
    Column("type", lambda item: item.type),
    Column("priority", lambda item: item.priority),
    Column("status", lambda item: item.status),
    Column("owner", lambda item: item.owner and item.owner.name),
    Column("team", lambda item: item.team and item.team.slug),
    Column("due_on", lambda item: item.due_on),
    Column("verify_by", lambda item: item.verify_by),
    Column("check", lambda item: item.check_text),
    Column("reason", lambda item: item.reason),
    Column("tracker", lambda item: item.tracker),
    Column("created_at", lambda item: item.created_at),
    Column("updated_at", lambda item: item.updated_at),
]


def postmortem_export(request: SignedInRequest, form: str) -> HttpResponseBase:
    def table() -> tables.Table:
        found = PostmortemFilter(request.GET, queryset=queries.visible(request.actor)).qs
        return tables.read(found.order_by("-id"), _POSTMORTEMS)

    return exporting.answer(request, "postmortems", form, table)


def action_item_export(request: SignedInRequest, form: str) -> HttpResponseBase:
    def table() -> tables.Table:
        found = ActionItemFilter(request.GET, queryset=views.items_of_tab(request)).qs
        return tables.read(found.order_by("priority", "id"), _ITEMS)

    return exporting.answer(request, "action-items", form, table)
