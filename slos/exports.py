"""The list of SLOs as a file, each as it stands now."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils import timezone

from common import tables
from common.tables import Column
from people import exporting
from people.actors import SignedInRequest
from slos import queries
from slos.decimals import to_decimal_string
from slos.filters import SloFilter
from slos.models import Slo

_COLUMNS = [
    Column("slo", lambda standing: standing.slo.slug),
    Column("name", lambda standing: standing.slo.name),
    Column("service", lambda standing: standing.slo.service.slug),
    Column("model", lambda standing: standing.slo.model and standing.slo.model.slug),
    Column("kind", lambda standing: standing.slo.kind),
    Column("target", lambda standing: standing.slo.target_text),
    Column("window_from", lambda standing: standing.window.start),
    Column("window_to", lambda standing: standing.window.end),
    Column("status", lambda standing: standing.status.value),
    Column("consumed", lambda standing: to_decimal_string(standing.consumed)),
    Column("remaining", lambda standing: to_decimal_string(standing.remaining)),
    Column("burn_1h", lambda standing: to_decimal_string(standing.burn["1h"])),
    Column("burn_6h", lambda standing: to_decimal_string(standing.burn["6h"])),
    Column("burn_3d", lambda standing: to_decimal_string(standing.burn["3d"])),
    Column("exhausted_at", lambda standing: standing.exhausted_at),
]


def slo_export(request: SignedInRequest, form: str) -> HttpResponseBase:
    def table() -> tables.Table:
        found = SloFilter(request.GET, queryset=Slo.objects.all()).qs
        return tables.whole(queries.listed(found, now=timezone.now()), _COLUMNS)

    return exporting.answer(request, "slos", form, table)
