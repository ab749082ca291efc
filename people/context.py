"""What every template knows of the reader."""

from typing import Any

from django.http import HttpRequest

from people import access


def actor(request: HttpRequest) -> dict[str, Any]:
    """`actor` (None when nobody is signed in), and what they may do anywhere."""
    who = getattr(request, "actor", None)
    return {
        "actor": who,
        "may_respond": access.can(who, access.Act.RESPOND),
        "may_administer": access.can(who, access.Act.ADMINISTER),
    }
