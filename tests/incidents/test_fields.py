"""What an incident says of itself is changed by name, once, and told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from common.errors import Forbidden, Invalid, VersionMoved
from incidents import fields
from incidents.models import Incident
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def incident(payments: Any) -> Incident:
    return make.incident(payments)


def change(incident: Incident, by: Any, reason: str = "", version: int | None = None, **changes: Any) -> bool:
    return fields.change(incident, changes, by=make.person(by), now=LATER, reason=reason, version=version)


def test_each_field_that_differs_is_told_once(incident: Incident, alice: Any) -> None:
    assert change(incident, alice, severity="sev1", title="Worse", kind="quality", summary="")

    told = {e.data["field"]: (e.kind, e.data["to"]) for e in incident.entries.exclude(kind="opened")}
    assert told == {
        "severity": ("severity_changed", "sev1"),
        "title": ("field_changed", "Worse"),
        "kind": ("field_changed", "quality"),
    }
    incident.refresh_from_db()
    assert (incident.severity, incident.title, incident.version) == ("sev1", "Worse", 2)


def test_nothing_different_is_no_change(incident: Incident, alice: Any) -> None:
    assert not change(incident, alice, severity=incident.severity)

    incident.refresh_from_db()
    assert incident.version == 1


def test_a_version_that_moved_on_is_refused(incident: Incident, alice: Any, bob: Any) -> None:
    change(incident, bob, title="First", version=1)

    with pytest.raises(VersionMoved):
        change(incident, alice, title="Second", version=1)

    incident.refresh_from_db()
    assert incident.title == "First"


def test_moments_are_for_managers_of_the_team_and_need_a_reason(
    incident: Incident, alice: Any, bob: Any, charlie: Any
) -> None:
    for user in (alice, charlie):
        with pytest.raises(Forbidden):
            change(incident, user, "The graph shows it", started_at=NOW - timedelta(minutes=20))
    with pytest.raises(Invalid):
        change(incident, bob, started_at=NOW - timedelta(minutes=20))

    assert change(incident, bob, "The graph shows it", started_at=NOW - timedelta(minutes=20))

    entry = incident.entries.get(kind="moment_corrected")
    assert entry.text == "The graph shows it"
    assert entry.data["field"] == "started_at"


@pytest.mark.parametrize(
    "moments", [{"started_at": NOW + timedelta(minutes=5)}, {"resolved_at": NOW + timedelta(days=1)}]
)
def test_moments_out_of_order_or_in_the_future_are_refused(incident: Incident, bob: Any, moments: Any) -> None:
    with pytest.raises(Invalid):
        change(incident, bob, "Because", **moments)


def test_privacy_is_for_managers(incident: Incident, alice: Any, bob: Any) -> None:
    with pytest.raises(Forbidden):
        change(incident, alice, is_private=True)

    assert change(incident, bob, is_private=True)
    assert not Incident.objects.for_actor(make.person(alice)).exists()
    assert Incident.objects.for_actor(make.person(bob)).exists()


def test_who_sees_a_private_incident_is_for_its_managers_to_say(
    payments: Any, search: Any, alice: Any, bob: Any
) -> None:
    incident = make.incident(payments, by=alice, is_private=True)

    with pytest.raises(Forbidden):
        change(incident, alice, team=search)
    incident.refresh_from_db()
    assert incident.team == payments

    assert change(incident, bob, team=search)


@pytest.mark.parametrize(
    "much",
    [
        {"summary": "a" * 20_001},
        {"labels": {str(n): "" for n in range(101)}},
        {"labels": {"a": "b" * 4001}},
        {"links": [{"title": "a", "url": f"https://example.com/{n}"} for n in range(51)]},
        {"links": [{"title": "a", "url": "https://example.com/" + "a" * 2000}]},
    ],
)
def test_an_incident_says_no_more_of_itself_than_people_read(incident: Incident, alice: Any, much: Any) -> None:
    with pytest.raises(Invalid):
        change(incident, alice, **much)
    with pytest.raises(Invalid):
        make.incident(by=alice, **much)


def test_a_link_that_is_added_is_told_as_such_and_one_that_goes_as_a_change(incident: Incident, alice: Any) -> None:
    one, two = ({"title": name, "url": f"https://example.com/{name}"} for name in ("one", "two"))
    change(incident, alice, links=[one])
    change(incident, alice, links=[one, two])
    change(incident, alice, links=[two])

    told = list(incident.entries.order_by("seq").values_list("kind", flat=True))[1:]
    assert told == ["link_added", "link_added", "field_changed"]
    assert incident.entries.get(seq=3).data == two
