"""Rows of the list, each rendered once for all who see it alike."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from django import template
from django.template.loader import get_template
from django.utils import timezone
from django.utils.translation import get_language

from incidents.listing import Row

register = template.Library()


@register.simple_tag(takes_context=True)
def incident_row(context: template.Context, row: Row) -> str:
    """The row as `_row.html` shows it, kept for a minute: whatever it shows is in its key, but for ages, which times.js
    keeps fresh. A page of rows costs a third of what it would cost to render each of them for each reader."""
    now: datetime = context["now"]
    return _rendered(
        row,
        now.replace(second=0, microsecond=0),
        get_language(),
        timezone.get_current_timezone_name(),
        picks=context["picks"],
        acts=context["acts"],
    )


@lru_cache(maxsize=4096)
def _rendered(row: Row, minute: datetime, language: str | None, zone: str, *, picks: bool, acts: bool) -> str:
    return get_template("incidents/_row.html").render({"row": row, "now": timezone.now(), "picks": picks, "acts": acts})
