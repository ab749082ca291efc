"""The one way in which a list leaves as a file: who takes it confirms that it is them, and the audit log tells it."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone

from common import tables
from people import audit
from people.actors import SignedInRequest
from people.stepup import recently_authenticated

_FORMS = {
    "csv": ("text/csv; charset=utf-8", tables.as_csv),
    "json": ("application/json", tables.as_json),
}


def answer(request: SignedInRequest, name: str, form: str, table: Callable[[], tables.Table]) -> HttpResponseBase:
    """The table as a file `<name>-<date>.<form>`, narrowed as the address says. Http404 for any other form."""
    if form not in _FORMS:
        raise Http404("A list is exported as csv or json.")
    return _answer(request, name, form, table)


@recently_authenticated
def _answer(request: SignedInRequest, name: str, form: str, table: Callable[[], tables.Table]) -> HttpResponseBase:
    now = timezone.now()
    found = table()
    with transaction.atomic():
        asked = {"filters": request.GET.urlencode()[:500], "form": form}
        audit.record(audit.Action.EXPORTED, audit.Thing("list", name, name), by=request.actor, now=now, after=asked)
    content_type, write = _FORMS[form]
    first = f"-first-{tables.MOST}" if found.is_cut else ""
    return StreamingHttpResponse(
        write(found),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}-{now:%Y-%m-%d}{first}.{form}"'},
    )
