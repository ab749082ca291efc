"""What administrators see of messages: who was told what, by which channel, and how that went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from notifications import methods, outbox
from notifications.channels import Action
from notifications.models import Delivery, Message
from people.models import User
from tests import due, make, providers
from tests.browsing import grows, page, signed_in
from tests.make import NOW

pytestmark = pytest.mark.django_db

LIST = "/settings/messages/"


@pytest.fixture
def provider(settings: Any) -> Iterator[providers.HttpProvider]:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    with providers.http() as provider:
        yield provider


def tell(user: User, subject: str = "Look", **more: Any) -> Message:
    more.setdefault("kind", Message.Kind.ASKED)
    return outbox.enqueue(key=make.unique("k"), to=user, topic="test:1", subject=subject, text="Here.", now=NOW, **more)


def test_an_empty_list_says_when_something_will_stand_there(admin: User) -> None:
    assert "Nobody was told anything yet" in page(admin, LIST)


def test_each_message_shows_who_what_and_how_it_went(
    admin: User, alice: User, bob: User, provider: providers.HttpProvider
) -> None:
    provider.behave(providers.status(404), providers.fine)
    methods.add(alice, "webhook", provider.url("/gone"), now=NOW)
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    arrived, failed = tell(alice, "Alice, look"), tell(bob, "Bob, look")
    due.run_all_due(Delivery)

    html = page(admin, LIST)
    assert "Alice, look" in html
    assert "Bob, look" in html
    detail = page(admin, f"{LIST}{arrived.pk}/")
    assert "answered 404" in detail
    assert "answered 204" in detail
    assert "no contact method that works" in page(admin, f"{LIST}{failed.pk}/")


def test_the_list_is_narrowed_by_state_channel_and_person(
    admin: User, alice: User, bob: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    tell(alice, "Alice, look")
    tell(bob, "Bob, look")
    due.run_all_due(Delivery)

    def seen(query: str) -> list[str]:
        html = page(admin, f"{LIST}?{query}")
        return [name for name in ("Alice", "Bob") if f"{name}, look" in html]

    assert seen("state=delivered") == ["Alice"]
    assert seen("state=failed") == ["Bob"]
    assert seen("channel=webhook") == ["Alice"]
    assert seen("channel=slack") == []
    assert seen(f"person={bob.pk}") == ["Bob"]
    assert seen("state=nonsense") == ["Alice", "Bob"]


def test_what_was_tried_in_vain_does_not_look_harmless_once_another_way_reached_them(
    admin: User, alice: User, provider: providers.HttpProvider
) -> None:
    provider.behave(providers.too_many("90"), providers.fine)
    for path in ("/busy", "/good", "/spare"):
        methods.add(alice, "webhook", provider.url(path), now=NOW)
    message = tell(alice)
    due.run_all_due(Delivery)

    html = page(admin, f"{LIST}{message.pk}/")
    assert html.count("status-in_vain") == 1
    assert "Failed once" in html
    assert "not needed any more, as another way reached them" in html
    assert html.count("Not needed") == 1  # what was never tried is that, and nothing else
    assert "failed once" in page(admin, LIST)


def test_a_message_that_waits_refreshes_its_page_until_it_ends(
    admin: User, alice: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    message = tell(alice)
    path = f"{LIST}{message.pk}/"
    waiting = page(admin, path)
    assert f'hx-get="{path}"' in waiting
    assert "every 2s" in waiting
    assert 'id="main"' in waiting

    due.run_all_due(Delivery)

    assert "every 2s" not in page(admin, path)


def test_what_failed_is_sent_again_once(admin: User, alice: User, provider: providers.HttpProvider) -> None:
    failed = tell(alice)
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    browser = signed_in(admin)

    first = browser.post(f"{LIST}{failed.pk}/again/")
    second = browser.post(f"{LIST}{failed.pk}/again/")
    due.run_all_due(Delivery)

    assert first.headers["Location"] == second.headers["Location"]
    assert len(provider.requests) == 1
    assert "Send it again" not in page(admin, f"{LIST}{failed.pk}/")
    assert "sent again" in page(admin, f"{LIST}{failed.pk}/")


def test_what_arrived_is_not_sent_again(admin: User, alice: User, provider: providers.HttpProvider) -> None:
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    message = tell(alice)
    due.run_all_due(Delivery)

    assert signed_in(admin).post(f"{LIST}{message.pk}/again/").status_code == 409
    assert Message.objects.count() == 1


def test_the_links_of_a_message_are_for_whom_it_went_to(admin: User, alice: User) -> None:
    message = tell(alice, actions=[Action("I'm in", "https://burnline.example.com/answer/secret/")])

    html = page(admin, f"{LIST}{message.pk}/")

    assert "I&#x27;m in" in html
    assert "/answer/secret/" not in html
    assert "sent again, it goes without them" in html  # it was written long ago

    Message.objects.update(created_at=timezone.now())
    assert "goes without them" not in page(admin, f"{LIST}{message.pk}/")


def test_the_list_costs_the_same_however_many_there_are(admin: User, alice: User) -> None:
    assert grows(admin, [LIST], lambda: tell(alice)) == []
