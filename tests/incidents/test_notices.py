"""Who is told what about an incident, and what its timeline says of that."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from incidents import lifecycle, responding, timeline, wording
from incidents.models import Entry, Incident
from notifications import methods, outbox
from notifications.channels import Outcome, Outgoing, Sent, Target
from notifications.channels.webhook import Webhook
from notifications.models import Delivery, Message
from people.models import Team, User
from tests import due, make, providers
from tests.browsing import page
from tests.make import NOW, person

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def provider(settings: Any) -> Iterator[providers.HttpProvider]:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    with providers.http() as provider:
        yield provider


@pytest.fixture
def incident(payments: Team) -> Incident:
    return make.incident(payments, severity="sev1", service=make.service("checkout"))


def to(user: User) -> list[tuple[str, str]]:
    """What the person was told: the kind of each message, and its subject."""
    return list(Message.objects.filter(user=user).order_by("created_at", "key").values_list("kind", "subject"))


def kinds(user: User) -> list[str]:
    return [kind for kind, _ in to(user)]


def test_who_is_asked_is_told_by_whom_and_what_for(incident: Incident, alice: User, bob: User) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Europe/Berlin")
    alice.refresh_from_db()
    responding.ask(incident, alice, by=person(bob), now=NOW)

    [message] = Message.objects.filter(user=alice)
    assert message.subject == f"[SEV1] {incident}: Bob asks you to come - {incident.title}"
    assert f"Bob asks you to come to {incident} as Data science." in message.text
    assert "Affects Checkout" in message.text
    assert "Since 2 Mar 2026, 10:00 CET (09:00 UTC)" in message.text
    assert message.url.endswith(f"/incidents/{incident.number}/")
    assert [label for label, _ in message.actions] == ["I'm in", "I can't"]
    assert message.priority == "urgent"


def test_who_does_it_themselves_is_not_told(incident: Incident, alice: User) -> None:
    responding.join(incident, alice, now=NOW)
    responding.assign_role(incident, make.role("commander"), alice, by=person(alice), now=NOW)
    responding.speak(incident, Entry.Kind.NOTE, "@alice note to self", by=person(alice), now=NOW)

    assert to(alice) == []


def test_a_program_of_theirs_may_call_them(incident: Incident, alice: User) -> None:
    token, _ = make.token(alice)
    responding.ask(incident, alice, by=make.bot(token), now=NOW)

    assert kinds(alice) == ["asked"]


def test_asking_twice_tells_once_and_again_after_they_left(incident: Incident, alice: User, bob: User) -> None:
    for _ in range(2):
        responder = responding.ask(incident, alice, by=person(bob), now=NOW)
    responding.leave(responder, by=person(alice), now=NOW)
    responding.ask(incident, alice, by=person(bob), now=LATER)

    assert kinds(alice) == ["asked", "asked"]


def test_a_role_tells_once_also_who_was_not_there(incident: Incident, alice: User, bob: User) -> None:
    responding.assign_role(incident, make.role("commander"), alice, by=person(bob), now=NOW)

    [message] = Message.objects.filter(user=alice)
    assert (message.kind, len(message.actions)) == ("role", 2)
    assert "you are Commander now" in message.subject


def test_who_is_in_gets_a_role_without_being_asked_to_come(incident: Incident, alice: User, bob: User) -> None:
    responding.join(incident, alice, now=NOW)
    responding.assign_role(incident, make.role("scribe"), alice, by=person(bob), now=NOW)

    [message] = Message.objects.filter(user=alice)
    assert message.actions == []


def test_over_rest_a_role_and_the_call_are_one_message(incident: Incident, alice: User, bob: User, api: Any) -> None:
    url = f"/api/v1/incidents/{incident.number}/responders/"
    answer = api(bob).post(url, {"user": alice.pk, "role": "commander", "discipline": "privacy"})

    assert answer.status_code == 201
    assert answer.json()["discipline"] == "privacy"
    assert kinds(alice) == ["role"]


def test_who_is_mentioned_reads_what_was_said(incident: Incident, alice: User, bob: User) -> None:
    entry, _ = responding.speak(incident, Entry.Kind.NOTE, "@alice, is it drift?", by=person(bob), now=NOW)

    [message] = Message.objects.filter(user=alice)
    assert "@alice, is it drift?" in message.text
    assert message.url.endswith(f"?entry={entry.seq}#entry-{entry.seq}")


def test_a_correction_tells_only_whom_it_names_anew(incident: Incident, alice: User, bob: User, charlie: User) -> None:
    entry, _ = responding.speak(incident, Entry.Kind.NOTE, "@alice: 3 %", by=person(bob), now=NOW)
    text = "@alice: 4 %, @charlie"
    responding.speak(incident, Entry.Kind.NOTE, text, by=person(bob), now=NOW, amends=entry.seq)

    assert (kinds(alice), kinds(charlie)) == (["mentioned"], ["mentioned"])


def test_an_entry_written_twice_under_one_key_tells_once(incident: Incident, alice: User, bob: User) -> None:
    for _ in range(2):
        responding.speak(incident, Entry.Kind.NOTE, "@alice look", by=person(bob), now=NOW, key="note-1")

    assert kinds(alice) == ["mentioned"]


def test_who_may_not_see_it_is_not_told(payments: Team, alice: User, bob: User, charlie: User) -> None:
    private = make.incident(payments, by=bob, is_private=True)
    responding.speak(private, Entry.Kind.NOTE, "@alice @charlie look", by=person(bob), now=NOW)
    responding.ask(private, alice, by=person(bob), now=NOW)

    assert to(charlie) == []
    assert kinds(alice) == ["asked"]


def test_that_nobody_can_be_reached_stands_on_the_timeline(incident: Incident, alice: User, bob: User) -> None:
    responding.ask(incident, alice, by=person(bob), now=NOW)

    entry = incident.entries.order_by("seq").last()
    assert entry is not None
    assert entry.kind == Entry.Kind.NOTIFICATION_FAILED
    assert entry.data["user"] == {"id": alice.pk, "name": "Alice"}
    assert "no contact method" in entry.data["reason"]


def test_what_arrived_stands_on_the_timeline_once(
    incident: Incident, alice: User, bob: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/broken"), now=NOW)
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    provider.behave(providers.status(404), providers.fine)
    responding.ask(incident, alice, by=person(bob), now=NOW)

    due.run_all_due(Delivery)
    Delivery.objects.update(state="waiting")  # as if somebody had died before it was written down
    due.run_all_due(Delivery)

    [entry] = incident.entries.filter(kind=Entry.Kind.NOTIFIED)
    assert entry.data["channel"] == "webhook"
    assert entry.data["tries"] == 1
    assert entry.data["message"] == "asked"


def not_told(incident: Incident) -> list[str]:
    entries = incident.entries.filter(kind=Entry.Kind.NOTIFICATION_FAILED).order_by("seq")
    return [str(wording.sentence(entry)) for entry in entries]


def try_once(delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk, state="waiting").update(due_at=Now())
    due.run_all_due(Delivery)


def test_a_failover_stands_on_the_timeline_once_and_says_what_is_tried_next(
    incident: Incident, alice: User, bob: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/secret-path"), now=NOW)
    methods.add(alice, "teams", "https://example.webhook.office.com/x", now=NOW)
    provider.behave(providers.status(500))
    responding.ask(incident, alice, by=person(bob), now=NOW)
    first, second = Delivery.objects.order_by("position")
    Delivery.objects.filter(pk=second.pk).update(lease_until=Now() + timedelta(hours=1))  # it hangs

    for tries in range(1, 6):
        try_once(first)
        assert len(not_told(incident)) == (1 if tries >= 3 else 0)
        first.refresh_from_db()
        assert (first.tries, first.fault) == (tries, "")

    [words] = not_told(incident)
    assert words.startswith("Alice could not be told by Webhook so far; trying Microsoft Teams (")
    assert "500" in words
    entry = incident.entries.get(kind=Entry.Kind.NOTIFICATION_FAILED)
    assert (entry.data["final"], entry.data["channel"], entry.data["tries"]) == (False, "webhook", 3)
    assert entry.data["user"] == {"id": alice.pk, "name": "Alice"}
    assert "secret-path" not in str(entry.data)
    incident.refresh_from_db()
    assert timeline.verify(incident) is None


def test_who_is_refused_is_said_to_be_tried_by_the_next_method_at_once(
    incident: Incident, alice: User, bob: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/broken"), now=NOW)
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    provider.behave(providers.status(404), providers.fine)
    responding.ask(incident, alice, by=person(bob), now=NOW)

    due.run_all_due(Delivery)

    assert [words.partition(" (")[0] for words in not_told(incident)] == [
        "Alice could not be told by Webhook so far; trying Webhook"
    ]
    written = incident.entries.order_by("seq").values_list("kind", flat=True)
    assert list(written)[-2:] == [Entry.Kind.NOTIFICATION_FAILED, Entry.Kind.NOTIFIED]


def test_where_the_only_method_is_in_vain_the_timeline_says_that_it_goes_on(
    incident: Incident, alice: User, bob: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/broken"), now=NOW)
    provider.behave(providers.too_many("90"))
    responding.ask(incident, alice, by=person(bob), now=NOW)

    due.run_all_due(Delivery)

    [words] = not_told(incident)
    assert words.startswith("Alice could not be told by Webhook so far; it goes on trying (")


def test_what_no_method_takes_stands_on_the_timeline_without_addresses(
    incident: Incident, alice: User, bob: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/secret-path"), now=NOW)
    provider.behave(providers.status(404))
    responding.ask(incident, alice, by=person(bob), now=NOW)

    due.run_all_due(Delivery)

    [entry] = incident.entries.filter(kind=Entry.Kind.NOTIFICATION_FAILED)
    assert "404" in entry.data["reason"]
    assert "secret-path" not in str(entry.data)


def test_that_a_timeline_with_messages_holds(incident: Incident, alice: User, bob: User) -> None:
    responding.ask(incident, alice, by=person(bob), now=NOW)

    incident.refresh_from_db()
    assert timeline.verify(incident) is None


@pytest.mark.django_db(transaction=True)
def test_sending_and_asking_on_one_incident_do_not_wait_for_each_other(
    incident: Incident, alice: User, bob: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread ends deliveries, which then want the incident; the other holds the incident, and writes messages."""
    for user in (alice, charlie):
        methods.add(user, "webhook", "https://example.com/hook", now=NOW)
    monkeypatch.setattr(Webhook, "send", _yes)
    faults: list[BaseException] = []

    def asks() -> None:
        try:
            for number in range(15):
                with transaction.atomic():
                    responding.speak(incident, Entry.Kind.NOTE, f"@alice @charlie {number}", by=person(bob), now=NOW)
                    time.sleep(0.005)
        except Exception as exc:
            faults.append(exc)
        finally:
            connection.close()

    def sends(until: threading.Thread) -> None:
        try:
            while until.is_alive() or Delivery.objects.filter(state="waiting").exists():
                due.run_all_due(Delivery)
        except Exception as exc:
            faults.append(exc)
        finally:
            connection.close()

    asking = threading.Thread(target=asks)
    sending = [threading.Thread(target=sends, args=(asking,)) for _ in range(2)]
    for thread in (asking, *sending):
        thread.start()
    for thread in (asking, *sending):
        thread.join(60)

    assert faults == []
    assert not Delivery.objects.exclude(fault="").exists()
    assert incident.entries.filter(kind=Entry.Kind.NOTIFIED).count() == Message.objects.count() == 30


