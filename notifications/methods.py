"""By what ways people are told, and in which order: their own contact methods, else the e-mail of their account."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from common import language, sealing
from common.errors import DomainError, Invalid
from common.text import shortened, storable
from notifications.channels import CHANNELS
from notifications.models import ContactMethod
from people import actors, audit
from people.audit import Action
from people.models import User

EMAIL = "email"
MOST = 10  # for one person


class TooMany(DomainError):
    """Somebody has as many methods as one can have."""

    code = "too_many_contact_methods"


@dataclass(frozen=True, slots=True)
class Route:
    """One way to somebody; without a method, the e-mail address of their account."""

    method: ContactMethod | None
    channel: str
    hint: str
    lane: str


def routes(user: User) -> list[Route]:
    """Every way to this person, in the order in which they are tried. Empty where nothing can reach them."""
    if not user.is_active:
        return []
    own = [route(method) for method in user.contact_methods.active() if is_usable(method.kind)]
    if own or not is_usable(EMAIL):
        return own
    return [to_address(user.email)]


def to_address(address: str) -> Route:
    """An e-mail address, such as that of an account."""
    return Route(None, EMAIL, address, CHANNELS[EMAIL].lane(address))


def route(method: ContactMethod) -> Route:
    return Route(method, method.kind, method.hint, method.lane)


def unreachable(users: Collection[User]) -> set[int]:
    """The ids of those whom nothing can reach. One query, or none where everybody can be written to."""
    if is_usable(EMAIL) or not users:
        return set()
    usable = [kind for kind in CHANNELS if is_usable(kind)]
    reached = ContactMethod.objects.active().filter(user__in=users, kind__in=usable)
    return {user.pk for user in users} - set(reached.values_list("user_id", flat=True))


def why_unreachable(user: User) -> str:
    """Why nothing can reach them, in words for whoever waits for them."""
    if not user.is_active:
        return f"{user.name} cannot sign in any more."
    return f"{user.name} has no contact method that works, and no mail server is set up."


def is_usable(kind: str) -> bool:
    """Whether this installation can send by such a channel, now."""
    return kind in CHANNELS and CHANNELS[kind].usable()


def label_of(kind: str) -> str:
    """What people call the channel."""
    return str(CHANNELS[kind].label) if kind in CHANNELS else kind


@transaction.atomic
def add(
    user: User, kind: str, address: str, *, secret: str = "", label: str = "", now: datetime
) -> tuple[ContactMethod, str]:
    """A further way to this person, tried after those they have; and the secret, where it is we who make it. Raises
    Invalid, TooMany."""
    channel = CHANNELS[kind]
    address = _checked("address", channel.check, address)
    made = channel.new_secret()
    secret = made or _checked("secret", channel.check_secret, secret)
    known = _locked(user)
    if len(known) >= MOST:
        raise TooMany(_("You have {most} contact methods: remove one first.").format(most=MOST))
    if any(method.kind == kind and _address(method) == address for method in known):
        raise Invalid(_("You have this one already."), errors=[("address", _("You have this one already."))])
    method = ContactMethod.objects.create(
        user=user,
        kind=kind,
        label=shortened(storable(label), 60),
        address=sealing.seal(address),
        secret=sealing.seal(secret) if secret else "",
        hint=shortened(channel.masked(address), 200),
        lane=channel.lane(address)[:200],
        position=max((method.position for method in known), default=-1) + 1,
        created_at=now,
    )
    _record(Action.METHOD_ADDED, method, now, after=_told(method))
    return method, made


def rename(method: ContactMethod, label: str) -> None:
    method.label = shortened(storable(label), 60)
    method.save(update_fields=["label"])


@transaction.atomic
def switch(method: ContactMethod, *, on: bool, now: datetime) -> None:
    """Use it, or leave it alone for a while."""
    if ContactMethod.objects.filter(pk=method.pk, is_active=not on).update(is_active=on):
        _record(Action.METHOD_CHANGED, method, now, before={"is_active": not on}, after={"is_active": on})
    method.is_active = on


@transaction.atomic
def move(method: ContactMethod, by: int) -> None:
    """Have it tried earlier (-1) or later (1) than its neighbour."""
    line = _locked(method.user)
    at = line.index(method)
    to = min(max(at + by, 0), len(line) - 1)
    line.insert(to, line.pop(at))
    for position, each in enumerate(line):
        if each.position != position:
            ContactMethod.objects.filter(pk=each.pk).update(position=position)


@transaction.atomic
def remove(method: ContactMethod, *, now: datetime) -> None:
    """Forget it, with its address. What it brought stays written down, with as much of the address as may be shown."""
    _record(Action.METHOD_REMOVED, method, now, before=_told(method))
    method.delete()


def _record(action: Action, method: ContactMethod, now: datetime, **told: dict[str, Any]) -> None:
    """Only its owner changes a contact method, signed in as themselves."""
    audit.record(action, method, by=actors.person(method.user), now=now, **told)


def _told(method: ContactMethod) -> dict[str, Any]:
    with language.of_what_is_kept():
        channel = label_of(method.kind)
    return {"channel": channel, **audit.values(method, ("label", "hint"))}


def _locked(user: User) -> list[ContactMethod]:
    """This person's methods in their order, with nobody else changing them."""
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).exists()
    return list(user.contact_methods.all())


def _checked(field: str, check: Callable[[str], str], value: str) -> str:
    try:
        return check(value)
    except Invalid as exc:
        raise Invalid(exc.message, errors=[(field, exc.message)]) from exc


def _address(method: ContactMethod) -> str:
    """Where it leads; nothing where that cannot be opened any more."""
    try:
        return sealing.open(method.address)
    except sealing.Unopenable:
        return ""
