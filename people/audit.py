"""The only place that writes to the audit log: who did what to which object, from where, and what changed by it.

An event is written in the transaction of the change that it tells of, by the domain function that makes the change. All
events of an installation are one chain: each one's hash covers everything that it says, and the hash of the one before.
Whoever appends locks the chain's head until the end of the transaction, so `record` comes last in a domain function,
after the locks on what it changes. Taking in alerts and running the engine's work record nothing here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import rfc8785
from django.db import connection, models, transaction
from django.utils.translation import gettext_lazy as _

from common import origin
from common.text import shortened, storable, storable_json
from people import throttling
from people.actors import Actor
from people.models import AuditEvent, AuditHead

logger = logging.getLogger(__name__)

MASK = "•••"
ANONYMOUS = "anonymous"

# Fields whose values are secrets, or lead to one: that they changed is told, never from what to what.
SECRET = frozenset(
    {
        "password",
        "secret",
        "secret_hash",
        "token",
        "token_hash",
        "settings",
        "sealed",
        "client_secret",
        "recovery_codes",
    }
)

_REFUSALS_PER_HOUR = 30  # of one actor: who asks again and again fills no log
_HOUR = 3600


class Action(models.TextChoices):
    """What can have been done. The codes are for programs and stay; the labels name the kind of act to people."""

    SIGNED_IN = "session.signed_in", _("Signed in")
    SIGN_IN_REFUSED = "session.refused", _("Sign-in refused")
    SIGNED_OUT = "session.signed_out", _("Signed out")
    SESSION_ENDED = "session.ended", _("Session ended")
    ACCESS_REFUSED = "access.refused", _("Access refused")
    PASSWORD_CHANGED = "password.changed", _("Password changed")
    PASSWORD_RESET_ASKED = "password.reset_asked", _("Password reset asked for")
    PASSWORD_RESET = "password.reset", _("Password reset")
    SECOND_FACTOR_ADDED = "second_factor.added", _("Second factor added")
    SECOND_FACTOR_REMOVED = "second_factor.removed", _("Second factor removed")
    RECOVERY_CODES_MADE = "second_factor.codes_made", _("Recovery codes made")
    RECOVERY_CODE_USED = "second_factor.code_used", _("Recovery code used")
    ACCOUNT_LINKED = "sso.linked", _("Provider's account linked")
    ACCOUNT_UNLINKED = "sso.unlinked", _("Provider's account unlinked")
    PERSON_INVITED = "person.invited", _("Person invited")
    INVITATION_WITHDRAWN = "person.invitation_withdrawn", _("Invitation withdrawn")
    INVITATION_ACCEPTED = "person.invitation_accepted", _("Invitation accepted")
    PERSON_ADDED = "person.added", _("Person added")
    PERSON_CHANGED = "person.changed", _("Person changed")
    PERSON_ROLE_CHANGED = "person.role_changed", _("Role changed")
    PERSON_DEACTIVATED = "person.deactivated", _("Person deactivated")
    PERSON_REACTIVATED = "person.reactivated", _("Person reactivated")
    TEAM_ADDED = "team.added", _("Team added")
    TEAM_CHANGED = "team.changed", _("Team changed")
    DISCIPLINE_ADDED = "discipline.added", _("Discipline added")
    DISCIPLINE_CHANGED = "discipline.changed", _("Discipline changed")
    ROLE_ADDED = "role.added", _("Incident role added")
    ROLE_CHANGED = "role.changed", _("Incident role changed")
    TOKEN_ISSUED = "token.issued", _("Token issued")
    TOKEN_REVOKED = "token.revoked", _("Token revoked")
    METHOD_ADDED = "contact_method.added", _("Contact method added")
    METHOD_CHANGED = "contact_method.changed", _("Contact method changed")
    METHOD_REMOVED = "contact_method.removed", _("Contact method removed")
    INTEGRATION_ADDED = "integration.added", _("Integration added")
    INTEGRATION_CHANGED = "integration.changed", _("Integration changed")
    INTEGRATION_ROTATED = "integration.token_rotated", _("Integration's token rotated")
    INTEGRATION_OLD_TOKEN_ENDED = "integration.old_token_ended", _("Integration's old token ended")
    INTEGRATION_TESTED = "integration.tested", _("Integration tested")
    INTEGRATION_DEACTIVATED = "integration.deactivated", _("Integration switched off")
    INTEGRATION_REACTIVATED = "integration.reactivated", _("Integration switched on")
    HEARTBEAT_REMOVED = "heartbeat.removed", _("Heartbeat removed")
    ROUTES_CHANGED = "integration.routes_changed", _("Routes changed")
    DELIVERY_REPLAYED = "delivery.replayed", _("Delivery replayed")
    SERVICE_ADDED = "service.added", _("Service added")
    SERVICE_CHANGED = "service.changed", _("Service changed")
    MODEL_ADDED = "model.added", _("Model added")
    MODEL_CHANGED = "model.changed", _("Model changed")
    SLO_ADDED = "slo.added", _("SLO added")
    SLO_CHANGED = "slo.changed", _("SLO changed")
    INCIDENT_PRIVACY_CHANGED = "incident.privacy_changed", _("Incident's privacy changed")
    INCIDENT_MOMENTS_CORRECTED = "incident.moments_corrected", _("Incident's moments corrected")
    MESSAGE_RETRIED = "message.retried", _("Message sent again")
    WORK_RETRIED = "work.retried", _("Work tried again")
    EXPORTED = "list.exported", _("List exported")
    SETTINGS_CHANGED = "settings.changed", _("Settings changed")


@dataclass(frozen=True, slots=True)
class Thing:
    """What an event is about, where that is no row."""

    kind: str = ""
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold."""

    seq: int
    reason: str


