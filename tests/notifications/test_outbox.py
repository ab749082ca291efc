"""What is written down with a change: once for each key, and not at all where the change is taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from common.errors import Invalid
from notifications import methods, outbox
from notifications.channels import Action
from notifications.models import Delivery, Message
from people.models import User
from tests.make import NOW, SYSTEM

SLACK = "https://hooks.slack.com/services/T000/B000/{}"


@pytest.fixture
def with_mail(settings: Any) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": "smtp://127.0.0.1:2525"})


def tell(user: User, key: str = "test:1", **more: Any) -> Message:
    return outbox.enqueue(
        key=key, to=user, kind=Message.Kind.MENTIONED, topic="test:1", subject="Look", text="Here.", now=NOW, **more
    )


@pytest.mark.django_db
def test_each_method_stands_in_line(alice: User) -> None:
    for name in ("one", "two", "three"):
        methods.add(alice, "slack", SLACK.format(name), now=NOW)

    message = tell(alice)

    rows = list(message.deliveries.order_by("position"))
    assert [row.method for row in rows] == list(alice.contact_methods.all())
    due = [round((row.due_at - rows[0].due_at).total_seconds()) for row in rows]
    assert due == [0, 60, 120]


@pytest.mark.django_db
def test_asking_twice_under_one_key_tells_once(alice: User) -> None:
    methods.add(alice, "slack", SLACK.format("one"), now=NOW)

    assert tell(alice) == tell(alice)

    assert Message.objects.count() == Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_taken_back_tells_nobody(alice: User) -> None:
    methods.add(alice, "slack", SLACK.format("one"), now=NOW)

    with transaction.atomic():
        tell(alice)
        transaction.set_rollback(True)

    assert Message.objects.count() == Delivery.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_nothing_is_written_without_a_change(alice: User) -> None:
    with pytest.raises(AssertionError):
        tell(alice)


@pytest.mark.django_db
def test_who_has_no_methods_gets_mail_at_their_account(alice: User, with_mail: None) -> None:
    row = tell(alice).deliveries.get()

    assert (row.channel, row.hint, row.is_to_account) == ("email", "alice@example.com", True)


@pytest.mark.django_db
def test_who_has_switched_all_off_gets_mail_at_their_account(alice: User, with_mail: None) -> None:
    method, _ = methods.add(alice, "slack", SLACK.format("one"), now=NOW)
    methods.switch(method, on=False, now=NOW)

    assert tell(alice).deliveries.get().is_to_account


@pytest.mark.django_db
def test_who_cannot_be_reached_is_not_told_and_it_says_so(alice: User) -> None:
    methods.add(alice, "email", "alice@example.com", now=NOW)  # there is no mail server

    message = tell(alice)

    assert message.state == Message.State.FAILED
    assert "Alice has no contact method that works" in message.reason
    assert not message.deliveries.exists()


@pytest.mark.django_db
def test_the_cost_of_telling_does_not_grow(alice: User) -> None:
    def cost(key: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            tell(alice, key)
        return len(queries)

    methods.add(alice, "slack", SLACK.format("one"), now=NOW)
    one = cost("one")
    for name in ("two", "three", "four"):
        methods.add(alice, "slack", SLACK.format(name), now=NOW)

    assert cost("four") == one == 4


@pytest.mark.django_db
def test_what_failed_is_sent_again_once_with_the_same_words(alice: User) -> None:
    failed = tell(alice, actions=[Action("I'm in", "https://burnline.example.com/answer/x/")])
    methods.add(alice, "slack", SLACK.format("one"), now=NOW)

    again = outbox.send_again(failed, by=SYSTEM, now=NOW)

    assert outbox.send_again(failed, by=SYSTEM, now=NOW) == again != failed
    assert (again.subject, again.text, again.actions) == (
        failed.subject,
        failed.text,
        [list(action) for action in failed.actions],
    )
    assert again.deliveries.count() == 1


@pytest.mark.django_db
def test_links_that_are_dead_are_not_sent_again_however_often_it_was_repeated(alice: User) -> None:
    action = Action("I'm in", "https://burnline.example.com/answer/x/")
    failed = tell(alice, actions=[action], url="https://burnline.example.com/incidents/1/")
    in_time = outbox.send_again(failed, by=SYSTEM, now=NOW + timedelta(hours=23))
    too_late = outbox.send_again(in_time, by=SYSTEM, now=NOW + timedelta(hours=25))

    assert in_time.actions == [list(action)]
    assert too_late.actions == []
    assert (too_late.text, too_late.url) == (failed.text, failed.url)


@pytest.mark.django_db
def test_methods_are_tried_in_their_owners_order(alice: User) -> None:
    one, two, three = (methods.add(alice, "slack", SLACK.format(name), now=NOW)[0] for name in ("a", "b", "c"))

    methods.move(three, -1)
    methods.move(one, -1)
    methods.move(two, 1)

    assert [route.method for route in methods.routes(alice)] == [one, three, two]


@pytest.mark.django_db
def test_one_address_is_kept_once(alice: User) -> None:
    methods.add(alice, "slack", SLACK.format("a"), now=NOW)

    with pytest.raises(Invalid, match="already"):
        methods.add(alice, "slack", SLACK.format("a"), now=NOW)


@pytest.mark.django_db
def test_nobody_has_methods_without_end(alice: User) -> None:
    for number in range(methods.MOST):
        methods.add(alice, "slack", SLACK.format(number), now=NOW)

    with pytest.raises(methods.TooMany):
        methods.add(alice, "slack", SLACK.format("more"), now=NOW)
