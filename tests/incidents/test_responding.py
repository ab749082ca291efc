"""People in an incident: with their discipline, in their roles, asked, in, and gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.errors import Invalid
from incidents import responding
from incidents.models import Entry, Incident, Responder
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(payments: Any) -> Incident:
    return make.incident(payments)


def kinds(incident: Incident) -> list[str]:
    """What happened after its opening; how people were told of it is another matter."""
    told = (Entry.Kind.NOTIFIED, Entry.Kind.NOTIFICATION_FAILED)
    return list(incident.entries.order_by("seq").exclude(kind__in=told).values_list("kind", flat=True))[1:]


def test_who_is_asked_comes_in_and_goes(incident: Incident, alice: Any, bob: Any) -> None:
    asked = responding.ask(incident, alice, by=make.person(bob), now=NOW)
    assert asked.state == Responder.State.ASKED
    joined = responding.join(incident, alice, now=NOW + timedelta(minutes=2))
    assert responding.leave(joined, by=make.person(alice), now=NOW + timedelta(minutes=9))

    responder = incident.responders.get()
    assert responder.state == Responder.State.LEFT
    assert (responder.asked_at, responder.joined_at) == (NOW, NOW + timedelta(minutes=2))
    assert kinds(incident) == ["responder_asked", "responder_joined", "responder_left"]


def test_who_was_asked_and_speaks_is_in(incident: Incident, alice: Any, bob: Any) -> None:
    responding.ask(incident, alice, by=make.person(bob), now=NOW)

    responding.speak(incident, Entry.Kind.NOTE, "Looking at the drift report", by=make.person(alice), now=NOW)
    responding.speak(incident, Entry.Kind.NOTE, "I only read along", by=make.person(bob), now=NOW)

    assert [(r.user, r.state) for r in incident.responders.all()] == [(alice, Responder.State.JOINED)]
    assert kinds(incident) == ["responder_asked", "note", "responder_joined", "note"]


def test_asking_or_joining_twice_says_nothing_new(incident: Incident, alice: Any, bob: Any) -> None:
    for _ in range(2):
        responding.ask(incident, alice, by=make.person(bob), now=NOW)
    for _ in range(2):
        responding.join(incident, alice, now=NOW)

    assert kinds(incident) == ["responder_asked", "responder_joined"]


def test_a_data_scientist_comes_as_a_data_scientist(incident: Incident, alice: Any) -> None:
    responder = responding.join(incident, alice, now=NOW)

    assert responder.discipline
    assert responder.discipline.slug == "data_science"
    assert incident.entries.get(kind="responder_joined").data["discipline"] == "data_science"


def test_one_may_come_in_another_discipline_than_ones_own(incident: Incident, alice: Any, bob: Any) -> None:
    responder = responding.ask(incident, alice, by=make.person(bob), now=NOW, discipline=make.discipline("privacy"))

    assert responder.discipline == make.discipline("privacy")


def test_a_commander_is_one_at_a_time(incident: Incident, alice: Any, bob: Any) -> None:
    commander = make.role("commander")
    responding.assign_role(incident, commander, alice, by=make.person(alice), now=NOW)

    responding.assign_role(incident, commander, bob, by=make.person(alice), now=NOW + timedelta(minutes=5))

    held = incident.role_assignments.filter(ended_at=None)
    assert [a.user for a in held] == [bob]
    assert kinds(incident) == [
        *("responder_joined", "role_assigned", "responder_asked", "role_ended", "role_assigned"),
    ]


def test_other_roles_may_be_held_by_several(incident: Incident, alice: Any, bob: Any) -> None:
    for user in (alice, bob):
        responding.assign_role(incident, make.role("data_scientist"), user, by=make.person(bob), now=NOW)

    assert incident.role_assignments.filter(ended_at=None).count() == 2


def test_the_same_role_twice_is_once(incident: Incident, alice: Any) -> None:
    first = responding.assign_role(incident, make.role("scribe"), alice, by=make.person(alice), now=NOW)
    again = responding.assign_role(incident, make.role("scribe"), alice, by=make.person(alice), now=NOW)

    assert first == again
    assert kinds(incident).count("role_assigned") == 1


def test_who_goes_takes_their_roles_with_them(incident: Incident, alice: Any) -> None:
    responding.assign_role(incident, make.role("commander"), alice, by=make.person(alice), now=NOW)

    responding.leave(incident.responders.get(), by=make.person(alice), now=NOW + timedelta(minutes=5))

    assert not incident.role_assignments.filter(ended_at=None).exists()
    assert kinds(incident)[-2:] == ["role_ended", "responder_left"]


def test_who_went_may_come_back(incident: Incident, alice: Any) -> None:
    responding.leave(responding.join(incident, alice, now=NOW), by=make.person(alice), now=NOW)

    responder = responding.join(incident, alice, now=NOW + timedelta(hours=1))

    assert (responder.state, responder.left_at) == (Responder.State.JOINED, None)
    assert responder.joined_at == NOW + timedelta(hours=1)


def test_a_viewer_is_not_asked(incident: Incident, victor: Any, bob: Any) -> None:
    with pytest.raises(Invalid):
        responding.ask(incident, victor, by=make.person(bob), now=NOW)
    with pytest.raises(Invalid):
        responding.assign_role(incident, make.role("commander"), victor, by=make.person(bob), now=NOW)

    assert kinds(incident) == []


def test_the_incident_is_locked_before_what_belongs_to_it(incident: Incident, alice: Any, bob: Any) -> None:
    by, scribe = make.person(bob), make.role("scribe")
    asked = responding.ask(incident, alice, by=by, now=NOW)
    held = responding.assign_role(incident, scribe, alice, by=by, now=NOW)

    for act in (
        lambda: responding.ask(incident, bob, by=by, now=NOW),
        lambda: responding.join(incident, bob, now=NOW),
        lambda: responding.end_role(held, by=by, now=NOW),
        lambda: responding.assign_role(incident, scribe, alice, by=by, now=NOW),
        lambda: responding.leave(asked, by=by, now=NOW),
    ):
        with CaptureQueriesContext(connection) as captured:
            act()
        said = [query["sql"] for query in captured.captured_queries]
        locked = next(n for n, sql in enumerate(said) if sql.startswith('SELECT 1 AS "a" FROM "incidents_incident"'))
        written = next(n for n, sql in enumerate(said) if sql.startswith(("UPDATE", "INSERT")))
        assert locked < written
