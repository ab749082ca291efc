"""Who is told something is told in their own language, whoever caused it; what programs read stays English."""

from __future__ import annotations

import pytest

from incidents import responding
from incidents.models import Incident
from notifications import methods, probing
from notifications.models import Message
from people import tidings
from people.actors import person
from people.models import Team, User
from postmortems import drafting, items
from tests import make, words
from tests.browsing import signed_in
from tests.conftest import Api
from tests.make import NOW


@pytest.fixture
def german(alice: User, monkeypatch: pytest.MonkeyPatch) -> User:
    """Alice, who reads a language in which each message is marked."""
    words.speak_marked(monkeypatch)
    User.objects.filter(pk=alice.pk).update(language=words.MARKED)
    alice.refresh_from_db()
    return alice


def told(user: User) -> Message:
    return Message.objects.filter(user=user).order_by("-created_at", "-pk")[0]


def test_who_is_asked_to_come_is_asked_in_their_language(german: User, bob: User, payments: Team) -> None:
    incident = make.incident(payments)

    responding.ask(incident, german, by=person(bob), now=NOW)
    responding.ask(incident, bob, by=person(german), now=NOW)

    assert told(german).subject.count(words.BEGIN) >= 2
    assert "⟦Since" in told(german).text
    assert told(german).actions[0][0] == "⟦I'm in⟧"
    assert words.BEGIN not in told(bob).subject + told(bob).text + str(told(bob).actions)


def test_the_owner_of_an_action_item_is_told_in_their_language(german: User, bob: User, payments: Team) -> None:
    postmortem, _ = drafting.draft(make.incident(payments), by=person(bob), now=NOW)

    items.create(postmortem, "Alert earlier", by=person(bob), now=NOW, owner=german)

    assert "⟦Bob made you the owner" in told(german).text


def test_a_test_message_and_tidings_of_the_account_are_in_their_language(german: User) -> None:
    method, _ = methods.add(german, "webhook", "https://hooks.example.com/x", now=NOW)

    probing.test(method, now=NOW)
    tidings.credentials_changed(german, "Changed.", "key", now=NOW)

    subjects = set(german.messages.values_list("subject", flat=True))
    assert {"⟦Burnline: this is a test⟧", "⟦Your account was changed⟧"} <= subjects


def test_what_an_act_writes_down_does_not_depend_on_the_language_of_who_acts(german: User, payments: Team) -> None:
    incident: Incident = make.incident(payments)
    browser = signed_in(german)

    browser.post(f"/incidents/{incident.number}/acknowledge/")
    browser.post(f"/incidents/{incident.number}/severity/", {"severity": "sev1"})
    browser.post(f"/incidents/{incident.number}/postmortem/")

    written = [*incident.entries.values(), *incident.postmortem.sections.values()]
    assert len(written) > 10
    assert [row for row in written if words.BEGIN in str(row)] == []


def test_a_program_is_refused_in_english_whatever_its_owner_and_its_headers_ask_for(german: User, api: Api) -> None:
    program = api(german)
    for path, sent in (
        ("/api/v1/incidents/", {"title": ""}),
        ("/api/v1/incidents/999999/status/", {"status": "resolved"}),
    ):
        answer = program.post(path, sent, headers={"accept-language": "de"})

        assert answer.status_code >= 400
        assert words.BEGIN not in answer.content.decode()
