"""Action items: written down, taken, done, verified; and who may change whose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from common import language
from common.errors import DomainError, Invalid, VersionMoved
from common.text import shortened, storable, storable_json
from people import access
from people.actors import Actor, ActorType
from people.models import User
from postmortems import notices
from postmortems.markdown_text import is_web_address
from postmortems.models import ActionItem, Postmortem

Status = ActionItem.Status

MOVES: Mapping[str, tuple[Status, ...]] = {
    Status.OPEN: (Status.IN_PROGRESS, Status.DONE, Status.WONT_DO),
    Status.IN_PROGRESS: (Status.OPEN, Status.DONE, Status.WONT_DO),
    Status.DONE: (Status.VERIFIED, Status.INEFFECTIVE, Status.IN_PROGRESS, Status.OPEN),
    Status.VERIFIED: (Status.INEFFECTIVE, Status.OPEN),
    Status.INEFFECTIVE: (Status.VERIFIED, Status.IN_PROGRESS, Status.DONE, Status.OPEN, Status.WONT_DO),
    Status.WONT_DO: (Status.OPEN, Status.IN_PROGRESS),
}

CHANGEABLE = (
    *("title", "type", "tags", "priority", "owner", "team", "due_on", "verify_by", "check_text"),
    *("status", "reason", "evidence", "tracker"),
)


class MoveNotAllowed(DomainError):
    """The item's status does not allow this one. `extra["allowed"]` are those that it does allow."""

    code = "transition_not_allowed"


@transaction.atomic
def create(postmortem: Postmortem, title: str, *, by: Actor, now: datetime, **fields: Any) -> ActionItem:
    """Write an item down, and have its owner told; `fields` are ActionItem's own. The team is the incident's, where
    none is named."""
    given = {name: _clean(name, value) for name, value in fields.items()}
    given.setdefault("team", postmortem.incident.team)
    item = ActionItem(
        postmortem=postmortem,
        title=_title(title),
        created_by=by.user if by.type in (ActorType.USER, ActorType.BOT) else None,
        created_at=now,
        updated_at=now,
        **given,
    )
    _check(item)
    item.save(force_insert=True)
    notices.owned(item, by=by, now=now)
    _touch(postmortem, now)
    return item


@transaction.atomic
def change(
    item: ActionItem, changes: Mapping[str, Any], *, by: Actor, now: datetime, version: int | None = None
) -> bool:
    """Set fields; False when nothing differs. One's own items, and those that nobody owns, are for any responder;
    another's for a manager of its team. Raises Forbidden, VersionMoved, MoveNotAllowed, Invalid."""
    ActionItem.objects.select_for_update().filter(pk=item.pk).exists()
    item.refresh_from_db()
    if version is not None and version != item.version:
        raise VersionMoved(_("The action item was changed by somebody else."))
    cleaned = {name: _title(value) if name == "title" else _clean(name, value) for name, value in changes.items()}
    different = {name: value for name, value in cleaned.items() if getattr(item, name) != value}
    if not different:
        return False
    if not is_own(item, by.user):
        access.require(by, access.Act.MANAGE, item.team or item.postmortem.incident.team)
    if "status" in different:
        _check_move(item, different["status"])
        if item.status == Status.WONT_DO:
            different.setdefault("reason", "")
    for name, value in different.items():
        setattr(item, name, value)
    _check(item)
    item.version += 1
    item.updated_at = now
    item.save(update_fields=[*different, "version", "updated_at"])
    if "owner" in different:
        notices.owned(item, by=by, now=now)
    _touch(item.postmortem, now)
    return True


def is_own(item: ActionItem, user: User | None) -> bool:
    """Whether it is theirs to change: they own it or wrote it down, or nobody owns it. The system owns everything."""
    return user is None or item.owner_id is None or user.pk in (item.owner_id, item.created_by_id)


def _check_move(item: ActionItem, to: str) -> None:
    allowed = MOVES[item.status]
    if to not in allowed:
        raise MoveNotAllowed(
            _("The action item is {before}: it cannot become {after}.").format(
                before=language.within_a_sentence(item.get_status_display()),
                after=language.within_a_sentence(Status(to).label),
            ),
            extra={"allowed": [str(status) for status in allowed]},
        )


def _check(item: ActionItem) -> None:
    if item.status == Status.WONT_DO and not item.reason.strip():
        raise Invalid(_("Say why it won't be done."), errors=[("reason", _("What won't be done says why."))])
    if item.tracker and not is_web_address(item.tracker):
        raise Invalid(
            _("The tracker is a web address."), errors=[("tracker", _("An address begins with http or https."))]
        )
    if item.owner is not None and not item.owner.is_active:
        raise Invalid(_("The owner has left."), errors=[("owner", _("This person cannot sign in any more."))])


def _title(value: str) -> str:
    title = shortened(storable(value), 300)
    if not title:
        raise Invalid(_("An action item needs a title."), errors=[("title", _("Begin with a verb."))])
    return title


def _clean(name: str, value: Any) -> Any:
    if name not in CHANGEABLE:
        raise Invalid(_("There is no such field."), errors=[(name, _("Not a field of an action item."))])
    return storable(value) if isinstance(value, str) else storable_json(value)


def _touch(postmortem: Postmortem, now: datetime) -> None:
    """A postmortem shows its items: its version moves with them."""
    Postmortem.objects.filter(pk=postmortem.pk).update(version=F("version") + 1, updated_at=now)
