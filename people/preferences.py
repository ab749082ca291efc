"""How somebody wants their own pages (theme, language, time zone, keys), and of what they hear unasked. Nobody else has
a say in it."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.utils.translation import gettext as _

from common import language
from common.errors import Invalid
from people.models import User

OF_ONE_S_OWN = {"theme", "language", "time_zone", "has_keys", "hears_of_incidents"}


def change(user: User, changes: Mapping[str, Any]) -> bool:
    """Set some of OF_ONE_S_OWN. False when nothing differs. The version stays: no administrator's form is about it."""
    assert changes.keys() <= OF_ONE_S_OWN
    if faults := _faults(changes):
        raise Invalid(_("This cannot be chosen."), errors=faults)
    different = {name: value for name, value in changes.items() if getattr(user, name) != value}
    if different:
        User.objects.filter(pk=user.pk).update(**different)
        for name, value in different.items():
            setattr(user, name, value)
    return bool(different)


@cache
def time_zones() -> tuple[str, ...]:
    """All that this machine knows. Looking costs a tenth of a second, the first time."""
    return tuple(sorted({*zoneinfo.available_timezones(), "UTC"}))


def _faults(changes: Mapping[str, Any]) -> list[tuple[str, str]]:
    faults = []
    if changes.get("theme", User.Theme.SYSTEM) not in User.Theme:
        faults.append(("theme", _("There is no such theme.")))
    if changes.get("language", "") not in {"", *language.SPOKEN}:
        faults.append(("language", _("There is no such language.")))
    if changes.get("time_zone", "UTC") not in time_zones():
        faults.append(("time_zone", _("There is no such time zone.")))
    return faults
