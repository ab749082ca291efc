"""What pages of lower rooms may show of what was delivered, without knowing of deliveries."""

from __future__ import annotations

from datetime import datetime

from django import template

from alerts import queries

register = template.Library()


@register.simple_tag
def last_delivery() -> datetime | None:
    """When anything at all was last heard, so that silence is told from breakage."""
    return queries.last_delivery()
