"""A message on its way: tried again, handed to the next method, ended once; with providers that behave in every way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from common import outside, sealing, work
from notifications import delivery, methods, outbox, tasks
from notifications.channels import Later, Never, Outcome, Outgoing, Sent, Target
from notifications.channels.webhook import Webhook
from notifications.models import ContactMethod, Delivery, Message
from people.models import User
from tests import due, make, providers
from tests.make import NOW

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider(settings: Any) -> Iterator[providers.HttpProvider]:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    with providers.http() as provider:
        yield provider


@pytest.fixture
def alice(transactional_db: None) -> User:
    return make.user("Alice")


def method(user: User, provider: providers.HttpProvider, path: str = "/alice") -> ContactMethod:
    return methods.add(user, "webhook", provider.url(path), now=NOW)[0]


def told(user: User, key: str = "test:1", **more: Any) -> Message:
    with transaction.atomic():
        return outbox.enqueue(
            key=key,
            to=user,
            kind=more.pop("kind", Message.Kind.MENTIONED),
            topic=more.pop("topic", "test:1"),
            subject="Checkout fails",
            text="Bob mentions you.",
            now=NOW,
            **more,
        )


def as_if_later(**ago: float) -> None:
    """As if that much time had passed: whatever waits was written, tried and due so much earlier."""
    past = timedelta(**ago)
    waiting = Delivery.objects.filter(state="waiting")
    waiting.update(
        due_at=F("due_at") - past, first_tried_at=F("first_tried_at") - past, created_at=F("created_at") - past
    )


def outcomes(message: Message) -> list[tuple[str, int]]:
    return list(message.deliveries.order_by("position").values_list("outcome", "tries"))


def test_a_message_arrives_and_its_copy_carries_its_key(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider)
    message = told(alice)

    assert due.run_all_due(Delivery) == 1

    message.refresh_from_db()
    assert [request.key for request in provider.requests] == [message.key]
    assert provider.requests[0].json["data"]["subject"] == "Checkout fails"
    assert message.state == Message.State.DELIVERED
    assert outcomes(message) == [("sent", 1)]
    assert alice.contact_methods.get().last_sent_at is not None
    assert due.run_all_due(Delivery) == 0


BAD_DAYS = {
    "500": providers.status(500),
    "429": providers.too_many("7"),
    "rubbish": providers.rubbish,
    "closed": providers.closed,
    "cut short": providers.cut_short,
    "hanging": providers.hang(),
}


@pytest.mark.parametrize("day", [name for name in BAD_DAYS if name not in ("hanging", "cut short")])
def test_nothing_is_lost_on_a_bad_day(alice: User, provider: providers.HttpProvider, day: str) -> None:
    provider.behave(BAD_DAYS[day], BAD_DAYS[day], providers.fine)
    method(alice, provider)
    message = told(alice)

    for _ in range(3):
        due.run_all_due(Delivery)
        as_if_later(minutes=1)
    due.run_all_due(Delivery)

    assert outcomes(message) == [("sent", 3)]
    assert {request.key for request in provider.requests} == {message.key}


def test_who_hangs_is_left_after_some_seconds_and_tried_again(
    alice: User, provider: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "TOTAL", 0.5)
    provider.behave(providers.hang(), providers.fine)
    method(alice, provider)
    message = told(alice)

    due.run_all_due(Delivery)
    assert outcomes(message) == [("waiting", 1)]
    as_if_later(minutes=1)
    due.run_all_due(Delivery)

    assert outcomes(message) == [("sent", 2)]


def test_no_try_comes_earlier_than_the_provider_asked(alice: User, provider: providers.HttpProvider) -> None:
    provider.behave(providers.too_many("2"), providers.too_many_until(3), providers.fine)
    method(alice, provider)
    message = told(alice)

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not message.deliveries.filter(outcome="sent").exists():
        due.run_all_due(Delivery)
        row = message.deliveries.get()
        if row.tries and row.outcome == "waiting":
            # our own pauses are longer: only what the provider asks for is left
            earliest = provider.requests[-1].at + (2.0 if row.tries == 1 else 3.0)
            Delivery.objects.filter(pk=row.pk, due_at__gt=Now() + timedelta(seconds=3.5)).update(
                due_at=Now() + timedelta(seconds=max(0.0, earliest - time.time()))
            )
        time.sleep(0.05)

    first, second, third = (request.at for request in provider.requests)
    assert second - first >= 2
    assert third - second >= 2  # a date has no fractions of a second


@pytest.mark.parametrize("asked", [1, 7, 120, 4000])
def test_a_pause_is_never_shorter_than_asked(asked: float) -> None:
    for tries in range(1, 30):
        assert delivery.pause(tries, asked).total_seconds() >= asked


def test_pauses_grow_to_ten_minutes() -> None:
    for tries in range(1, 200):
        expected = min(5 * 2.0 ** (tries - 1), 600)
        assert 0.7 * expected <= delivery.pause(tries, None).total_seconds() <= 1.3 * expected


def test_the_due_time_honours_retry_after(alice: User, provider: providers.HttpProvider) -> None:
    provider.behave(providers.too_many("300"))
    method(alice, provider)
    message = told(alice)
    due.run_all_due(Delivery)

    asked_at = provider.requests[0].at
    assert message.deliveries.get().due_at.timestamp() >= asked_at + 300


def test_after_three_tries_the_next_method_has_its_turn(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider, "/broken")
    method(alice, provider, "/good")
    provider.behave(providers.status(500), providers.status(500), providers.status(500), providers.fine)
    message = told(alice)

    for _ in range(3):
        due.run_all_due(Delivery)
        Delivery.objects.filter(state="waiting", position=0).update(due_at=Now())
    due.run_all_due(Delivery)

    assert [request.path for request in provider.requests] == ["/broken", "/broken", "/broken", "/good"]
    assert outcomes(message) == [("not_needed", 3), ("sent", 1)]


def test_before_three_tries_and_a_minute_it_has_not(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider, "/broken")
    method(alice, provider, "/good")
    provider.behave(providers.status(500))
    message = told(alice)

    for _ in range(2):
        due.run_all_due(Delivery)
        Delivery.objects.filter(state="waiting", position=0).update(due_at=Now())

    assert {request.path for request in provider.requests} == {"/broken"}
    assert outcomes(message) == [("waiting", 2), ("waiting", 0)]


def test_after_a_minute_the_next_method_has_its_turn(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider, "/broken")
    method(alice, provider, "/good")
    provider.behave(providers.status(500), providers.status(500), providers.fine)
    message = told(alice)
    due.run_all_due(Delivery)

    as_if_later(seconds=59)
    due.run_all_due(Delivery)

    assert [request.path for request in provider.requests] == ["/broken", "/broken", "/good"]
    assert outcomes(message)[1] == ("sent", 1)


def test_a_provider_that_asks_for_more_than_a_minute_is_not_waited_for(
    alice: User, provider: providers.HttpProvider
) -> None:
    method(alice, provider, "/patient")
    method(alice, provider, "/good")
    provider.behave(providers.too_many("90"), providers.fine)
    message = told(alice)

    due.run_all_due(Delivery)

    assert [request.path for request in provider.requests] == ["/patient", "/good"]
    assert outcomes(message) == [("not_needed", 1), ("sent", 1)]


def test_a_method_that_is_refused_is_marked_and_the_next_one_takes_over_at_once(
    alice: User, provider: providers.HttpProvider
) -> None:
    gone = method(alice, provider, "/gone")
    method(alice, provider, "/good")
    provider.behave(providers.status(410), providers.fine)
    message = told(alice)

    due.run_all_due(Delivery)

    gone.refresh_from_db()
    assert outcomes(message) == [("refused", 1), ("sent", 1)]
    assert gone.failed_at is not None
    assert "410" in gone.failure


def test_a_lane_that_stands_still_does_not_keep_the_next_method_waiting(
    alice: User, provider: providers.HttpProvider
) -> None:
    method(alice, provider, "/jammed")
    method(alice, provider, "/good")
    message = told(alice)
    # the engine has no room for the first one
    Delivery.objects.filter(position=0).update(lease_until=Now() + timedelta(hours=1))

    due.run_all_due(Delivery)
    assert provider.requests == []
    Delivery.objects.filter(position=1).update(due_at=Now(), created_at=Now() - timedelta(seconds=60))
    due.run_all_due(Delivery)

    assert [request.path for request in provider.requests] == ["/good"]
    message.refresh_from_db()
    assert message.state == Message.State.DELIVERED


def test_after_everything_stood_still_one_method_is_enough(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider, "/first")
    method(alice, provider, "/second")
    message = told(alice)
    as_if_later(minutes=10)

    taken = work.take(Delivery, 10, {})
    for piece in reversed(taken):  # the second one is quicker
        tasks.deliver(piece.pk, piece.claim)

    assert [request.path for request in provider.requests] == ["/first"]
    assert outcomes(message) == [("sent", 1), ("not_needed", 0)]


def test_when_every_method_refuses_the_message_has_failed_once(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider, "/gone")
    method(alice, provider, "/gone-too")
    provider.behave(providers.status(404))
    message = told(alice)

    due.run_all_due(Delivery)

    message.refresh_from_db()
    assert message.state == Message.State.FAILED
    assert message.reason.count("404") == 2


def test_it_is_given_up_a_day_after_the_first_try(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider)
    provider.behave(providers.status(500))
    message = told(alice)

    due.run_all_due(Delivery)
    as_if_later(hours=23, minutes=30)
    due.run_all_due(Delivery)
    assert outcomes(message) == [("waiting", 2)]
    as_if_later(minutes=31)
    due.run_all_due(Delivery)

    message.refresh_from_db()
    assert outcomes(message) == [("given_up", 3)]
    assert message.state == Message.State.FAILED


def test_somebody_who_has_left_is_not_told(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider)
    message = told(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)

    due.run_all_due(Delivery)

    message.refresh_from_db()
    assert provider.requests == []
    assert message.state == Message.State.FAILED
    assert alice.contact_methods.get().failed_at is None


def test_what_was_removed_or_switched_off_meanwhile_is_not_used(alice: User, provider: providers.HttpProvider) -> None:
    removed = method(alice, provider, "/removed")
    off = method(alice, provider, "/off")
    method(alice, provider, "/good")
    message = told(alice)
    methods.remove(removed, now=NOW)
    methods.switch(off, on=False, now=NOW)

    due.run_all_due(Delivery)

    assert [request.path for request in provider.requests] == ["/good"]
    assert [outcome for outcome, _ in outcomes(message)] == ["refused", "refused", "sent"]


def test_an_address_that_cannot_be_opened_any_more_is_told(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider)
    ContactMethod.objects.update(address="gAAAAA")
    message = told(alice)

    due.run_all_due(Delivery)

    message.refresh_from_db()
    assert message.state == Message.State.FAILED
    assert "cannot be opened" in message.reason


def test_who_dies_after_sending_repeats_it_under_the_same_key(
    alice: User, provider: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    method(alice, provider)
    message = told(alice)
    with monkeypatch.context() as dying:
        dying.setattr(delivery, "_sent", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            due.run_all_due(Delivery)
    due.forget_leases(Delivery)

    due.run_all_due(Delivery)

    assert [request.key for request in provider.requests] == [message.key] * 2
    assert outcomes(message) == [("sent", 1)]


def test_who_lost_the_delivery_to_another_writes_nothing(
    alice: User, provider: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    method(alice, provider)
    message = told(alice)

    def slow(channel: Webhook, outgoing: Outgoing, target: Target) -> Outcome:
        Delivery.objects.update(claim="another")
        return Sent()

    monkeypatch.setattr(Webhook, "send", slow)
    due.run_all_due(Delivery)

    message.refresh_from_db()
    assert message.state == Message.State.WAITING
    assert outcomes(message) == [("waiting", 0)]


def test_nothing_of_the_database_is_held_while_the_provider_is_waited_for(
    alice: User, provider: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    method(alice, provider)
    told(alice)
    held: list[bool] = []

    def look(channel: Webhook, outgoing: Outgoing, target: Target) -> Outcome:
        held.append(connection.connection is not None or connection.in_atomic_block)
        return Sent()

    monkeypatch.setattr(Webhook, "send", look)
    due.run_all_due(Delivery)

    assert held == [False]


def test_two_methods_that_end_at_once_do_not_wait_for_each_other(
    alice: User, provider: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    method(alice, provider, "/one")
    method(alice, provider, "/two")
    message = told(alice)
    Delivery.objects.update(due_at=Now(), tries=1)
    both = threading.Barrier(2, timeout=10)
    results: Iterator[Outcome] = iter([Sent(), Later("not now"), Sent(), Never("no"), Sent(), Sent()])

    def at_once(channel: Webhook, outgoing: Outgoing, target: Target) -> Outcome:
        both.wait()
        return next(results)

    monkeypatch.setattr(Webhook, "send", at_once)
    for _ in range(3):
        Message.objects.update(state="waiting", ended_at=None)
        Delivery.objects.update(
            state="waiting", outcome="waiting", tries=1, due_at=Now(), lease_until=None, begun_at=None
        )
        threads = [threading.Thread(target=_carry_out, args=(piece,)) for piece in work.take(Delivery, 10, {})]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        message.refresh_from_db()
        assert message.state == Message.State.DELIVERED
        assert not message.deliveries.filter(state__in=("waiting", "quarantined")).exists()
        assert not message.deliveries.exclude(fault="").exists()


def _carry_out(piece: work.Claimed) -> None:
    try:
        work.carry_out(Delivery, piece.pk, piece.claim, delivery.deliver)
    finally:
        connection.close()


def test_a_test_is_tried_once_and_says_what_the_provider_said(alice: User, provider: providers.HttpProvider) -> None:
    broken = method(alice, provider)
    provider.behave(providers.status(503))
    message = told(alice, kind=Message.Kind.TEST, through=broken)

    due.run_all_due(Delivery)

    message.refresh_from_db()
    assert message.state == Message.State.FAILED
    assert "503" in message.reason


def test_addresses_and_secrets_lie_sealed(alice: User, provider: providers.HttpProvider) -> None:
    kept, secret = methods.add(alice, "webhook", provider.url("/hidden-path"), now=NOW)

    row = ContactMethod.objects.filter(pk=kept.pk).values().get()
    assert secret.startswith("whsec_")
    assert "hidden-path" not in str(row)
    assert secret not in str(row)
    assert sealing.open(kept.secret) == secret


def test_what_has_arrived_is_not_sent_by_another_method_too(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider, "/first")
    method(alice, provider, "/second")
    message = told(alice)
    due.run_all_due(Delivery)
    # as if it had been taken, and begun, before the first one arrived
    Delivery.objects.filter(position=1).update(state="waiting", outcome="waiting", due_at=Now(), finished_at=None)

    assert due.run_all_due(Delivery) == 1

    assert [request.path for request in provider.requests] == ["/first"]
    assert outcomes(message) == [("sent", 1), ("not_needed", 0)]


def test_what_arrived_is_not_sent_again_because_its_incident_is_busy(
    alice: User, provider: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [OperationalError("canceling statement due to lock timeout"), InterfaceError("connection already closed")]
    heard: list[str] = []

    def busy(message: Message, *_: Any) -> None:
        if faults:
            raise faults.pop()
        heard.append(message.key)

    monkeypatch.setattr(outbox, "tell", busy)
    monkeypatch.setattr(delivery, "INSISTING", (0.01, 0.01))
    method(alice, provider)
    message = told(alice)

    due.run_all_due(Delivery)
    as_if_later(minutes=1)
    due.run_all_due(Delivery)

    assert len(provider.requests) == 1
    assert outcomes(message) == [("sent", 1)]
    assert heard == [message.key]


def test_a_channel_that_breaks_was_tried_in_vain(
    alice: User, provider: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*args: object) -> None:
        raise UnicodeError("no provider would think of it")

    method(alice, provider)
    monkeypatch.setattr(Webhook, "send", breaks)
    message = told(alice)

    due.run_all_due(Delivery)

    [row] = message.deliveries.all()
    assert (row.state, row.tries) == ("waiting", 1)
    assert "UnicodeError" in row.last_answer


def test_a_message_that_nobody_brings_any_more_has_failed(alice: User, provider: providers.HttpProvider) -> None:
    method(alice, provider)
    message, going = told(alice, key="stuck"), told(alice, key="going")
    message.deliveries.update(state="quarantined", finished_at=NOW, fault="Begun 10 times.")

    assert delivery.end_stuck(now=NOW) == 1
    assert delivery.end_stuck(now=NOW) == 0

    message.refresh_from_db()
    going.refresh_from_db()
    assert (message.state, going.state) == (Message.State.FAILED, Message.State.WAITING)
    assert "Begun 10 times." in message.reason
