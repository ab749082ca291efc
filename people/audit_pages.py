"""The pages of the audit log: what happened, searched and page by page, and all of it as lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common import keyset
from common.errors import Invalid
from people import audit, audit_words
from people.actors import SignedInRequest
from people.filters import AuditFilter
from people.models import AuditEvent, User
from people.serializers import AuditOut
from people.stepup import recently_authenticated

_CHUNK = 1000
_PINNED = ("object", "address", "actor_type", "seq")  # filters that have no field, and are shown as what they say


@dataclass(frozen=True, slots=True)
class Row:
    """An event as a reader sees it. `url`: the page of what it is about."""

    event: AuditEvent
    sentence: SafeString
    changes: list[audit_words.Change]
    url: str


def audit_list(request: SignedInRequest) -> HttpResponse:
    asked = AuditFilter(request.GET, queryset=_events())
    page = keyset.page(asked.qs, ("-seq",), request.GET.get("cursor"), size=50)
    context = {
        "section": "settings",
        "tab": "audit",
        "now": timezone.now(),
        "page": page,
        "rows": [_row(event) for event in page.rows],
        "asked": {name: request.GET.get(name, "") for name in asked.filters},
        "errors": [str(fault) for faults in asked.errors.values() for fault in faults],
        "kept": [(name, value) for name in _PINNED for value in request.GET.getlist(name)],
        "pinned": [(value, _without(request, name)) for name in _PINNED for value in request.GET.getlist(name)],
        "is_narrowed": any(request.GET.get(name) for name in asked.filters),
        "people": User.objects.order_by("name", "id"),
        "actions": audit.Action.choices,
    }
    return render(request, "people/audit.html", context, status=422 if asked.errors else 200)


@recently_authenticated
def audit_export(request: SignedInRequest) -> StreamingHttpResponse:
    """What the same filters choose, the oldest first, as lines of JSON; the export itself is an event, and the last."""
    asked = AuditFilter(request.GET, queryset=_events())
    if asked.errors:
        faults = [(field, str(fault)) for field, errors in asked.errors.items() for fault in errors]
        raise Invalid(_("This cannot be looked for."), errors=faults)
    told = {name: value for name in asked.filters if (value := ", ".join(request.GET.getlist(name)))}
    now = timezone.now()
    about = audit.Thing("audit", "", "the audit log")
    with transaction.atomic():
        last = audit.record(audit.Action.EXPORTED, about, by=request.actor, now=now, after=told)
    response = StreamingHttpResponse(_lines(asked.qs, last.seq), content_type="application/jsonl")
    response.headers["Content-Disposition"] = f'attachment; filename="burnline-audit-{now:%Y-%m-%d-%H%M%S}.jsonl"'
    return response


def _events() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.select_related("actor_user", "actor_token").order_by("-seq")


def _without(request: SignedInRequest, name: str) -> str:
    query = request.GET.copy()
    query.pop(name)
    query.pop("cursor", None)
    return query.urlencode()


def _row(event: AuditEvent) -> Row:
    return Row(event, audit_words.sentence(event), audit_words.changes(event), audit_words.page_of(event))


def _lines(events: QuerySet[AuditEvent], last: int) -> Iterator[bytes]:
    """One for each event until `last`; some thousand rows at once are held, and no transaction."""
    done = 0
    while chunk := list(events.order_by("seq").filter(seq__gt=done, seq__lte=last)[:_CHUNK]):
        shown = AuditOut(chunk, many=True).data
        yield b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in shown)
        done = chunk[-1].seq
