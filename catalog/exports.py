"""The list of services as a file."""

from __future__ import annotations

from django.http import HttpResponseBase

from catalog.models import Service
from common import tables
from common.tables import Column
from people import exporting
from people.actors import SignedInRequest

_COLUMNS = [
    Column("service", lambda service: service.slug),
    Column("name", lambda service: service.name),
    Column("team", lambda service: service.team and service.team.slug),
    Column("tier", lambda service: service.tier),
    Column("models", lambda service: [model.slug for model in service.models.all()]),
    Column("depends_on", lambda service: [other.slug for other in service.depends_on.all()]),
    Column("created_at", lambda service: service.created_at),
    Column("updated_at", lambda service: service.updated_at),
]


def service_export(request: SignedInRequest, form: str) -> HttpResponseBase:
    def table() -> tables.Table:
        services = Service.objects.select_related("team").prefetch_related("models", "depends_on")
        return tables.read(services.order_by("name", "id"), _COLUMNS)

    return exporting.answer(request, "services", form, table)
