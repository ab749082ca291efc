"""What every template knows of the reader."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from people import access


def actor(request: HttpRequest) -> dict[str, Any]:
    """`actor` (None when nobody is signed in), what they may do anywhere, and how their pages hear of changes."""
    who = getattr(request, "actor", None)
    return {
        "actor": who,
        "may_respond": access.can(who, access.Act.RESPOND),
        "may_administer": access.can(who, access.Act.ADMINISTER),
        "live": settings.ENV.live,
    }
