"""The same done to many incidents at once, and what is told of those to which it could not be done."""

from __future__ import annotations

import re

import pytest

from incidents import bulk, lifecycle
from incidents.models import Incident, RoleAssignment
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in
from tests.make import NOW, person

BULK = "/incidents/bulk/"


@pytest.fixture
def incidents(payments: Team) -> list[Incident]:
    return [make.incident(payments, f"Number {number}") for number in range(3)]


def test_who_picks_three_takes_three_and_is_back_where_they_were(incidents: list[Incident], alice: User) -> None:
    numbers = [incident.number for incident in incidents]

    answer = signed_in(alice).post(BULK, {"act": "acknowledge", "incident": numbers, "back": "tab=open&severity=sev3"})

    assert answer["Location"] == "/incidents/?tab=open&severity=sev3"
    assert set(Incident.objects.values_list("status", flat=True)) == {"acknowledged"}


def test_one_that_is_taken_stops_none_of_the_others_and_is_named(
    incidents: list[Incident], alice: User, bob: User, charlie: User
) -> None:
    hidden = make.incident(charlie.teams.get(), "Hidden", by=charlie, is_private=True)
    lifecycle.acknowledge(incidents[1], by=person(bob), now=NOW)
    numbers = [*(incident.number for incident in incidents), hidden.number]

    text = signed_in(alice).post(BULK, {"act": "acknowledge", "incident": numbers}).content.decode()

    assert re.search(r"2 of 4 done", text)
    assert f"{incidents[1]} is already taken by Bob." in text
    assert "There is no such incident that you can see." in text
    assert "Hidden" not in text
    hidden.refresh_from_db()
    assert hidden.status == "triggered"


def test_what_is_mitigated_or_resolved_is_not_taken_again(incidents: list[Incident], alice: User, bob: User) -> None:
    lifecycle.move(incidents[0], Incident.Status.MITIGATED, by=person(bob), now=NOW)
    lifecycle.move(incidents[1], Incident.Status.RESOLVED, by=person(bob), now=NOW)
    numbers = [incident.number for incident in incidents]

    text = signed_in(alice).post(BULK, {"act": "acknowledge", "incident": numbers}).content.decode()

    assert re.search(r"1 of 3 done", text)
    assert f"{incidents[0]} is already mitigated by Bob." in text
    assert f"{incidents[1]} is already resolved by Bob." in text
    statuses = Incident.objects.order_by("number").values_list("status", flat=True)
    assert list(statuses) == ["mitigated", "resolved", "acknowledged"]


def test_a_role_is_given_in_all_of_them_in_two_steps(incidents: list[Incident], alice: User, bob: User) -> None:
    client = signed_in(alice)
    picked = {"act": "assign", "incident": [incident.number for incident in incidents], "back": "tab=open"}
    asked = client.post(BULK, picked).content.decode()
    assert asked.count('type="hidden" name="incident"') == 3

    answer = client.post(BULK, {**picked, "role": "commander", "user": bob.pk})

    assert answer["Location"] == "/incidents/?tab=open"
    held = RoleAssignment.objects.filter(role__slug="commander", user=bob, ended_at=None)
    assert sorted(held.values_list("incident__number", flat=True)) == picked["incident"]
    assert "Bob is Commander of 3 incidents." in client.get("/incidents/").content.decode()


@pytest.mark.parametrize("given", [[], ["x"], ["1" * 12], [str(number) for number in range(1, bulk.MOST + 2)]])
def test_nothing_picked_too_much_and_what_is_no_number_are_refused(given: list[str], alice: User) -> None:
    answer = signed_in(alice).post(BULK, {"act": "acknowledge", "incident": given})

    assert answer.status_code == 422


def test_a_viewer_can_pick_nothing(incidents: list[Incident], victor: User) -> None:
    assert "data-pick" not in page(victor, "/incidents/")
    number = incidents[0].number
    assert signed_in(victor).post(BULK, {"act": "acknowledge", "incident": number}).status_code == 403


def test_the_boxes_and_buttons_work_without_a_script(incidents: list[Incident], alice: User) -> None:
    text = page(alice, "/incidents/")

    assert len(re.findall(r'name="incident"\s+value="\d+"\s+form="bulk"', text)) == 3
    form = text.partition('id="bulk"')[2].partition("</form>")[0]
    assert f'action="{BULK}"' in form
    assert "csrfmiddlewaretoken" in form
    assert 'name="act"' in form
