"""Who owns a postmortem, who reviews it, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import Invalid, VersionMoved
from people.actors import Actor
from people.models import User
from postmortems.models import Postmortem

CHANGEABLE = ("owner", "due_at", "reviewers")


@transaction.atomic
def assign(
    postmortem: Postmortem, changes: Mapping[str, Any], *, by: Actor, now: datetime, version: int | None = None
) -> bool:
    """Set owner, reviewers and date; False when nothing differs. Raises Invalid, and VersionMoved where `version` is
    not the one that stands."""
    standing = Postmortem.objects.select_for_update().get(pk=postmortem.pk)
    if version is not None and version != standing.version:
        raise VersionMoved(_("The postmortem was changed by somebody else."))
    reviewers: list[User] = list(changes.get("reviewers", standing.reviewers.all()))
    _check([changes["owner"]] if changes.get("owner") else [], "owner")
    _check(changes.get("reviewers", []), "reviewers")
    different = {name: changes[name] for name in ("owner", "due_at") if name in changes}
    different = {name: value for name, value in different.items() if getattr(standing, name) != value}
    are_others = set(reviewers) != set(standing.reviewers.all())
    if not different and not are_others:
        return False
    if are_others:
        standing.reviewers.set(reviewers)
    for name, value in different.items():
        setattr(standing, name, value)
    standing.version += 1
    standing.updated_at = now
    standing.save(update_fields=[*different, "version", "updated_at"])
    postmortem.refresh_from_db(fields=["owner", "due_at", "version", "updated_at"])
    return True


def _check(people: Iterable[User], field: str) -> None:
    for user in people:
        if not user.is_active:
            raise Invalid(
                _("{name} has left.").format(name=user.name),
                errors=[(field, _("This person cannot sign in any more."))],
            )
