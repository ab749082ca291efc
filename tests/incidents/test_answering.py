"""The links of a message: a page that changes nothing, and a button that does, once, for one person and one answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from django.utils import timezone

from incidents import answer_links, answering, lifecycle, responding
from incidents.answer_links import Answer
from incidents.models import Entry, Incident, Responder
from notifications.models import Message
from people.models import Team, User
from tests import evidence, make
from tests.make import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def incident(payments: Team, now: datetime) -> Incident:
    return make.incident(payments, severity="sev1", service=make.service("checkout"), now=now)


@pytest.fixture
def asked(incident: Incident, alice: User, bob: User, now: datetime) -> Responder:
    return responding.ask(incident, alice, by=person(bob), now=now)


def path(user: User, label: str) -> str:
    """Where the latest message to this person leads."""
    message = Message.objects.filter(user=user, kind__in=("asked", "role")).latest("created_at")
    url: str = dict(message.actions)[label]
    return "/" + url.split("/", 3)[3]


def state(responder: Responder) -> str:
    responder.refresh_from_db()
    return responder.state


def test_the_page_says_what_it_is_about_and_fits_a_bad_line(client: Client, asked: Responder, alice: User) -> None:
    answer = client.get(path(alice, "I'm in"))

    html = answer.content.decode()
    assert answer.status_code == 200
    assert len(answer.content) < 30_000
    assert "<script" not in html
    buttons = ("Acknowledge", "Escalate", "I can&#x27;t take it")
    for words in ("SEV1", asked.incident.title, "Checkout", "Since", "Bob", *buttons):
        assert words in html
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not answer.cookies


def test_looking_changes_nothing_however_often(client: Client, asked: Responder, alice: User) -> None:
    links = [path(alice, "I'm in"), path(alice, "I can't")]
    before = (Entry.objects.count(), Message.objects.count())

    for number in range(1000 if evidence.is_wanted() else 100):
        assert client.get(links[number % 2]).status_code == 200
    client.head(links[0])

    assert state(asked) == Responder.State.ASKED
    assert (Entry.objects.count(), Message.objects.count()) == before


def test_im_in_brings_them_in_without_signing_in(asked: Responder, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    link = path(alice, "I'm in")

    answer = client.post(link, headers={"Origin": "null"}, follow=True)

    assert state(asked) == Responder.State.JOINED
    assert "You are in since" in answer.content.decode()
    assert asked.incident.entries.get(kind=Entry.Kind.RESPONDER_JOINED).actor_user == alice
    taken = asked.incident.entries.get(kind=Entry.Kind.STATUS_CHANGED)
    assert (taken.actor_user, taken.data["to"]) == (alice, "acknowledged")
    assert "_auth_user_id" not in client.session


def test_who_comes_second_reads_who_took_it_and_joins(
    client: Client, asked: Responder, alice: User, charlie: User, now: datetime
) -> None:
    lifecycle.acknowledge(asked.incident, by=person(charlie), now=now)

    html = client.get(path(alice, "I'm in")).content.decode()
    assert "Taken by" in html
    assert "Charlie" in html
    assert "I&#x27;m in" in html
    client.post(path(alice, "I'm in"))

    assert state(asked) == Responder.State.JOINED
    assert asked.incident.entries.filter(kind=Entry.Kind.STATUS_CHANGED).count() == 1


def test_escalating_calls_those_who_manage_the_team_once(
    client: Client, incident: Incident, alice: User, charlie: User, bob: User, now: datetime
) -> None:
    asked = responding.ask(incident, alice, by=person(charlie), now=now)
    page = client.get(path(alice, "I'm in")).content.decode()
    [link] = re.findall(r'action="([^"]+)">\s*<button[^>]*>Escalate', page)

    first = client.post(link, follow=True)
    client.post(link)

    assert "Called since:" in first.content.decode()
    assert "Bob" in first.content.decode()
    assert incident.responders.get(user=bob).state == Responder.State.ASKED
    assert state(asked) == Responder.State.ASKED
    assert Message.objects.filter(user=bob, kind=Message.Kind.ASKED).count() == 1
    assert "Escalate" not in client.get(path(alice, "I'm in")).content.decode()


def test_who_has_nobody_above_is_told_so(
    client: Client, asked: Responder, alice: User, bob: User, now: datetime
) -> None:
    responding.join(asked.incident, bob, now=now)
    page = client.get(path(alice, "I'm in")).content.decode()
    [link] = re.findall(r'action="([^"]+)">\s*<button[^>]*>Escalate', page)

    answer = client.post(link)

    assert answer.status_code == 409
    assert "nobody left to escalate to" in answer.content.decode()


def test_i_cant_is_written_down_and_told_to_who_waits(
    client: Client, asked: Responder, alice: User, bob: User, charlie: User, now: datetime
) -> None:
    responding.assign_role(asked.incident, make.role("commander"), charlie, by=person(charlie), now=now)

    answer = client.post(path(alice, "I can't"), follow=True)

    assert state(asked) == Responder.State.LEFT
    assert "You said that you cannot come" in answer.content.decode()
    left = asked.incident.entries.get(kind=Entry.Kind.RESPONDER_LEFT)
    assert left.data["cannot_come"] is True
    told = Message.objects.filter(kind=Message.Kind.DECLINED)
    assert {message.user for message in told} == {bob, charlie}
    assert all(f"Alice cannot come to {asked.incident}" in message.text for message in told)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("delivered", "Who waits for you was told."),
        ("waiting", "Who waits for you is being told."),
        ("failed", "No message could tell that to anybody"),
    ],
)
def test_who_cannot_come_reads_whether_those_who_wait_know(
    client: Client, asked: Responder, alice: User, now: datetime, state: str, words: str
) -> None:
    client.post(path(alice, "I can't"))
    [told] = Message.objects.filter(kind=Message.Kind.DECLINED)
    ended_at = None if state == "waiting" else now
    Message.objects.filter(pk=told.pk).update(state=state, ended_at=ended_at)

    assert words in client.get(path(alice, "I can't")).content.decode()


def test_who_cannot_come_and_was_asked_by_nobody_who_can_be_told_reads_that(
    client: Client, incident: Incident, alice: User, bob: User, now: datetime
) -> None:
    token, _ = make.token(bob)
    responding.ask(incident, alice, by=make.bot(token), now=now)
    User.objects.filter(pk=bob.pk).update(is_active=False)

    html = client.post(path(alice, "I can't"), follow=True).content.decode()

    assert not Message.objects.filter(kind=Message.Kind.DECLINED).exists()
    assert "was told" not in html
    assert f"it stands on the timeline of {incident}" in html


def test_who_said_that_they_cannot_come_reads_how_to_come_after_all(
    client: Client, asked: Responder, alice: User, bob: User, now: datetime
) -> None:
    client.post(path(alice, "I can't"))

    html = client.get(path(alice, "I'm in")).content.decode()
    assert "To come after all, sign in and join" in html
    assert f'href="/incidents/{asked.incident.number}/#people"' in html

    lifecycle.move(asked.incident, Incident.Status.DISMISSED, by=person(bob), now=now, reason="A false alarm")
    assert "To come after all" not in client.get(path(alice, "I'm in")).content.decode()


def test_pressing_twice_is_pressing_once(client: Client, asked: Responder, alice: User) -> None:
    link = path(alice, "I'm in")
    for _ in range(3):
        assert client.post(link).status_code == 302

    assert asked.incident.entries.filter(kind=Entry.Kind.RESPONDER_JOINED).count() == 1


@pytest.mark.parametrize(("first", "second"), [("I'm in", "I can't"), ("I can't", "I'm in")])
def test_the_first_answer_stands_and_the_page_says_it(
    client: Client, asked: Responder, alice: User, first: str, second: str
) -> None:
    client.post(path(alice, first))
    stands = state(asked)

    html = client.post(path(alice, second), follow=True).content.decode()

    assert state(asked) == stands
    assert ("You are in" in html) == (first == "I'm in")
    assert "<button" not in html


def test_a_link_of_yesterday_has_expired(client: Client, asked: Responder, alice: User, now: datetime) -> None:
    key = Message.objects.get(user=alice).key
    old = answer_links.token(asked, Answer.COMES, key, now - timedelta(hours=24, minutes=1))

    for answer in (client.get(f"/answer/{old}/"), client.post(f"/answer/{old}/")):
        assert answer.status_code == 410
        assert "more than a day old" in answer.content.decode()
    assert state(asked) == Responder.State.ASKED


def test_an_altered_link_does_nothing(client: Client, asked: Responder, alice: User) -> None:
    link = path(alice, "I'm in")

    for broken in (link[:-3] + "/", link.replace("/answer/", "/answer/x"), "/answer/nonsense/", link[:20] + "/"):
        answer = client.post(broken)
        assert answer.status_code == 404
        assert "data-refusal" in answer.content.decode()
    assert state(asked) == Responder.State.ASKED


def test_what_was_signed_for_another_purpose_is_no_answer(client: Client, asked: Responder, alice: User) -> None:
    content = [asked.incident.number, alice.pk, answer_links.stamp(asked.asked_at), "comes", "k", 4_000_000_000]
    for salt in ("django.core.signing", "burnline.password-reset"):
        forged = signing.dumps(content, salt=salt)
        assert client.post(f"/answer/{forged}/").status_code == 404
    assert state(asked) == Responder.State.ASKED


def test_a_link_serves_one_person_one_incident_and_one_answer(
    asked: Responder, payments: Team, bob: User, charlie: User, now: datetime
) -> None:
    other = make.incident(payments, now=now)
    responding.ask(asked.incident, charlie, by=person(bob), now=now)
    responding.ask(other, asked.user, by=person(bob), now=now)
    link = answer_links.read(answer_links.token(asked, Answer.CANNOT, "k", now), now=now)

    answering.answer(link, now=now)

    states = Responder.objects.values_list("incident__number", "user__name", "state")
    assert set(states) == {
        (asked.incident.number, "Alice", "left"),
        (asked.incident.number, "Charlie", "asked"),
        (other.number, "Alice", "asked"),
    }


def test_who_may_not_respond_any_more_is_refused(client: Client, asked: Responder, alice: User) -> None:
    link = path(alice, "I'm in")
    User.objects.filter(pk=alice.pk).update(is_active=False)

    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 403
        assert asked.incident.title not in answer.content.decode()
    assert state(asked) == Responder.State.ASKED


def test_who_was_sent_from_a_private_incident_learns_nothing_of_it(
    client: Client, payments: Team, alice: User, bob: User, now: datetime
) -> None:
    private = make.incident(payments, "A leak at Acme", by=bob, is_private=True, now=now)
    responder = responding.ask(private, alice, by=person(bob), now=now)
    responding.leave(responder, by=person(bob), now=now)

    for answer in (client.get(path(alice, "I'm in")), client.post(path(alice, "I'm in"))):
        assert answer.status_code == 403
        assert "Acme" not in answer.content.decode()


def test_who_cannot_come_to_a_private_incident_sees_no_more_of_it(
    client: Client, payments: Team, alice: User, bob: User, now: datetime
) -> None:
    private = make.incident(payments, "A leak at Acme", by=bob, is_private=True, now=now)
    responding.ask(private, alice, by=person(bob), now=now)

    html = client.post(path(alice, "I can't"), follow=True).content.decode()

    assert "You said that you cannot come" in html
    assert "let whoever asked you know" in html
    assert "/incidents/" not in html
    assert "Acme" not in html


def test_when_it_is_over_nobody_needs_to_come(
    client: Client, asked: Responder, alice: User, bob: User, now: datetime
) -> None:
    lifecycle.move(asked.incident, Incident.Status.DISMISSED, by=person(bob), now=now, reason="A false alarm")

    answer = client.post(path(alice, "I'm in"))

    assert answer.status_code == 410
    assert "nobody needs to come any more" in answer.content.decode()
    assert state(asked) == Responder.State.ASKED


def test_an_old_link_does_not_bring_back_who_has_left(
    client: Client, asked: Responder, alice: User, bob: User, now: datetime
) -> None:
    link = path(alice, "I'm in")
    client.post(link)
    asked.refresh_from_db()
    responding.leave(asked, by=person(alice), now=now)

    answer = client.post(link)
    assert answer.status_code == 410
    assert "You have left" in answer.content.decode()

    responding.ask(asked.incident, alice, by=person(bob), now=now + timedelta(minutes=5))
    assert client.post(link).status_code == 410
    assert state(asked) == Responder.State.ASKED


def test_guesses_are_counted_and_answers_are_not(client: Client, asked: Responder, alice: User, settings: Any) -> None:
    settings.ENV = settings.ENV.model_copy(update={"login_attempts_per_hour": 3})
    link = path(alice, "I'm in")
    for _ in range(5):
        assert client.post(link).status_code == 302
    for _ in range(3):
        assert client.post("/answer/guess/").status_code == 404

    assert client.post("/answer/guess/").status_code == 429


def test_both_links_are_whole_addresses(asked: Responder, alice: User) -> None:
    message = Message.objects.get(user=alice)

    for _, url in message.actions:
        assert re.fullmatch(r"https?://[^/]+/answer/[\w:-]+/", url)
        token = url.rstrip("/").rpartition("/")[2]
        assert answer_links.read(token, now=datetime.now(UTC)).message == message.key
