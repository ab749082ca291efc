"""What waits to be done, what was given up, and another try for it; of every kind of due work that there is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from common import backlog, language, work
from people import access, audit
from people.actors import Actor

logger = logging.getLogger(__name__)

SHOWN = 50  # given up pieces of each kind


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work that was given up, in words, and where it can be looked at; empty where it has no page."""

    row: work.DueWork
    concerns: str
    url: str


@dataclass(frozen=True, slots=True)
class Kind:
    """`label` names the kind to programs, `name` to people. `stuck` are the first that were given up, of `backlog`'s
    `quarantined`."""

    label: str
    name: str
    backlog: backlog.Backlog
    stuck: list[Piece]

    @property
    def more(self) -> int:
        return self.backlog.quarantined - len(self.stuck)


def of_all_kinds(now: datetime) -> list[Kind]:
    """Every kind with what waits of it; two statements for each kind of which something was given up."""
    models = {model._meta.label_lower: model for model in work.kinds()}
    return sorted(
        (
            Kind(
                counted.kind,
                capfirst(str(models[counted.kind]._meta.verbose_name_plural)),
                counted,
                _stuck(models[counted.kind]) if counted.quarantined else [],
            )
            for counted in backlog.of_all_kinds(now)
        ),
        key=lambda kind: kind.name,
    )


@transaction.atomic
def retry(label: str, pk: str, *, by: Actor, now: datetime) -> int:
    """Give what was given up of this kind, or one piece of it, another row of attempts. How many there were: none where
    somebody did so before. Raises Http404 for what there is not."""
    access.require(by, access.Act.ADMINISTER)
    model = next((model for model in work.kinds() if model._meta.label_lower == label), None)
    if model is None:
        raise Http404(_("There is no work of the kind {label}.").format(label=label))
    rows = _one(model, pk) if pk else _quarantined(model)
    again = sum(work.retry(row) for row in rows)
    if again:
        with language.of_what_is_kept():
            name = str(model._meta.verbose_name_plural)
        about = audit.Thing("work", f"{label}:{pk}" if pk else label, name)
        audit.record(audit.Action.WORK_RETRIED, about, by=by, now=now, after={"pieces": again})
        logger.info("%s has %d of %s tried again%s.", by.name, again, label, f": {pk}" if pk else "")
    return again


def _one(model: type[work.DueWork], pk: str) -> QuerySet[Any]:
    try:
        found: QuerySet[Any] = model.objects.filter(pk=model._meta.pk.to_python(pk))
        exists = found.exists()
    except (ValidationError, OverflowError):
        exists = False
    if not exists:
        raise Http404(_("There is no such piece of work."))
    return found


def _stuck(model: type[work.DueWork]) -> list[Piece]:
    """Those that were given up first come first."""
    rows = _quarantined(model).select_related(*getattr(model, "CONCERNS", ()))[:SHOWN]
    return [Piece(row, getattr(row, "concerns", "") or _name(row), _url(row)) for row in rows]


def _quarantined(model: type[work.DueWork]) -> QuerySet[Any]:
    rows: QuerySet[Any] = model.objects.filter(state="quarantined").order_by("finished_at", "pk")
    return rows


def _name(row: work.DueWork) -> str:
    return capfirst(f"{row._meta.verbose_name} {row.pk}")


def _url(row: work.DueWork) -> str:
    return str(row.get_absolute_url()) if hasattr(row, "get_absolute_url") else ""
