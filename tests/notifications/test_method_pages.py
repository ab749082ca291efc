"""The pages on which people say how they are reached, and see that it works."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from notifications import methods, outbox
from notifications.models import ContactMethod, Delivery, Message
from people.models import User
from tests import due, make, providers
from tests.browsing import grows, page, signed_in
from tests.make import NOW

pytestmark = pytest.mark.django_db

LIST = "/account/contact-methods/"
SLACK = "https://hooks.slack.com/services/T000/B000/{}"


@pytest.fixture
def provider(settings: Any) -> Iterator[providers.HttpProvider]:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    with providers.http() as provider:
        yield provider


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def slack(user: User, name: str) -> ContactMethod:
    return methods.add(user, "slack", SLACK.format(name), label=name, now=NOW)[0]


def labels(user: User) -> list[str]:
    return [method.label for method in user.contact_methods.all()]


def test_who_cannot_be_reached_is_warned(alice: User) -> None:
    assert "Nothing can reach you" in page(alice, LIST)


def test_who_has_none_sees_that_mail_goes_to_the_account(alice: User, settings: Any) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": "smtp://127.0.0.1:2525"})

    html = page(alice, LIST)

    assert 'messages go to <b translate="no">alice@example.com</b>' in html
    assert "Nothing can reach you" not in html


@pytest.mark.parametrize(
    ("kind", "address", "words"),
    [
        ("slack", SLACK.format("hush-hush"), "incoming webhook"),
        ("ntfy", "https://ntfy.sh/hush-hush", "topic"),
        ("teams", "https://prod-00.westeurope.logic.azure.com/workflows/hush-hush", "workflow"),
    ],
)
def test_a_method_is_added_by_a_form_that_says_what_to_paste(
    browser: Client, alice: User, kind: str, address: str, words: str
) -> None:
    assert words in browser.get(f"{LIST}new/{kind}/").content.decode()

    answer = browser.post(f"{LIST}new/{kind}/", {"address": address, "label": "Mine"})

    method = alice.contact_methods.get()
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{LIST}#method-{method.pk}"
    assert address.rpartition("/")[2] not in page(alice, LIST).replace(f"#method-{method.pk}", "")


def test_a_webhooks_secret_is_shown_once(browser: Client, alice: User) -> None:
    answer = browser.post(f"{LIST}new/webhook/", {"address": "https://example.com/hook"})

    assert answer.status_code == 201
    assert "whsec_" in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"
    method = alice.contact_methods.get()
    for path in (LIST, f"{LIST}{method.pk}/", f"{LIST}{method.pk}/remove/"):
        assert "whsec_" not in page(alice, path)


@pytest.mark.parametrize(
    "address", ["", "nonsense", "http://127.0.0.1/hook", "http://169.254.169.254/x", "file:///etc/passwd"]
)
def test_what_is_no_address_for_messages_is_said_beside_the_field(browser: Client, alice: User, address: str) -> None:
    answer = browser.post(f"{LIST}new/webhook/", {"address": address})

    assert answer.status_code == 422
    assert 'id="id_address_error"' in answer.content.decode()
    assert not alice.contact_methods.exists()


def test_they_are_moved_renamed_switched_off_and_removed(browser: Client, alice: User) -> None:
    one, two = slack(alice, "one"), slack(alice, "two")

    browser.post(f"{LIST}{two.pk}/move/", {"to": "earlier"})
    assert labels(alice) == ["two", "one"]
    browser.post(f"{LIST}{two.pk}/move/", {"to": "later"})
    assert labels(alice) == ["one", "two"]

    browser.post(f"{LIST}{one.pk}/", {"label": "My team's channel"})
    browser.post(f"{LIST}{one.pk}/switch/", {"on": "no"})
    one.refresh_from_db()
    assert (one.label, one.is_active) == ("My team's channel", False)
    browser.post(f"{LIST}{one.pk}/switch/", {"on": "yes"})
    one.refresh_from_db()
    assert one.is_active

    assert "Messages will go to" in page(alice, f"{LIST}{one.pk}/remove/")
    assert labels(alice) == ["My team's channel", "two"]
    browser.post(f"{LIST}{one.pk}/remove/")
    assert labels(alice) == ["two"]


def test_nobody_touches_the_methods_of_others(alice: User, bob: User, admin: User) -> None:
    method = slack(alice, "one")

    for other in (bob, admin):
        browser = signed_in(other)
        for path in ("", "move/", "switch/", "remove/", "test/"):
            assert browser.post(f"{LIST}{method.pk}/{path}", {"label": "x"}).status_code == 404
        assert browser.get(f"{LIST}{method.pk}/").status_code == 404
        assert browser.get(f"{LIST}{method.pk}/test/").status_code == 404
    assert not Message.objects.exists()
    assert labels(alice) == ["one"]


def test_a_test_shows_what_came_of_it(browser: Client, alice: User, provider: providers.HttpProvider) -> None:
    method, _ = methods.add(alice, "webhook", provider.url("/hook"), now=NOW)
    path = f"{LIST}{method.pk}/test/"

    browser.post(path)
    waiting = browser.get(path).content.decode()
    due.run_all_due(Delivery)
    arrived = browser.get(path).content.decode()

    assert "on its way" in waiting
    assert "every 1s" in waiting
    assert "Nothing has reached you there yet" in waiting
    assert "The test was taken" in arrived
    assert "answered 204" in arrived
    assert "Last reached you" in arrived
    assert "Nothing has reached you" not in arrived
    assert "every 1s" not in arrived
    assert "The test was taken" in page(alice, LIST)


def test_a_test_that_fails_says_so_in_the_providers_words(
    browser: Client, alice: User, provider: providers.HttpProvider
) -> None:
    provider.behave(providers.status(404))
    method, _ = methods.add(alice, "webhook", provider.url("/hook"), now=NOW)

    browser.post(f"{LIST}{method.pk}/test/")
    due.run_all_due(Delivery)

    html = page(alice, LIST)
    assert "The test did not arrive" in html
    assert "answered 404" in html
    assert "Refused" in html


def mentioned(user: User) -> Message:
    kind = Message.Kind.MENTIONED
    return outbox.enqueue(key=make.unique("k"), to=user, kind=kind, topic="t:1", subject="Look", text="Here.", now=NOW)


def test_its_owner_sees_what_became_of_the_last_try_while_it_goes_on(
    alice: User, provider: providers.HttpProvider
) -> None:
    provider.behave(providers.fine, providers.status(500), providers.fine)
    method, _ = methods.add(alice, "webhook", provider.url("/hook"), now=NOW)
    mentioned(alice)
    due.run_all_due(Delivery)
    assert "Tried" not in page(alice, LIST)

    mentioned(alice)
    due.run_all_due(Delivery)
    for html in (page(alice, LIST), page(alice, f"{LIST}{method.pk}/test/")):
        assert "Tried <time" in html
        assert "answered 500." in html
        assert "It goes on trying." in html
        assert "Last reached you" in html

    Delivery.objects.filter(state="waiting").update(due_at=Now())
    due.run_all_due(Delivery)
    assert "Tried" not in page(alice, LIST)


def test_its_owner_sees_what_failed_where_another_way_reached_them(
    alice: User, provider: providers.HttpProvider
) -> None:
    provider.behave(providers.too_many("90"), providers.fine)
    methods.add(alice, "webhook", provider.url("/busy"), now=NOW)
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    mentioned(alice)
    due.run_all_due(Delivery)

    html = page(alice, LIST)
    assert html.count("Tried <time") == 1
    assert "answered 429." in html
    assert "Another way reached you." in html


def test_who_has_no_method_sees_what_became_of_the_last_mail(alice: User, settings: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        smtp = f"smtp://127.0.0.1:{nobody.getsockname()[1]}"
        settings.ENV = settings.ENV.model_copy(update={"smtp_url": smtp})
        mentioned(alice)
        due.run_all_due(Delivery)

    html = page(alice, LIST)
    assert "Tried <time" in html
    assert "127.0.0.1 cannot be used: ConnectionRefusedError." in html
    assert "It goes on trying." in html


def test_a_test_goes_by_that_method_alone_even_where_it_is_off(
    browser: Client, alice: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/first"), now=NOW)
    method, _ = methods.add(alice, "webhook", provider.url("/second"), now=NOW)
    methods.switch(method, on=False, now=NOW)

    browser.post(f"{LIST}{method.pk}/test/")
    due.run_all_due(Delivery)

    assert [request.path for request in provider.requests] == ["/second"]


def test_six_tests_a_minute_are_enough(browser: Client, alice: User) -> None:
    method = slack(alice, "one")

    answers = [browser.post(f"{LIST}{method.pk}/test/").status_code for _ in range(7)]

    assert answers == [302] * 6 + [429]
    assert Message.objects.count() == 6


def test_looking_at_the_state_of_a_test_sends_none(browser: Client, alice: User) -> None:
    method = slack(alice, "one")
    for _ in range(3):
        browser.get(f"{LIST}{method.pk}/test/")

    assert not Message.objects.exists()


def test_the_page_costs_the_same_however_many_there_are(alice: User) -> None:
    assert grows(alice, [LIST], lambda: slack(alice, f"m{alice.contact_methods.count()}")) == []


@pytest.mark.parametrize(("act", "sent"), [("move", {"to": "later"}), ("switch", {"on": "no"})])
def test_a_button_beside_what_was_done_takes_it_back(
    browser: Client, alice: User, act: str, sent: dict[str, str]
) -> None:
    one, _ = slack(alice, "one"), slack(alice, "two")

    told = browser.post(f"{LIST}{one.pk}/{act}/", sent, follow=True).content.decode()
    way_back = re.search(
        rf'<form method="post" action="({LIST}{one.pk}/{act}/)">(.*?)</form>', told[told.index("messages") :], re.DOTALL
    )
    assert way_back
    fields = dict(re.findall(r'name="(\w+)"\s+value="(\w+)"', way_back[2]))
    browser.post(way_back[1], fields)

    one.refresh_from_db()
    assert (labels(alice), one.is_active) == (["one", "two"], True)
