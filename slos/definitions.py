"""Saying what is promised: SLOs, their targets and windows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from catalog.models import Model, Service
from common.errors import Invalid, VersionMoved
from common.text import storable, storable_json
from people import access, audit
from people.actors import Actor
from people.audit import Action
from slos.budget import Calendar, Window
from slos.decimals import to_decimal_string
from slos.models import Slo

CHANGEABLE = ("name", "service", "model", "kind", "target", "window", "method", "labels")
COUNTED = (Slo.Method.OCCURRENCES,)
MAX_LABELS = 50
MAX_DECIMALS = 16
_MAX_LABEL = 1000
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,80}")

ROLLING_30_DAYS = Window(days=30)


class SlugTaken(Invalid):
    """Another SLO has this slug."""

    code = "slug_taken"


@transaction.atomic
def create(
    service: Service,
    name: str,
    *,
    target: str | Decimal,
    by: Actor,
    now: datetime,
    slug: str = "",
    model: Model | None = None,
    kind: str = Slo.Kind.AVAILABILITY,
    window: Window | Mapping[str, Any] = ROLLING_30_DAYS,
    method: str = Slo.Method.OCCURRENCES,
    labels: Mapping[str, str] | None = None,
) -> Slo:
    """A new SLO of a service, for a manager of its team. Raises Invalid, SlugTaken, Forbidden.

    The target lies between 0 and 1; a target of 1 leaves no budget, so that the first bad event exceeds it.
    """
    access.require(by, access.Act.MANAGE, service.team)
    said = {"name": name, "service": service, "model": model, "kind": kind, "target": target, "window": window}
    fields = _columns({**said, "method": method, "labels": labels or {}})
    slug = slug or slugify(fields["name"])[:80]
    if not _SLUG.fullmatch(slug):
        raise Invalid(
            _("Give it a slug."), errors=[("slug", _("Letters, digits, dashes and underscores, at most 80."))]
        )
    if slug == "new":  # the page of the form is there
        raise SlugTaken(_("An SLO cannot have the slug new."), errors=[("slug", _("Taken by a page."))])
    try:
        with transaction.atomic():
            slo = Slo.objects.create(slug=slug, **fields)
    except IntegrityError as exc:
        raise SlugTaken(
            _("There is an SLO with the slug {slug} already.").format(slug=slug), errors=[("slug", _("Taken."))]
        ) from exc
    audit.record(Action.SLO_ADDED, slo, by=by, now=now, after=audit.values(slo, fields))
    return slo


@transaction.atomic
def change(slo: Slo, changes: Mapping[str, Any], *, by: Actor, now: datetime, version: int | None = None) -> bool:
    """Set what differs, of CHANGEABLE; the slug stays. False when nothing does.

    Another service takes the rights in both teams. A new target or window counts for past incidents as well. Raises
    Forbidden, Invalid, VersionMoved.
    """
    Slo.objects.select_for_update().filter(pk=slo.pk).exists()
    slo.refresh_from_db()
    access.require(by, access.Act.MANAGE, slo.service.team)
    if version is not None and version != slo.version:
        raise VersionMoved(_("{slo} was changed by somebody else.").format(slo=slo))
    before, different = audit.differences(slo, _columns(changes))
    if not different:
        return False
    if "service" in different:
        access.require(by, access.Act.MANAGE, different["service"].team)
    for key, value in different.items():
        setattr(slo, key, value)
    slo.version += 1
    slo.save(update_fields=[*different, "version", "updated_at"])
    audit.record(Action.SLO_CHANGED, slo, by=by, now=now, before=before, after=different)
    return True


def _columns(said: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what people say, checked; faults of all fields at once."""
    assert set(said) <= set(CHANGEABLE)
    columns: dict[str, Any] = {}
    errors: list[tuple[str, str]] = []
    for key, value in said.items():
        try:
            columns |= _READ[key](value)
        except ValueError as exc:
            errors.append((key, str(exc)))
    if errors:
        raise Invalid(_("This SLO cannot be counted as it is."), errors=errors)
    return columns


def _name(value: str) -> dict[str, Any]:
    name = " ".join(storable(value).split())
    if not name:
        raise ValueError("Say what is promised.")
    if len(name) > 150:
        raise ValueError("At most 150 characters.")
    return {"name": name}


def _kind(value: str) -> dict[str, Any]:
    if value not in Slo.Kind.values:
        raise ValueError(f"One of {', '.join(Slo.Kind.values)}.")
    return {"kind": value}


def _method(value: str) -> dict[str, Any]:
    if value not in COUNTED:
        raise ValueError(f"Only {', '.join(COUNTED)} can be counted so far.")
    return {"method": value}


def _target(value: str | Decimal) -> dict[str, Any]:
    text = str(value).strip()
    try:
        number = Decimal(text) if len(text) <= 40 else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number <= 1 or number != round(number, MAX_DECIMALS):
        raise ValueError(f'A decimal from 0 to 1, such as "0.999", with at most {MAX_DECIMALS} decimals.')
    return {"target_text": to_decimal_string(Fraction(round(number, MAX_DECIMALS)))}


def _window(value: Window | Mapping[str, Any]) -> dict[str, Any]:
    window = value if isinstance(value, Window) else _read_window(value)
    return {
        "window_days": window.days,
        "window_calendar": str(window.calendar or ""),
        "window_time_zone": window.time_zone,
    }


def _read_window(value: Mapping[str, Any]) -> Window:
    """`{"days": 30}` or `{"calendar": "month", "time_zone": "Europe/Paris"}`."""
    days, calendar = value.get("days"), value.get("calendar") or None
    if days is not None and type(days) is not int:
        raise ValueError("Days are a whole number.")
    if calendar is not None and calendar not in list(Calendar):
        raise ValueError(f"A calendar period is one of {', '.join(Calendar)}.")
    zone = value.get("time_zone") or "UTC"
    if not isinstance(zone, str) or len(zone) > 64 or "\x00" in zone:
        raise ValueError("There is no such time zone.")
    return Window(days=days, calendar=None if calendar is None else Calendar(calendar), time_zone=zone)


def _labels(value: Mapping[str, str]) -> dict[str, Any]:
    labels = storable_json(dict(value))
    if len(labels) > MAX_LABELS:
        raise ValueError(f"At most {MAX_LABELS} labels.")
    for name, text in labels.items():
        if not isinstance(text, str) or max(len(name), len(text)) > _MAX_LABEL:
            raise ValueError(f"Labels are pairs of texts of at most {_MAX_LABEL} characters.")
    return {"labels": labels}


_READ: dict[str, Callable[[Any], dict[str, Any]]] = {
    "name": _name,
    "service": lambda service: {"service": service},
    "model": lambda model: {"model": model},
    "kind": _kind,
    "target": _target,
    "window": _window,
    "method": _method,
    "labels": _labels,
}
