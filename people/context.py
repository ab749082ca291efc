"""What every template knows of the reader."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from people import access, actors
from people.models import User


def actor(request: HttpRequest) -> dict[str, Any]:
    """`actor` (None when nobody is signed in), what they may do anywhere, how their pages hear of changes, and their
    `theme` ("": the system's)."""
    who = getattr(request, "actor", None)
    return {
        "actor": who,
        "may_respond": access.can(who, access.Act.RESPOND),
        "may_administer": access.can(who, access.Act.ADMINISTER),
        "live": settings.ENV.live,
        "theme": _theme(who),
    }


def _theme(who: actors.Actor | None) -> str:
    theme = who.user.theme if who and who.user else User.Theme.SYSTEM
    return "" if theme == User.Theme.SYSTEM else theme
