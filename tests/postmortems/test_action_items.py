"""Action items: whose they are to change, and how they end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.errors import Forbidden, Invalid, VersionMoved
from people.models import User
from postmortems import items
from postmortems.models import ActionItem, Postmortem
from tests.make import NOW, person

LATER = NOW + timedelta(hours=2)
Status = ActionItem.Status


@pytest.fixture
def item(postmortem: Postmortem, alice: User) -> ActionItem:
    """Alice's own."""
    return items.create(postmortem, "Alert on drift", by=person(alice), now=LATER, owner=alice)


def test_it_belongs_to_the_team_of_the_incident_unless_said_otherwise(item: ActionItem, postmortem: Postmortem) -> None:
    assert (item.team, item.status, item.priority) == (postmortem.incident.team, Status.OPEN, "p2")
    postmortem.refresh_from_db()
    assert postmortem.version == 2


def test_its_owner_changes_it(item: ActionItem, alice: User) -> None:
    assert items.change(item, {"status": Status.IN_PROGRESS}, by=person(alice), now=LATER)
    assert not items.change(item, {"status": Status.IN_PROGRESS}, by=person(alice), now=LATER)
    assert (item.status, item.version) == (Status.IN_PROGRESS, 2)


def test_another_responder_does_not_but_the_teams_manager_does(item: ActionItem, bob: User, charlie: User) -> None:
    with pytest.raises(Forbidden):
        items.change(item, {"priority": "p0"}, by=person(charlie), now=LATER)

    assert items.change(item, {"priority": "p0"}, by=person(bob), now=LATER)


def test_anybody_takes_what_nobody_owns(postmortem: Postmortem, bob: User, charlie: User) -> None:
    item = items.create(postmortem, "Alert on drift", by=person(bob), now=LATER)

    assert items.change(item, {"owner": charlie}, by=person(charlie), now=LATER)


def test_what_wont_be_done_says_why(item: ActionItem, alice: User) -> None:
    with pytest.raises(Invalid) as refused:
        items.change(item, {"status": Status.WONT_DO}, by=person(alice), now=LATER)
    assert refused.value.errors == [("reason", "What won't be done says why.")]

    items.change(item, {"status": Status.WONT_DO, "reason": "The service goes away."}, by=person(alice), now=LATER)
    assert item.reason == "The service goes away."

    items.change(item, {"status": Status.OPEN}, by=person(alice), now=LATER)
    assert item.reason == ""


def test_only_what_is_done_can_be_verified(item: ActionItem, alice: User) -> None:
    with pytest.raises(items.MoveNotAllowed) as refused:
        items.change(item, {"status": Status.VERIFIED}, by=person(alice), now=LATER)
    assert refused.value.extra["allowed"] == ["in_progress", "done", "wont_do"]

    items.change(item, {"status": Status.DONE}, by=person(alice), now=LATER)
    items.change(item, {"status": Status.VERIFIED, "evidence": "It fired."}, by=person(alice), now=LATER)

    assert item.status == Status.VERIFIED


def test_a_tracker_is_a_web_address(postmortem: Postmortem, alice: User) -> None:
    with pytest.raises(Invalid):
        items.create(postmortem, "Alert", by=person(alice), now=LATER, tracker="javascript:alert(1)")


def test_a_change_of_what_one_has_not_seen_is_refused(item: ActionItem, alice: User) -> None:
    with pytest.raises(VersionMoved):
        items.change(item, {"priority": "p0"}, by=person(alice), now=LATER, version=7)
