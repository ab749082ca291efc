"""A postmortem begins from the record, and says nothing that it cannot point to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from incidents import fields, lifecycle, marking, responding, timeline
from incidents.models import Entry, Incident
from people.models import Team, User
from postmortems import drafting, editing, queries, template
from postmortems.models import Postmortem, Revision, Section
from tests import make
from tests.make import NOW, person

LATER = NOW + timedelta(hours=2)


def sections_of(incident: Incident, by: User) -> dict[str, Section]:
    postmortem, _ = drafting.draft(incident, by=person(by), now=LATER)
    return {section.key: section for section in postmortem.sections.all()}


@pytest.fixture
def handled(payments: Team, alice: User, bob: User) -> Incident:
    """Started ten minutes before it was declared; taken, mitigated and resolved; a data scientist and a commander."""
    incident = make.incident(
        payments,
        by=bob,
        started_at=NOW - timedelta(minutes=10),
        severity=Incident.Severity.SEV2,
        kind=Incident.Kind.QUALITY,
        service=make.service("checkout", payments),
        model=make.model("fraud", payments),
    )
    lifecycle.acknowledge(incident, by=person(bob), now=NOW + timedelta(minutes=3))
    responding.ask(incident, alice, by=person(bob), now=NOW + timedelta(minutes=5))
    responding.join(incident, alice, now=NOW + timedelta(minutes=6))
    responding.assign_role(incident, make.role("commander"), bob, by=person(bob), now=NOW + timedelta(minutes=6))
    responding.assign_role(incident, make.role("data_scientist"), alice, by=person(bob), now=NOW + timedelta(minutes=7))
    lifecycle.move(incident, Incident.Status.MITIGATED, by=person(alice), now=NOW + timedelta(minutes=30))
    lifecycle.move(incident, Incident.Status.RESOLVED, by=person(bob), now=NOW + timedelta(minutes=62))
    return incident


def test_it_has_the_sections_of_the_template_in_their_order(handled: Incident, alice: User) -> None:
    postmortem, created = drafting.draft(handled, by=person(alice), now=LATER)

    assert created
    assert [section.key for section in postmortem.sections.all()] == [
        *("summary", "impact", "timeline", "detection", "response", "trigger", "contributing_factors", "resolution"),
        *("what_went_well", "what_went_poorly", "where_we_got_lucky", "surprises", "ai_context", "lessons"),
        *("action_items", "supporting_material"),
    ]
    assert handled.entries.filter(kind=Entry.Kind.POSTMORTEM_STARTED).count() == 1


def test_who_asks_again_gets_the_same_one(handled: Incident, alice: User, bob: User) -> None:
    first, _ = drafting.draft(handled, by=person(alice), now=LATER)

    second, created = drafting.draft(handled, by=person(bob), now=LATER)

    assert (second, created) == (first, False)
    assert handled.entries.filter(kind=Entry.Kind.POSTMORTEM_STARTED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_thirty_who_ask_at_once_begin_one(alice: User) -> None:
    incident = make.incident(by=alice)

    def ask(_: int) -> tuple[int, bool]:
        try:
            postmortem, created = drafting.draft(Incident.objects.get(pk=incident.pk), by=person(alice), now=LATER)
            return postmortem.pk, created
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=10) as pool:
        answers = list(pool.map(ask, range(30)))

    assert len({pk for pk, _ in answers}) == 1
    assert [created for _, created in answers].count(True) == 1
    assert Section.objects.count() == len(template.DEFAULT)
    assert incident.entries.filter(kind=Entry.Kind.POSTMORTEM_STARTED).count() == 1
    assert timeline.verify(Incident.objects.get(pk=incident.pk)) is None


@pytest.mark.parametrize("status", list(Incident.Status))
def test_it_can_begin_at_any_status(status: Incident.Status, payments: Team, alice: User) -> None:
    incident = make.incident(payments, by=alice)
    if status == Incident.Status.CLOSED:
        lifecycle.move(incident, Incident.Status.RESOLVED, by=person(alice), now=NOW)
    into = make.incident(payments, "The other one") if status == Incident.Status.MERGED else None
    lifecycle.move(incident, status, by=make.SYSTEM, now=NOW, reason="a test of the alert", merged_into=into)

    sections = sections_of(incident, alice)

    assert status.label.lower() in sections["summary"].markdown


def test_every_generated_section_points_to_entries_that_exist(handled: Incident, alice: User) -> None:
    sections = sections_of(handled, alice)

    seqs = set(handled.entries.values_list("seq", flat=True))
    for key in template.GENERATED:
        assert sections[key].state == Section.State.GENERATED
        assert sections[key].evidence, key
        assert set(sections[key].evidence) <= seqs, key
    assert set(sections["timeline"].evidence) == seqs - {max(seqs)}  # the last tells of the postmortem itself


def test_what_only_people_can_know_is_empty(handled: Incident, alice: User) -> None:
    sections = sections_of(handled, alice)

    for part in template.DEFAULT:
        if not part.is_generated:
            assert (sections[part.key].state, sections[part.key].markdown) == (Section.State.EMPTY, "")
            assert part.question


def test_the_moments_and_durations_are_those_of_the_incident(handled: Incident, alice: User) -> None:
    sections = sections_of(handled, alice)

    assert "From the start of the impact to its detection: 10 min." in sections["detection"].markdown
    assert "Acknowledged at 2026-03-02 09:03:00 UTC by Bob, 3 min after its detection." in sections["response"].markdown
    assert "Mitigated at 2026-03-02 09:30:00 UTC by Alice, 40 min after its start." in sections["resolution"].markdown
    assert "Resolved at 2026-03-02 10:02:00 UTC by Bob, 1 h 12 min after its start." in sections["resolution"].markdown
    impact = "The impact lasted 40 min, from 2026-03-02 08:50:00 UTC to 2026-03-02 09:30:00 UTC."
    assert impact in sections["impact"].markdown


def test_the_data_scientist_is_as_visible_as_the_engineer(handled: Incident, alice: User) -> None:
    sections = sections_of(handled, alice)

    for name, discipline, role in (("Alice", "Data science", "Data scientist"), ("Bob", "SRE", "Commander")):
        row = next(line for line in sections["response"].markdown.splitlines() if line.startswith(f"| {name} "))
        assert discipline in row
        assert role in row
    assert "In the response for models and data: Alice." in sections["ai_context"].markdown


def test_unknown_moments_are_called_unknown(payments: Team, alice: User) -> None:
    incident = make.incident(payments, by=alice)
    lifecycle.move(incident, Incident.Status.RESOLVED, by=person(alice), now=NOW + timedelta(minutes=5))

    sections = sections_of(incident, alice)

    assert "When the impact started is unknown" in sections["impact"].markdown
    assert "How long it went unnoticed is unknown" in sections["detection"].markdown
    assert "Nobody acknowledged it." in sections["response"].markdown
    assert "When it was mitigated is unknown." in sections["resolution"].markdown
    assert "5 min after its detection" in sections["resolution"].markdown


def test_without_a_model_it_says_so_and_does_not_ask(payments: Team, alice: User) -> None:
    sections = sections_of(make.incident(payments, by=alice), alice)

    assert sections["ai_context"].markdown == "No model is linked."
    assert not sections["ai_context"].is_required


def test_what_nobody_touched_follows_the_record(handled: Incident, alice: User, bob: User) -> None:
    postmortem, _ = drafting.draft(handled, by=person(alice), now=LATER)
    edited = postmortem.sections.get(key="impact")
    editing.edit_section(edited, "One card in three.", version=1, by=person(alice), now=LATER)

    timeline.write(handled, Entry.Kind.NOTE, "The rollback is in.", by=person(bob), now=LATER)
    fields.change(handled, {"severity": Incident.Severity.SEV1}, by=person(bob), now=LATER)
    document = queries.document(Postmortem.objects.get(pk=postmortem.pk), LATER + timedelta(minutes=1))

    sections = {section.key: section for section in document.sections}
    assert "The rollback is in." in sections["timeline"].markdown
    assert "severity SEV1" in sections["summary"].markdown
    assert sections["impact"].markdown == "One card in three."
    assert (sections["summary"].version, sections["detection"].version) == (2, 1)
    assert Revision.objects.get(section=sections["summary"], version=2).actor_name == "Burnline"


def test_reading_twice_writes_nothing(handled: Incident, alice: User, django_assert_num_queries: Any) -> None:
    postmortem, _ = drafting.draft(handled, by=person(alice), now=LATER)
    before = {section.pk: section.version for section in postmortem.sections.all()}

    document = queries.document(postmortem, LATER + timedelta(days=1))

    assert {section.pk: section.version for section in document.sections} == before
    assert document.postmortem.version == 1


def test_a_published_one_stays_as_it_was(handled: Incident, alice: User, bob: User) -> None:
    postmortem, _ = drafting.draft(handled, by=person(alice), now=LATER)
    Postmortem.objects.update(status=Postmortem.Status.PUBLISHED)

    timeline.write(handled, Entry.Kind.NOTE, "Later.", by=person(bob), now=LATER)
    document = queries.document(Postmortem.objects.get(pk=postmortem.pk), LATER)

    assert "Later." not in next(section.markdown for section in document.sections if section.key == "timeline")


def test_reading_costs_the_same_with_a_long_record(handled: Incident, alice: User, bob: User) -> None:
    from django.test.utils import CaptureQueriesContext

    postmortem, _ = drafting.draft(handled, by=person(alice), now=LATER)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            queries.document(queries.visible(person(bob)).get(pk=postmortem.pk), LATER)
        return len(captured)

    queries.document(postmortem, LATER)
    short = statements()
    for number in range(300):
        timeline.write(handled, Entry.Kind.NOTE, f"Note {number}", by=person(bob), now=LATER)
    document = queries.document(postmortem, LATER)

    assert statements() == short
    drawn = next(section for section in document.sections if section.key == "timeline")
    assert "lines left out here" in drawn.markdown
    assert drawn.html.startswith("<table>")


def test_what_was_starred_stands_out_in_the_timeline_and_in_no_fold(incident: Incident, bob: User) -> None:
    for number in range(6):
        timeline.append(
            [(incident, timeline.Draft(Entry.Kind.ALERTS_FIRED, make.SYSTEM, NOW, data={"count": number}))], now=NOW
        )
    marking.mark(incident, 5, by=person(bob), now=NOW)

    drawn = sections_of(incident, bob)["timeline"].markdown

    assert "| #5 | Burnline | ★ " in drawn
    assert "starred #5" not in drawn
