"""Who hears that alerts have opened an incident; and that a storm of incidents is a handful of messages to each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import heartbeats, ingest
from alerts.models import Heartbeat, Integration
from config import celery
from incidents import announcing, lifecycle, notices, responding
from incidents.models import Announcement, Entry, Incident
from notifications import methods, outbox
from notifications.models import Delivery, Message
from people import preferences
from people.models import Team, User
from tests import make
from tests.make import NOW, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail(settings: Any) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": "smtp://127.0.0.1:1"})


@pytest.fixture
def source(payments: Team) -> Integration:
    integration, _ = make.integration(team=payments)
    return integration


def fire(source: Integration, name: str = "Errors", *, at: datetime = NOW, **alert: Any) -> Incident:
    """An alert, in a group of its own."""
    sent = make.alert(name, starts_at=at, **alert)
    ingest.receive(source, make.alertmanager_body(sent, group=name), now=at)
    return Incident.objects.get(alerts__name=name)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def announce(at: datetime = NOW) -> int:
    return announcing.announce(now=at) if announcing.is_due(now=at) else 0


def told(user: User) -> list[str]:
    found = Message.objects.filter(user=user, kind=Message.Kind.OPENED)
    return list(found.order_by("created_at").values_list("subject", flat=True))


def test_who_responds_in_its_team_hears_of_what_alerts_open(
    source: Integration, alice: User, bob: User, victor: User, charlie: User, admin: User
) -> None:
    incident = fire(source)

    assert announce() == 2

    assert told(alice) == told(bob) == [f"[SEV2] {incident}: new incident - Errors above 5%"]
    assert [told(other) for other in (victor, charlie, admin)] == [[], [], []]
    message = Message.objects.get(user=alice)
    assert f"Alerts have opened {incident}. 1 alert fires." in message.text
    assert message.url.endswith(incident.get_absolute_url())
    assert message.priority == "urgent"
    assert announce(after(600)) == 0, "once"


def test_of_what_no_team_has_admins_hear(alice: User, admin: User) -> None:
    source, _ = make.integration()
    fire(source)
    announce()

    assert len(told(admin)) == 1
    assert told(alice) == []


def test_where_nobody_in_the_team_wants_to_hear_admins_do(source: Integration, alice: User, admin: User) -> None:
    preferences.change(alice, {"hears_of_incidents": False})
    fire(source)
    announce()

    assert told(alice) == []
    assert len(told(admin)) == 1


def test_whom_nothing_reaches_is_no_failure(source: Integration, alice: User, settings: Any) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": ""})
    incident = fire(source)

    assert announce() == 0
    assert not incident.entries.filter(kind=Entry.Kind.NOTIFICATION_FAILED).exists()


def test_what_a_person_declares_is_theirs_to_tell(payments: Team, alice: User) -> None:
    make.incident(payments)

    assert announce() == 0


def test_what_somebody_took_at_once_wakes_nobody(source: Integration, alice: User, bob: User) -> None:
    lifecycle.acknowledge(fire(source), by=person(bob), now=NOW)

    assert announce() == 0
    assert told(alice) == []


def test_a_candidate_is_told_as_one(source: Integration, alice: User) -> None:
    incident = fire(source)
    Incident.objects.filter(pk=incident.pk).update(is_candidate=True)
    announce()

    [subject] = told(alice)
    assert "may be an incident" in subject
    assert Message.objects.get(user=alice).priority == "normal"


def test_a_missing_heartbeat_is_told(source: Integration, alice: User) -> None:
    for seconds in (-300, 0):
        ingest.receive(source, make.alertmanager_body(make.alert("Watchdog")), now=after(seconds))
    late = after(3600)
    assert heartbeats.look(now=late) == 1
    assert Heartbeat.objects.get().incident is not None
    announce(late)

    [subject] = told(alice)
    assert "No sign of life" in subject


def test_what_fires_again_comes_back_to_who_had_taken_it(source: Integration, alice: User, bob: User) -> None:
    incident = fire(source)
    announce()
    lifecycle.acknowledge(incident, by=person(bob), now=after(1))
    lifecycle.move(incident, Incident.Status.RESOLVED, by=person(bob), now=after(2))
    end = make.alert("Errors", status="resolved", starts_at=NOW, ends_at=after(3))
    ingest.receive(source, make.alertmanager_body(end, group="Errors"), now=after(3))
    ingest.receive(
        source, make.alertmanager_body(make.alert("Errors", starts_at=after(60)), group="Errors"), now=after(60)
    )
    announce(after(60))

    assert len(told(alice)) == 1, "of its opening"
    assert told(bob)[1:] == [f"[SEV2] {incident}: fires again - Errors above 5%"]


def test_what_a_program_had_taken_comes_back_to_the_team(source: Integration, alice: User, bob: User) -> None:
    incident = fire(source)
    announce()
    token, _ = make.token(bob)
    lifecycle.acknowledge(incident, by=make.bot(token), now=after(1))
    lifecycle.move(incident, Incident.Status.RESOLVED, by=make.bot(token), now=after(2))
    end = make.alert("Errors", status="resolved", starts_at=NOW, ends_at=after(3))
    ingest.receive(source, make.alertmanager_body(end, group="Errors"), now=after(3))
    again = make.alert("Errors", starts_at=after(60))
    ingest.receive(source, make.alertmanager_body(again, group="Errors"), now=after(60))
    assert Incident.objects.get().status == Incident.Status.ACKNOWLEDGED
    announce(after(60))

    assert len(told(alice)) == len(told(bob)) == 2


def test_where_nothing_reaches_anybody_in_the_team_admins_hear(
    source: Integration, alice: User, admin: User, settings: Any
) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": "", "private_networks": "127.0.0.0/8"})
    methods.add(admin, "webhook", "http://127.0.0.1:1/in", now=NOW)
    fire(source)
    announce()

    assert told(alice) == []
    assert len(told(admin)) == 1


def test_who_may_not_see_it_does_not_stand_in_the_way_of_who_may(source: Integration, alice: User, admin: User) -> None:
    incident = fire(source)
    Incident.objects.filter(pk=incident.pk).update(is_private=True)
    announce()

    assert told(alice) == []
    assert len(told(admin)) == 1


def test_a_storm_is_few_messages_to_each_and_each_says_how_many(source: Integration, alice: User) -> None:
    """An incident each second for five minutes."""
    sent = []
    for second in range(300):
        fire(source, f"Storm{second}", at=after(second))
        sent.append(announce(after(second)))
    last = announce(after(420))

    assert sum(sent) <= 5
    assert sent[0] == 1, "the first at once"
    subjects = told(alice)
    assert subjects[0].startswith("[SEV2] INC-1: new incident")
    assert subjects[1] == "[SEV2] 10 new incidents, the first INC-2 - Errors above 5%"
    assert last == 1
    announced = Announcement.objects.filter(message__user=alice)
    assert announced.values("incident").distinct().count() == announced.count() == 300
    text = Message.objects.get(user=alice, subject=subjects[2]).text
    assert "Alerts have opened 30 incidents:" in text
    assert "And 10 more." in text
    assert "1 alert fires." in text


def test_what_one_message_has_no_room_for_comes_with_the_next(
    source: Integration, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "MOST", 2)
    for name in ("One", "Two", "Three"):
        fire(source, name)
    sent = [announce(), announce(after(5)), announce(after(10))]

    assert sent == [1, 0, 1]
    assert [len(message.announcements.all()) for message in Message.objects.order_by("created_at")] == [2, 1]


def test_what_was_taken_while_it_waited_is_left_out(source: Integration, alice: User, bob: User) -> None:
    fire(source, "One")
    announce()
    taken, left = fire(source, "Two", at=after(1)), fire(source, "Three", at=after(2))
    announce(after(2))
    lifecycle.acknowledge(taken, by=person(bob), now=after(3))
    announce(after(30))

    assert told(alice)[1:] == [f"[SEV2] {left}: new incident - Errors above 5%"]
    assert not Announcement.objects.filter(incident=taken, user=alice).exists()


def test_what_is_over_by_then_is_left_out(source: Integration, alice: User, bob: User) -> None:
    fire(source, "One")
    announce()
    over = fire(source, "Two", at=after(1))
    announce(after(1))
    lifecycle.move(over, Incident.Status.RESOLVED, by=person(bob), now=after(2))
    announce(after(30))

    assert len(told(alice)) == 1


def test_what_has_become_private_is_told_to_nobody_who_does_not_see_it(source: Integration, alice: User) -> None:
    fire(source, "One")
    announce()
    hidden = fire(source, "Two", at=after(1))
    announce(after(1))
    Incident.objects.filter(pk=hidden.pk).update(is_private=True)
    announce(after(30))

    assert len(told(alice)) == 1


def test_each_timeline_says_who_was_told_though_one_message_did(source: Integration, alice: User) -> None:
    fire(source, "One")
    announce()
    both = [fire(source, "Two", at=after(1)), fire(source, "Three", at=after(1))]
    announce(after(30))
    message = Message.objects.order_by("created_at").last()
    assert message is not None
    delivery = Delivery.objects.get(message=message)
    message.state = Message.State.DELIVERED
    notices.record(message, delivery, after(31))

    for incident in both:
        [entry] = incident.entries.filter(kind=Entry.Kind.NOTIFIED)
        assert entry.data["user"]["name"] == "Alice"
        assert entry.data["channel"] == methods.EMAIL


def test_each_timeline_hears_that_a_failed_one_came_after_all(source: Integration, alice: User, admin: User) -> None:
    fire(source, "One")
    announce()
    both = [fire(source, "Two", at=after(1)), fire(source, "Three", at=after(1))]
    announce(after(30))
    message = Message.objects.get(topic__startswith="incidents:")
    Message.objects.filter(pk=message.pk).update(state=Message.State.FAILED, ended_at=after(31), reason="no")
    message.refresh_from_db()
    notices.record(message, None, after(31))
    again = outbox.send_again(message, by=person(admin), now=after(40))
    again.state = Message.State.DELIVERED
    notices.record(again, Delivery.objects.get(message=again), after(41))

    for incident in both:
        kinds = list(incident.entries.filter(kind__startswith="notif").order_by("seq").values_list("kind", flat=True))
        assert kinds == ["notification_failed", "notified"]


def test_it_is_in_their_language(source: Integration, alice: User) -> None:
    preferences.change(alice, {"language": "de"})
    alice.refresh_from_db()
    incident = fire(source)
    announce()

    assert told(alice) == [f"[SEV2] {incident}: neuer Vorfall - Errors above 5%"]


def test_the_engine_looks_each_second_and_writes_nothing_where_there_is_nothing() -> None:
    entry = celery.app.conf.beat_schedule["tell of new incidents"]

    assert entry == {
        "task": f"{announcing.__name__}.{announcing.announce.__name__}",
        "schedule": timedelta(seconds=1),
        "when": f"{announcing.__name__}.{announcing.is_due.__name__}",
    }
    assert not announcing.is_due(now=NOW)


def test_one_that_cannot_be_decided_keeps_nobody_from_hearing_of_others(
    source: Integration, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = fire(source, "One"), fire(source, "Two")
    hearers = announcing.hearers

    def cannot(incident: Incident) -> list[User]:
        if incident.pk == broken.pk:
            raise ValueError
        return hearers(incident)

    monkeypatch.setattr(announcing, "hearers", cannot)
    with pytest.raises(ValueError):
        announce()

    assert told(alice) == [f"[SEV2] {fine}: new incident - Errors above 5%"]
    assert Incident.objects.get(pk=broken.pk).is_news


def test_who_is_asked_already_is_told_all_the_same(source: Integration, alice: User, bob: User) -> None:
    """Being asked is another thing than hearing of it, and each is said once."""
    incident = fire(source)
    responding.ask(incident, alice, by=person(bob), now=NOW)
    announce()

    assert set(Message.objects.filter(user=alice).values_list("kind", flat=True)) == {"asked", "opened"}


def test_who_has_left_meanwhile_is_told_nothing(source: Integration, alice: User, bob: User) -> None:
    fire(source, "One")
    announce()
    fire(source, "Two", at=after(1))
    announce(after(1))
    User.objects.filter(pk=alice.pk).update(is_active=False)
    announce(after(30))

    assert len(told(alice)) == 1
    assert len(told(bob)) == 2
    assert not Announcement.objects.filter(message=None).exists()
