"""The only way in which anything leaves: a message is written down with the change that it tells of, and its deliveries
with it. What rolls back sends nothing; asking twice under one key sends once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from common import wake
from common.errors import DomainError
from common.text import shortened, storable
from notifications import methods
from notifications.channels import Action, Priority
from notifications.models import ContactMethod, Delivery, Message
from people import access, audit
from people.actors import Actor
from people.models import User

PATIENCE = timedelta(seconds=60)  # with one method, before the next one has its turn
ACTIONS_LAST = timedelta(hours=24)  # after which the links of a message's actions are dead
_AGAIN = "again:"


class NotFailed(DomainError):
    """The message arrived, or is on its way."""

    code = "not_failed"


def enqueue(
    *,
    key: str,
    to: User,
    kind: Message.Kind,
    topic: str,
    subject: str,
    text: str,
    url: str = "",
    actions: Sequence[Action] = (),
    priority: Priority = "normal",
    now: datetime,
    through: ContactMethod | None = None,
    along: Sequence[methods.Route] | None = None,
) -> Message:
    """Have somebody told, by their methods in their order, or only `through` one of them, or only `along` some routes.
    Gives the message, be it new or written under this key before. Needs the transaction of the change; four statements,
    whatever is to be told.

    Who cannot be reached at all is not told: the message has failed at once, and says why.
    """
    assert connection.in_atomic_block, "a message is written with the change that it tells of"
    if along is None:
        along = [methods.route(through)] if through else methods.routes(to)
    routes = list(along)
    message = Message(
        id=uuid.uuid4(),
        key=key,
        user=to,
        kind=kind,
        topic=topic,
        subject=shortened(storable(subject), 200),
        text=storable(text),
        url=url,
        actions=[list(action) for action in actions],
        priority=priority,
        created_at=now,
    )
    if not routes:
        message.state, message.ended_at, message.reason = Message.State.FAILED, now, methods.why_unreachable(to)
    Message.objects.bulk_create([message], ignore_conflicts=True)
    written = Message.objects.get(key=key)
    if written.pk != message.pk:
        return written
    Delivery.objects.bulk_create(
        Delivery(
            message=message,
            position=position,
            method=route.method,
            is_to_account=route.method is None,
            channel=route.channel,
            hint=route.hint,
            lane=route.lane,
            due_at=Now() + position * PATIENCE if position else Now(),
        )
        for position, route in enumerate(routes)
    )
    if routes:
        wake.after_commit(wake.WORK)
    else:
        tell(message, None, now)
    return message


@transaction.atomic
def send_again(message: Message, *, by: Actor, now: datetime) -> Message:
    """A further message with the same words, for one that failed; once for each. Its actions go with it as long as
    their links live; afterwards only the link to what it is about. Raises NotFailed."""
    access.require(by, access.Act.ADMINISTER)
    if message.state != Message.State.FAILED:
        raise NotFailed(_("Only what failed is sent again: this one was not lost."))
    was_repeated = Message.objects.filter(key=again_key(message)).exists()
    again = enqueue(
        key=again_key(message),
        to=message.user,
        kind=Message.Kind(message.kind),
        topic=message.topic,
        subject=message.subject,
        text=message.text,
        url=message.url,
        actions=[Action(label, url) for label, url in message.actions] if has_living_actions(message, now) else (),
        priority=cast(Priority, message.priority),
        now=now,
    )
    if not was_repeated:
        about = audit.Thing("message", str(message.pk), message.subject)
        audit.record(audit.Action.MESSAGE_RETRIED, about, by=by, now=now, after={"to": message.user.name})
    return again


def again_key(message: Message) -> str:
    """The key of the message that repeats this one."""
    return f"{_AGAIN}{message.pk}"


def has_living_actions(message: Message, now: datetime) -> bool:
    """Whether the links of its actions still work: they are as old as the first message that held them."""
    first = message
    while first.key.startswith(_AGAIN):
        first = Message.objects.get(pk=first.key.removeprefix(_AGAIN))
    return bool(message.actions) and now - first.created_at <= ACTIONS_LAST


def tell(message: Message, delivery: Delivery | None, now: datetime, *, then: Delivery | None = None) -> None:
    """Let the room that its topic belongs to know how the message ended, within the transaction that says so; with the
    delivery by which it arrived, if it did. Of a message that still waits, which delivery was in vain so far, again
    with each further try, and which one is tried `then`, if there is another. Which function that is stands in the
    settings: rooms above are not imported here."""
    if (path := settings.MESSAGES_END_AT.get(message.topic.partition(":")[0])) is not None:
        import_string(path)(message, delivery, now, then=then)
