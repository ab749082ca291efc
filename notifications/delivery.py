"""Bringing a message to somebody by one of their methods, and what follows from how that went.

Locks are taken in one order: the message, its deliveries, the method, and then what `outbox.tell` needs.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from common import language, metrics, schedule, sealing, work
from common.text import shortened, storable
from notifications import methods, outbox
from notifications.channels import CHANNELS, Action, Later, Never, Outgoing, Priority, Sent, Target
from notifications.channels import Outcome as ChannelOutcome
from notifications.models import ContactMethod, Delivery, Message
from people import links

logger = logging.getLogger(__name__)

TRIES = 3  # after which the next method has its turn
FIRST_PAUSE = timedelta(seconds=5)  # between two tries; doubled each time,
LONGEST_PAUSE = timedelta(minutes=10)  # up to this
GIVE_UP = timedelta(hours=24)  # after the first try
LATE = timedelta(seconds=5)
# Seconds between two attempts to write down what became of a try, where the database is busy or away: who gives up
# there, or dies, has it sent again.
INSISTING = (0.5, 1, 2, 4)
BATCH = 100  # stuck messages in one run; the next one goes on

Outcome = Delivery.Outcome


def deliver(row: Delivery) -> None:
    """Send the message by this method, unless it is not needed any more, and write down how that went.

    It is marked after it was sent, never before: who dies in between repeats it, under the same key. A database that is
    busy or away just then is waited for. While the provider is, neither a transaction nor a database connection is
    held. The time is when the row was begun.
    """
    message = Message.objects.select_related("user").get(pk=row.message_id)
    assert row.begun_at is not None
    now = row.begun_at
    if message.state != Message.State.WAITING:
        with _ending(row, Outcome.NOT_NEEDED):
            return
    if _is_before_its_turn(row, now):
        work.postpone(row, outbox.PATIENCE)
        return
    target = _target(row, message)
    if isinstance(target, str):
        _refused(row, target, now)
        return
    outgoing = _outgoing(message)
    began = time.monotonic()
    _let_go_of_the_database()
    result = _send(row, outgoing, target)
    now += timedelta(seconds=time.monotonic() - began)
    row.first_tried_at = row.first_tried_at or row.begun_at
    row.last_tried_at = row.begun_at
    row.tries += 1
    for seconds in INSISTING:
        try:
            _conclude(row, message, result, now)
            return
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block:  # as it is within a test
                raise
            connection.close()
            time.sleep(seconds)
    _conclude(row, message, result, now)


def _send(row: Delivery, outgoing: Outgoing, target: Target) -> ChannelOutcome:
    """What the channel says; where it fails in a way that it does not know itself, this was a try as any other."""
    try:
        return CHANNELS[row.channel].send(outgoing, target)
    except Exception as exc:  # the message goes on to the next method, and this one is tried again
        logger.exception("%s failed.", row.channel)
        return Later(f"This channel failed: {type(exc).__name__}.")


def _conclude(row: Delivery, message: Message, result: ChannelOutcome, now: datetime) -> None:
    """Write down what became of a try. Raises LeaseLost, or a database error, and then nothing of it is kept."""
    assert row.first_tried_at is not None
    match result:
        case Sent():
            _sent(row, result.detail, now)
        case Never():
            _refused(row, result.reason, now, is_by_provider=True)
        case Later():
            wait = pause(row.tries, result.retry_after)
            if message.kind == Message.Kind.TEST or now + wait > row.first_tried_at + GIVE_UP:
                _given_up(row, result.reason, now)
            else:
                _postponed(row, result.reason, wait, now)


def pause(tries: int, retry_after: float | None) -> timedelta:
    """How long to wait after so many tries: doubled each time, give or take a quarter, and never less than asked."""
    longest = min(FIRST_PAUSE * 2.0 ** min(tries - 1, 20), LONGEST_PAUSE)
    wait = longest * random.uniform(0.75, 1.25)  # it only spreads the load
    asked = timedelta(seconds=min(retry_after or 0.0, 10**9) + random.uniform(0.1, 1.0))
    return max(wait, asked) if retry_after else wait


def _is_before_its_turn(row: Delivery, now: datetime) -> bool:
    """Whether it is due only because everything stood still for a while, and the method before it has not been tried
    either. Put off once: where a lane alone stands still, the next method is what helps."""
    was_put_off = row.due_at - row.created_at > (row.position + 0.5) * outbox.PATIENCE
    if row.position == 0 or row.tries or was_put_off or now - row.due_at < LATE:
        return False
    before = Delivery.objects.filter(message=row.message_id, position=row.position - 1, tries=0)
    return before.filter(state=work.DueWork.State.WAITING).exists()


def _target(row: Delivery, message: Message) -> Target | str:
    """Where to; or, in words, why nothing is sent there."""
    if not message.user.is_active:
        return "The account was deactivated."
    if not methods.is_usable(row.channel):
        return "This channel is not set up here."
    if row.is_to_account:
        # What concerns the account itself goes to the address that it had then, or is to have.
        return Target(row.hint if message.kind == Message.Kind.ACCOUNT else message.user.email)
    method = row.method
    if method is None:
        return "The contact method was removed."
    if not method.is_active and message.kind != Message.Kind.TEST:
        return "The contact method was switched off."
    try:
        return Target(sealing.open(method.address), sealing.open(method.secret) if method.secret else "")
    except sealing.Unopenable as exc:
        return str(exc)


def _outgoing(message: Message) -> Outgoing:
    with language.of_person(message.user.language):
        opens = _("Open in Burnline")
    return Outgoing(
        key=message.key,
        subject=message.subject,
        text=message.text,
        url=message.url or links.url_of_topic(message.topic),
        at=message.created_at,
        actions=tuple(Action(label, url) for label, url in message.actions),
        priority=cast(Priority, message.priority),
        kind=message.kind,
        opens=opens,
        language=message.user.language or "en",
    )


def _let_go_of_the_database() -> None:
    if not connection.in_atomic_block:  # as it is within a test
        connection.close()


# What becomes of it


def _sent(row: Delivery, detail: str, now: datetime) -> None:
    with _ending(row, Outcome.SENT, sent_at=now, last_answer=_words(detail)) as message:
        _still_waiting(row).filter(begun_at=None).update(
            state=work.DueWork.State.CANCELLED,
            outcome=Outcome.NOT_NEEDED,
            finished_at=Now(),
            claim="",
            lease_until=None,
        )
        ContactMethod.objects.filter(deliveries=row).update(last_sent_at=now, failed_at=None, failure="")
        _end(message, Message.State.DELIVERED, "", row, now)


def _refused(row: Delivery, reason: str, now: datetime, *, is_by_provider: bool = False) -> None:
    """Nothing will ever go there: the next method has its turn. What its provider refused is shown at the method."""
    with _ending(row, Outcome.REFUSED, last_answer=_words(reason)) as message:
        if is_by_provider:
            ContactMethod.objects.filter(deliveries=row).update(failed_at=now, failure=_words(reason))
        _fail_over(row, message, reason, now)


def _given_up(row: Delivery, reason: str, now: datetime) -> None:
    with _ending(row, Outcome.GIVEN_UP, last_answer=_words(reason)) as message:
        _fail_over(row, message, reason, now)


def _postponed(row: Delivery, reason: str, wait: timedelta, now: datetime) -> None:
    """It is tried again; the next method has its turn where this takes too long."""
    assert row.first_tried_at is not None
    with _message_of(row) as message:
        if message.state != Message.State.WAITING:
            _finish(row, Outcome.NOT_NEEDED, last_answer=_words(reason))
            return
        work.postpone(row, wait, **_tries(row), last_answer=_words(reason))
        if row.tries >= TRIES or now + wait > row.first_tried_at + outbox.PATIENCE:
            _fail_over(row, message, reason, now)
    metrics.delivery(row.channel, "postponed")


@contextmanager
def _ending(row: Delivery, outcome: Outcome, **changes: Any) -> Iterator[Message]:
    """A transaction that ends the delivery, with the message locked. Raises LeaseLost where it is another's by now."""
    with _message_of(row) as message:
        _finish(row, outcome, **changes)
        yield message
    metrics.delivery(row.channel, outcome)


