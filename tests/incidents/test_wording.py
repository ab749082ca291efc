"""What entries say in words."""

from __future__ import annotations

import pytest

from incidents import fields, lifecycle, responding, wording
from incidents.models import Entry, Incident
from people.models import Team, User
from tests import make
from tests.make import NOW, person

Status = Incident.Status


def told(incident: Incident) -> list[str]:
    entries = incident.entries.exclude(kind=Entry.Kind.NOTIFICATION_FAILED)  # nobody here has a contact method
    return [str(wording.sentence(entry)) for entry in entries.order_by("seq")]


@pytest.fixture
def incident(payments: Team) -> Incident:
    return make.incident(payments)


def test_statuses_are_told_as_what_people_did(incident: Incident, alice: User, bob: User) -> None:
    for to in (Status.ACKNOWLEDGED, Status.MITIGATED, Status.RESOLVED, Status.ACKNOWLEDGED, Status.TRIGGERED):
        lifecycle.move(incident, to, by=person(alice), now=NOW)
    lifecycle.move(incident, Status.DISMISSED, by=person(bob), now=NOW, reason="A false alarm")

    assert told(incident) == [
        "Burnline declared it as SEV3",
        "Alice acknowledged",
        "Alice joined (as Data science)",
        "Alice marked it mitigated",
        "Alice resolved it",
        "Alice reopened it",
        "Alice gave it back: nobody has it now",
        "Bob dismissed it (A false alarm)",
    ]


def test_people_and_roles_are_told_by_name(incident: Incident, alice: User, bob: User) -> None:
    responding.ask(incident, alice, by=person(bob), now=NOW)
    responding.assign_role(incident, make.role("scribe"), alice, by=person(bob), now=NOW)
    mine = responding.assign_role(incident, make.role("commander"), bob, by=person(bob), now=NOW)
    responding.end_role(mine, by=person(alice), now=NOW)
    responding.leave(incident.responders.get(user=alice), by=person(alice), now=NOW)
    responding.leave(incident.responders.get(user=bob), by=person(alice), now=NOW)

    assert told(incident)[1:] == [
        "Bob asked Alice to come (as Data science)",
        "Bob made Alice Scribe",
        "Bob joined (as SRE)",
        "Bob took Commander",
        "Alice took Commander from Bob",
        "Alice gave up Scribe",
        "Alice left (as Data science)",
        "Alice sent Bob home (as SRE)",
    ]


def test_changes_say_what_stood_before(incident: Incident, bob: User) -> None:
    fields.change(incident, {"severity": "sev1"}, by=person(bob), now=NOW)
    fields.change(incident, {"title": "New", "is_drill": True}, by=person(bob), now=NOW)
    fields.change(incident, {"summary": "Long", "labels": {"a": "b"}}, by=person(bob), now=NOW)
    fields.change(incident, {"started_at": NOW}, by=person(bob), now=NOW, reason="The graph")

    assert told(incident)[1:] == [
        "Bob set the severity to SEV1 (it was SEV3)",
        "Bob set the title to New (it was Checkout fails for one card in three)",
        "Bob marked it a drill",
        "Bob changed the summary",
        "Bob changed the labels",
        "Bob corrected the start of the impact (unknown → 2026-03-02 09:00:00 UTC)",
    ]


def test_alerts_are_counted_and_the_first_names_told(db: None) -> None:
    integration, _ = make.integration("Production")
    alerts = [make.alert(name, labels={"pod": str(n)}) for n, name in enumerate(["A", "B", "A", "C", "D"])]

    incident = make.fired(integration, *alerts)

    fired = incident.entries.get(kind=Entry.Kind.ALERTS_FIRED)
    sentence = wording.sentence(fired)
    assert (sentence.who, sentence.what) == ("", "5 alerts fired")
    assert sentence.detail.endswith("1 more")
    assert sorted(wording.alert_names(fired)) == ["A", "A", "B", "C", "D"]


@pytest.mark.parametrize("kind", Entry.Kind)
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"final": False, "then": 3, "answer": []},
        {"alerts": 3, "user": "x", "from": [], "to": {}, "field": None},
        {"alerts": [1, {}], "user": {}, "to": True},
    ],
)
def test_every_kind_can_be_told_whatever_its_data(kind: Entry.Kind, data: dict[str, object]) -> None:
    assert str(wording.sentence(Entry(kind=kind, actor_name="Ana", actor_type="user", data=data)))