def record(
    action: Action,
    about: models.Model | Thing | None = None,
    /,
    *,
    by: Actor | None,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Append one event: `by` is None where nobody is signed in. `before` and `after` hold what changed and no more;
    the values of SECRET fields are masked. Needs a transaction; locks the head of the chain until its end."""
    assert connection.in_atomic_block, "an event is written with the change that it tells of"
    thing = about if isinstance(about, Thing) else _thing(about)
    asked = origin.current()
    head = AuditHead.objects.select_for_update().get()
    event = AuditEvent(
        seq=head.last_seq + 1,
        at=now,
        action=action.value,
        actor_type=by.type.value if by else ANONYMOUS,
        actor_user=by.user if by else None,
        actor_token=by.token if by else None,
        actor_name=shortened(storable(by.name), 150) if by else "",
        object_kind=thing.kind,
        object_id=thing.id[:200],
        object_name=shortened(storable(thing.name), 300),
        before=_told(before or {}),
        after=_told(after or {}),
        address=asked.address,
        user_agent=asked.user_agent,
        request_id=asked.request_id,
        previous_hash=head.last_hash or GENESIS,
    )
    event.hash = link_hash(event)
    event.save(force_insert=True)
    AuditHead.objects.filter(pk=head.pk).update(last_seq=event.seq, last_hash=event.hash)
    transaction.on_commit(lambda: _log(event))
    return event


def refused(what: str, *, by: Actor | None, now: datetime) -> AuditEvent | None:
    """That somebody asked for what they may not do. Of one actor, or one address where nobody is signed in, a few dozen
    an hour are recorded, and the last of them says so; None beyond that."""
    key = f"audit:refused:{by.type}:{by.id}" if by else f"audit:refused:address:{origin.current().address}"
    with transaction.atomic():
        if throttling.attempt(key[:190], limit=_REFUSALS_PER_HOUR, seconds=_HOUR, now=now):
            note = {}
        elif throttling.attempt(f"{key[:190]}:more", limit=1, seconds=_HOUR, now=now):
            note = {"further_refusals": "not recorded for an hour"}
        else:
            return None
        return record(Action.ACCESS_REFUSED, Thing("route", what, what), by=by, now=now, after=note)


def differences(row: models.Model, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(before, after) of the fields in `changes` that differ from what `row` holds now: to ask before they are set."""
    different = {name: value for name, value in changes.items() if getattr(row, name) != value}
    return {name: getattr(row, name) for name in different}, different


def values(row: models.Model, names: Iterable[str]) -> dict[str, Any]:
    """What is worth telling of a new row: those fields of it that are not empty."""
    return {name: value for name in names if (value := getattr(row, name)) not in (None, "", [], {})}


def verify() -> Break | None:
    """The first broken link of the chain, or None when all holds, its head included."""
    previous, seq = GENESIS, 0
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=1000):
        seq += 1
        if event.seq != seq:
            return Break(seq, f"event {seq} is missing")
        if event.previous_hash != previous:
            return Break(seq, "it does not follow the event before it")
        if event.hash != link_hash(event):
            return Break(seq, "it is not what was written")
        previous = event.hash
    head = AuditHead.objects.get()
    if head.last_seq != seq:
        return Break(seq + 1, f"the chain counts {head.last_seq} events, there are {seq}")
    if seq and head.last_hash != previous:
        return Break(seq, "it is not the last event that the chain knows of")
    return None


def link_hash(event: AuditEvent) -> str:
    """The hash of everything that an event says (canonical JSON, RFC 8785), and of the hash of the one before."""
    return sha256(
        rfc8785.dumps(
            {
                "action": event.action,
                "actor": {
                    "name": event.actor_name,
                    "token": event.actor_token_id,
                    "type": event.actor_type,
                    "user": event.actor_user_id,
                },
                "address": event.address,
                "after": event.after,
                "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
                "before": event.before,
                "object": {"id": event.object_id, "kind": event.object_kind, "name": event.object_name},
                "previous": event.previous_hash,
                "request": event.request_id,
                "seq": event.seq,
                "user_agent": event.user_agent,
            }
        )
    ).hexdigest()


GENESIS = sha256(b"burnline audit").hexdigest()  # what the first event follows


def _thing(row: models.Model | None) -> Thing:
    if row is None:
        return Thing()
    reference = next((getattr(row, name) for name in ("slug", "number") if hasattr(row, name)), row.pk)
    return Thing(row._meta.model_name or "", str(reference), str(row))


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: MASK if name in SECRET else _plain(value) for name, value in fields.items()}
    return dict(storable_json(told))


def _plain(value: Any) -> Any:
    """What JSON can hold, and what a reader can read without the row that it came from."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < 2**53 else str(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Decimal() | float():
            return str(value)
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case set() | frozenset():
            return sorted(map(str, value))
        case Collection():
            return [_plain(each) for each in value]
    return str(value)


def _log(event: AuditEvent) -> None:
    """In the log, too, which leaves this machine: who cuts off the end of the table contradicts it."""
    logger.info(
        "audit %d %s",
        event.seq,
        event.action,
        extra={"event.action": event.action, "event.sequence": event.seq, "event.hash": event.hash},
    )