@contextmanager
def _message_of(row: Delivery) -> Iterator[Message]:
    """A transaction that has the message before any of its deliveries: so no two of them wait for each other."""
    with transaction.atomic():
        yield Message.objects.select_for_update(no_key=True).get(pk=row.message_id)


def _finish(row: Delivery, outcome: Outcome, **changes: Any) -> None:
    with work.finishing(row):
        Delivery.objects.filter(pk=row.pk).update(outcome=outcome, **_tries(row), **changes)


def _tries(row: Delivery) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("tries", "first_tried_at", "last_tried_at")}


def _still_waiting(row: Delivery) -> QuerySet[Delivery]:
    """The message's other deliveries that are not over."""
    others = Delivery.objects.filter(message=row.message_id, state=work.DueWork.State.WAITING)
    return others.exclude(pk=row.pk)


def _fail_over(row: Delivery, message: Message, reason: str, now: datetime) -> None:
    """The next method's turn has come, unless it has come before; where none is left, the message has failed. Whoever
    looks at its topic hears which of both."""
    following = _still_waiting(row).filter(position=row.position + 1, tries=0, due_at__gt=Now())
    following.update(due_at=Now())
    _fail_if_nothing_waits(message, now)
    if message.state == Message.State.WAITING:
        row.last_answer = _words(reason)
        waiting = list(_still_waiting(row).order_by("position"))
        later = [each for each in waiting if each.position > row.position]
        outbox.tell(message, row, now, then=next(iter(later or waiting), None))


def end_stuck(*, now: datetime) -> int:
    """End the messages that nobody brings any more, as their deliveries were given up for killing who carried them out:
    they have failed, and whom it concerns is told. How many."""
    waiting = Delivery.objects.filter(message=OuterRef("pk"), state=work.DueWork.State.WAITING)
    stuck = Message.objects.filter(~Exists(waiting), state=Message.State.WAITING).order_by("created_at")
    return schedule.sweep(list(stuck.values_list("pk", flat=True)[:BATCH]), lambda pk: _end_stuck(pk, now))


@transaction.atomic
def _end_stuck(pk: UUID, now: datetime) -> bool:
    message = Message.objects.select_for_update(no_key=True).get(pk=pk)
    if message.state == Message.State.WAITING:
        _fail_if_nothing_waits(message, now)
    return message.state != Message.State.WAITING


def _fail_if_nothing_waits(message: Message, now: datetime) -> None:
    deliveries = list(message.deliveries.order_by("position"))
    if any(each.state == work.DueWork.State.WAITING for each in deliveries):
        return
    reasons = [f"{methods.label_of(each.channel)}: {each.last_answer or each.fault}" for each in deliveries]
    _end(message, Message.State.FAILED, "\n".join(reasons), None, now)


def _end(message: Message, state: Message.State, reason: str, delivery: Delivery | None, now: datetime) -> None:
    """Once for each message: whatever comes later finds it ended."""
    waiting = Message.objects.filter(pk=message.pk, state=Message.State.WAITING)
    if waiting.update(state=state, reason=reason, ended_at=now):
        message.state, message.reason, message.ended_at = state, reason, now
        outbox.tell(message, delivery, now)


def _words(reason: str) -> str:
    return shortened(storable(reason), 500)
