"""What pages of lower rooms may show of what was delivered, without knowing of deliveries."""

from __future__ import annotations

import time
from datetime import datetime

from django import template

from alerts import queries

register = template.Library()

KEPT = 2.0  # seconds that a process goes by what it saw last
_seen: tuple[datetime, float] | None = None


@register.simple_tag
def last_delivery() -> datetime | None:
    """When anything at all was last heard, as of two seconds ago, so that silence is told from breakage."""
    global _seen
    if _seen is None or time.monotonic() - _seen[1] > KEPT:
        heard = queries.last_delivery()
        _seen = (heard, time.monotonic()) if heard else None
        return heard
    return _seen[0]


def forget() -> None:
    """Look anew the next time."""
    global _seen
    _seen = None