def _yes(channel: Webhook, outgoing: Outgoing, target: Target) -> Outcome:
    return Sent()


def test_a_message_of_another_room_does_not_touch_incidents(alice: User) -> None:
    kind = Message.Kind.REMINDER
    outbox.enqueue(key="x", to=alice, kind=kind, topic="other:1", subject="Look", text="Here", now=NOW)

    assert Entry.objects.count() == 0


def test_a_note_with_a_move_mentions_too(incident: Incident, alice: User, bob: User) -> None:
    lifecycle.move(incident, Incident.Status.ACKNOWLEDGED, by=person(bob), now=NOW, note="@alice, I take it")

    assert kinds(alice) == ["mentioned"]


def test_the_incident_shows_whether_who_was_asked_was_told(
    incident: Incident, alice: User, bob: User, charlie: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/good"), now=NOW)
    methods.add(bob, "webhook", provider.url("/bob"), now=NOW)
    for user in (alice, charlie):
        responding.ask(incident, user, by=person(bob), now=NOW)
    shown = page(bob, f"/incidents/{incident.number}/")
    assert "being told by Webhook" in shown
    assert "Charlie has no contact method that works, and no mail server is set up.</div>" in shown

    due.run_all_due(Delivery)

    assert "told by Webhook" in page(bob, f"/incidents/{incident.number}/")


def test_why_somebody_could_not_be_told_stands_beside_them_and_leads_an_admin_to_the_message(
    incident: Incident, alice: User, bob: User, admin: User, provider: providers.HttpProvider
) -> None:
    methods.add(alice, "webhook", provider.url("/gone"), now=NOW)
    provider.behave(providers.status(404))
    responding.ask(incident, alice, by=person(bob), now=NOW)
    due.run_all_due(Delivery)
    link = f'href="/settings/messages/{Message.objects.get().pk}/"'

    for reader, may_look in ((bob, False), (admin, True)):
        people = page(reader, f"/incidents/{incident.number}/").partition('id="people"')[2]
        assert "could not be told" in people
        assert 'translate="no">Webhook: 127.0.0.1 answered 404.</div>' in people
        assert (link in people) is may_look


def test_the_incident_says_who_of_those_in_it_cannot_be_reached(incident: Incident, alice: User, bob: User) -> None:
    responding.join(incident, alice, now=NOW)
    methods.add(bob, "webhook", "https://example.com/hook", now=NOW)
    responding.join(incident, bob, now=NOW)

    assert page(bob, f"/incidents/{incident.number}/").count("cannot be reached: no contact method") == 1
    assert "nothing can reach you" in page(alice, f"/incidents/{incident.number}/")
