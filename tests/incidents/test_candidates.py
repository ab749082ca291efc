"""What a candidate burned is shown in its own place alone, and counts whole from its confirmation on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.test import Client

from common.errors import Forbidden
from incidents import fields, impact, lifecycle, listing
from incidents.models import Incident, SloLink
from people.models import Team, User
from slos import queries
from slos.models import Slo
from tests import make
from tests.browsing import page, signed_in
from tests.conftest import Api
from tests.make import NOW, SYSTEM, person

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
Status = Incident.Status


@pytest.fixture(autouse=True)
def _measured_anew() -> Iterator[None]:
    impact.forget()
    yield
    impact.forget()


@pytest.fixture
def slo() -> Slo:
    slo = make.slo()
    make.samples(slo, (NOW - 10 * 24 * HOUR, 86_400, 7_198, 7_200), (NOW - 2 * HOUR, 7200, 7_193, 7_200))
    return slo


def opened(slo: Slo, team: Team | None = None, **given: Any) -> Incident:
    """One whose impact was the last hour, linked to the SLO; a candidate if not said otherwise."""
    incident = make.incident(team, "Perhaps", started_at=NOW - HOUR, **{"is_candidate": True, **given})
    impact.link(incident, slo, origin=SloLink.Origin.LABEL, by=SYSTEM, now=NOW, impact_to=NOW)
    return incident


def confirm(incident: Incident, by: User) -> None:
    fields.change(incident, {"is_candidate": False}, by=person(by), now=NOW)


def test_what_counts_is_taken_out_of_the_count_by_a_manager_alone(payments: Team, alice: User, bob: User) -> None:
    incident = make.incident(payments)
    with pytest.raises(Forbidden):
        fields.change(incident, {"is_candidate": True}, by=person(alice), now=NOW)
    assert fields.change(incident, {"is_candidate": True}, by=person(bob), now=NOW)
    assert fields.change(incident, {"is_candidate": False}, by=person(alice), now=NOW), "whoever responds may confirm"


def split(incident: Incident) -> Fraction:
    """Its part of what was burned, where each moment is shared."""
    [burned] = impact.impacts(incident, NOW)
    assert burned.attribution is not None
    assert burned.attribution.equal_split is not None
    return burned.attribution.equal_split


def burning(slo: Slo, by: User) -> list[Incident]:
    return [burner.link.incident for burner in queries.burners(slo, actor=person(by), now=NOW)]


def worst(incident: Incident) -> impact.Worst | None:
    [row] = listing.rows_of(Incident.objects.filter(pk=incident.pk), NOW)
    return row.worst


def tabs(shown: str) -> dict[str, tuple[str, str]]:
    """Tab -> how many incidents it has, and how many candidates beside them."""
    found = re.findall(r">(\w+)\s*<span[^>]*>(\d+)</span>\s*<span[^>]*>\+(\d+)</span>", shown)
    return {tab: (counted, beside) for tab, counted, beside in found}


# What it burned


def test_it_takes_no_part_of_what_others_burned_until_it_is_confirmed(slo: Slo, alice: User) -> None:
    real, candidate = opened(slo, is_candidate=False), opened(slo)
    alone = split(real)

    confirm(candidate, alice)

    assert split(real) == split(candidate) == alone / 2


def test_once_confirmed_it_counts_from_its_start(slo: Slo, alice: User) -> None:
    candidate = opened(slo)
    assert burning(slo, alice) == []
    assert worst(candidate) is None

    confirm(candidate, alice)

    [burner] = queries.burners(slo, actor=person(alice), now=NOW)
    assert (burner.link.incident, burner.burned.interval.start) == (candidate, NOW - HOUR)
    found = worst(candidate)
    assert found is not None
    assert found.share == burner.share


@pytest.mark.parametrize("over", [Status.RESOLVED, Status.DISMISSED])
def test_one_that_nobody_confirmed_never_counts_whatever_becomes_of_it(slo: Slo, alice: User, over: Status) -> None:
    candidate = opened(slo)

    lifecycle.move(candidate, over, by=person(alice), now=NOW, reason="Nothing was broken")

    assert burning(slo, alice) == []
    assert worst(candidate) is None
    assert candidate.is_candidate


def test_it_asks_for_no_postmortem_by_the_budget_that_it_burned(slo: Slo, alice: User) -> None:
    candidate = opened(slo)
    [before] = impact.impacts(candidate, NOW)

    confirm(candidate, alice)

    [after] = impact.impacts(candidate, NOW)
    assert before.share == after.share
    assert before.share is not None
    assert before.share > Fraction(1, 5)
    assert (before.postmortem_required, after.postmortem_required) == (False, True)


# Its own page, and programs


def test_its_page_shows_what_it_burned_and_that_it_does_not_count(slo: Slo, payments: Team, alice: User) -> None:
    candidate = opened(slo, payments)

    shown = page(alice, candidate.get_absolute_url())
    assert shown.count("does not count until confirmed") == 2  # in the head, and beside the budget
    assert 'class="progress red"' not in shown

    confirm(candidate, alice)
    assert "does not count until confirmed" not in page(alice, candidate.get_absolute_url())


def test_programs_are_told_whether_it_counts(slo: Slo, payments: Team, alice: User, api: Api) -> None:
    candidate = opened(slo, payments)
    url = f"/api/v1/incidents/{candidate.number}/slos/"

    [before] = api(alice).get(url).json()["results"]
    confirm(candidate, alice)
    [after] = api(alice).get(url).json()["results"]

    assert (before["counts"], after["counts"]) == (False, True)
    assert (before["postmortem_required"], after["postmortem_required"]) == (False, True)
    assert before["bad"] == after["bad"]


def test_one_that_is_over_can_still_be_confirmed_but_for_what_was_dismissed(
    client: Client, slo: Slo, alice: User
) -> None:
    over, dismissed = opened(slo), opened(slo)
    lifecycle.move(over, Status.RESOLVED, by=SYSTEM, now=NOW)
    lifecycle.move(dismissed, Status.DISMISSED, by=SYSTEM, now=NOW, reason="Nothing was broken")
    client.force_login(alice)

    assert f"/incidents/{over.number}/confirm/" in client.get(over.get_absolute_url()).content.decode()
    assert f"/incidents/{dismissed.number}/confirm/" not in client.get(dismissed.get_absolute_url()).content.decode()
    client.post(f"/incidents/{over.number}/confirm/")

    assert burning(slo, alice) == [over]


# The list


def test_the_list_shows_it_marked_and_counts_it_apart(slo: Slo, payments: Team, alice: User) -> None:
    opened(slo, payments, severity="sev2")
    make.incident(payments, "Real", severity="sev2")

    shown = page(alice, "/incidents/")

    assert shown.count('<tr id="incident-') == 2
    assert "it counts once somebody confirms it" in shown
    assert tabs(shown) == {"Mine": ("1", "1"), "Open": ("1", "1")}
    assert re.search(r"SEV2</span><span[^>]*>2</span>", shown)  # as many as its link leads to


def test_a_list_of_candidates_says_what_it_is_narrowed_by(slo: Slo, payments: Team, alice: User) -> None:
    opened(slo, payments)
    make.incident(payments, "Real")

    shown = page(alice, "/incidents/?candidate=true")

    assert shown.count('<tr id="incident-') == 1
    assert "Candidate: " in shown
    assert tabs(shown)["Open"] == ("0", "1")


def test_a_file_of_the_list_has_no_share_of_it(slo: Slo, payments: Team, alice: User) -> None:
    opened(slo, payments)

    [row] = json.loads(b"".join(signed_in(alice).get("/incidents/export.json")))

    assert row["is_candidate"] is True
    assert row["worst_budget_share"] is None


# Merging


def test_what_counts_counts_on_in_the_candidate_that_it_is_merged_into(slo: Slo, payments: Team, bob: User) -> None:
    real, candidate = opened(slo, payments, is_candidate=False), opened(slo, payments)

    lifecycle.move(real, Status.MERGED, by=person(bob), now=NOW, merged_into=candidate)

    candidate.refresh_from_db()
    assert not candidate.is_candidate
    told = candidate.entries.filter(kind="field_changed").get()
    assert (told.actor_user, told.data) == (bob, {"field": "is_candidate", "from": True, "to": False})


def test_candidates_that_are_merged_still_wait_for_somebody(slo: Slo, payments: Team, bob: User) -> None:
    one, other = opened(slo, payments), opened(slo, payments)

    lifecycle.move(one, Status.MERGED, by=person(bob), now=NOW, merged_into=other)

    other.refresh_from_db()
    assert other.is_candidate
