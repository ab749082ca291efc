"""What is missing is named: what nobody wrote, what nobody knows, who was not there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from incidents import fields, impact, lifecycle, responding
from incidents.models import Incident, SloLink
from people.models import Team, User
from postmortems import drafting, editing, items, queries
from postmortems.gaps import Gap
from postmortems.models import Postmortem
from slos.models import Slo
from tests import make
from tests.make import NOW, SYSTEM, person

LATER = NOW + timedelta(hours=2)


def gaps_of(postmortem: Postmortem) -> dict[tuple[str, str], Gap]:
    document = queries.document(Postmortem.objects.get(pk=postmortem.pk), LATER)
    return {(gap.code, gap.section): gap for gap in document.gaps}


def begun(team: Team, by: User, **given: Any) -> Postmortem:
    postmortem, _ = drafting.draft(make.incident(team, by=by, **given), by=person(by), now=LATER)
    return postmortem


def test_sections_that_nobody_wrote_are_gaps_and_written_ones_are_not(postmortem: Postmortem, alice: User) -> None:
    assert gaps_of(postmortem)["section_empty", "trigger"].required
    assert not gaps_of(postmortem)["section_empty", "surprises"].required

    editing.edit_section(postmortem.sections.get(key="trigger"), "A deploy.", version=1, by=person(alice), now=LATER)

    assert ("section_empty", "trigger") not in gaps_of(postmortem)
    assert ("section_empty", "summary") not in gaps_of(postmortem)


def test_moments_that_nobody_knows_are_gaps(postmortem: Postmortem, incident: Incident, bob: User) -> None:
    found = {code for code, _ in gaps_of(postmortem)}
    assert {"start_unknown", "never_acknowledged", "mitigation_unknown", "not_resolved"} <= found
    assert "detection_unknown" not in found

    for status in (Incident.Status.ACKNOWLEDGED, Incident.Status.MITIGATED, Incident.Status.RESOLVED):
        lifecycle.move(incident, status, by=person(bob), now=LATER)

    found = {code for code, _ in gaps_of(postmortem)}
    assert not {"never_acknowledged", "mitigation_unknown", "not_resolved"} & found


def test_a_severe_incident_needed_a_commander(payments: Team, bob: User) -> None:
    mild = begun(payments, bob, severity=Incident.Severity.SEV3)
    severe = begun(payments, bob, severity=Incident.Severity.SEV1)
    assert not gaps_of(mild)["no_commander", "response"].required
    assert gaps_of(severe)["no_commander", "response"].required

    responding.assign_role(severe.incident, make.role("commander"), bob, by=person(bob), now=LATER)

    assert ("no_commander", "response") not in gaps_of(severe)


def test_a_severe_incident_of_a_model_needed_a_data_scientist(payments: Team, alice: User, bob: User) -> None:
    postmortem = begun(payments, bob, severity=Incident.Severity.SEV2, kind=Incident.Kind.DRIFT)
    assert gaps_of(postmortem)["no_data_scientist", "response"].required
    assert gaps_of(postmortem)["no_model", "ai_context"].required

    responding.join(postmortem.incident, alice, now=LATER)

    assert ("no_data_scientist", "response") not in gaps_of(postmortem)


def test_no_slo_and_an_slo_without_data_are_gaps(postmortem: Postmortem, incident: Incident, bob: User) -> None:
    assert ("no_slo", "impact") in gaps_of(postmortem)
    slo = Slo.objects.create(
        slug="checkout", name="Checkout works", service=make.service("checkout"), target_text="0.999", window_days=30
    )

    impact.link(incident, slo, origin=SloLink.Origin.PERSON, by=person(bob), now=LATER)

    assert ("no_slo", "impact") not in gaps_of(postmortem)
    assert "Checkout works" in gaps_of(postmortem)["slo_without_data", "impact"].message


def test_a_candidate_asks_for_no_p0_by_what_it_burned_until_it_is_confirmed(payments: Team, bob: User) -> None:
    slo = make.slo()
    make.samples(slo, (NOW - timedelta(hours=1), 3600, 0, 3600))
    postmortem = begun(payments, bob, started_at=NOW - timedelta(hours=1), is_candidate=True)
    impact.link(postmortem.incident, slo, origin=SloLink.Origin.LABEL, by=SYSTEM, now=NOW)
    assert ("no_p0_action_item", "action_items") not in gaps_of(postmortem)

    fields.change(postmortem.incident, {"is_candidate": False}, by=person(bob), now=LATER)

    assert gaps_of(postmortem)["no_p0_action_item", "action_items"].required


def test_action_items_are_asked_for_with_an_owner_and_a_date(postmortem: Postmortem, bob: User) -> None:
    assert gaps_of(postmortem)["no_action_items", "action_items"].required

    item = items.create(postmortem, "Alert on it", by=person(bob), now=LATER)

    assert ("no_action_items", "action_items") not in gaps_of(postmortem)
    assert gaps_of(postmortem)["action_item_without_owner", "action_items"].required

    items.change(item, {"owner": bob, "due_on": LATER.date()}, by=person(bob), now=LATER)

    assert not {"action_item_without_owner", "action_item_without_due_date"} & {code for code, _ in gaps_of(postmortem)}
