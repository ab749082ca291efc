"""What an incident burned of the SLOs that it touched."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.errors import Forbidden, Invalid
from incidents import impact, lifecycle, timeline
from incidents.models import Entry, Incident, SloLink
from people.models import Team, User
from slos import definitions, queries
from slos.budget import Interval, Status
from slos.decimals import to_decimal_string
from slos.models import Slo
from tests import make
from tests.make import NOW, SYSTEM, alerts_from, person

VECTORS = {
    vector["id"]: vector for vector in json.loads((Path(__file__).parents[1] / "slos" / "vectors.json").read_text())
}
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def slo(db: None) -> Slo:
    return make.slo()


def burned(incident: Incident, now: datetime = NOW) -> Any:
    """The one impact of the incident."""
    [only] = impact.impacts(incident, now)
    return only


def between(slo: Slo, start: datetime, end: datetime | None, **fields: Any) -> Incident:
    """An incident that began and was mitigated then, linked to the SLO."""
    incident = make.incident(started_at=start, mitigated_at=end, now=end or NOW, **fields)
    link(incident, slo)
    return incident


def link(incident: Incident, slo: Slo, **given: Any) -> tuple[SloLink, bool]:
    return impact.link(incident, slo, **{"origin": SloLink.Origin.PERSON, "by": SYSTEM, "now": NOW, **given})


def told(incident: Incident) -> list[dict[str, Any]]:
    return [entry.data for entry in incident.entries.filter(kind=Entry.Kind.SLO_LINKED).order_by("seq")]


# The share


@pytest.mark.parametrize("name", ["I01", "I02", "I03", "I04", "I05"])
def test_the_share_is_that_of_the_worked_vectors(name: str, db: None) -> None:
    given, expected = VECTORS[name]["inputs"], VECTORS[name]["expected"]
    slo = make.slo(target=given["target"], window={"days": given["window_days"]})
    bad, valid = given["bad_in_incident"], given["valid_in_window"]
    make.samples(
        slo,
        (NOW - 10 * DAY, 86_400, valid - 2 * bad, valid - 2 * bad),
        (NOW - HOUR, 300, bad, 2 * bad),
    )

    found = burned(between(slo, NOW - HOUR, NOW - 55 * MINUTE))

    assert (found.bad, found.status) == (bad, Status.OK if Fraction(expected["budget_share"]) < 1 else Status.EXCEEDED)
    assert to_decimal_string(found.share) == expected["budget_share"]
    assert to_decimal_string(found.budget) == expected["budget_events"]
    assert found.postmortem_required is expected["postmortem_required"]


def test_without_samples_the_share_is_unknown_and_not_zero(slo: Slo) -> None:
    found = burned(between(slo, NOW - HOUR, NOW))

    assert (found.bad, found.valid, found.share, found.minutes, found.share_low, found.share_high) == (None,) * 6
    assert (found.coverage, found.status, found.postmortem_required) == (0, Status.UNKNOWN, None)


def test_an_incident_that_no_sample_covers_is_unknown_within_bounds(slo: Slo) -> None:
    make.samples(slo, (NOW - DAY, 3600, 3600, 3600))

    found = burned(between(slo, NOW - HOUR, NOW - 55 * MINUTE))

    assert (found.share, found.coverage, found.status) == (None, 0, Status.UNKNOWN)
    assert found.share_low == 0
    assert found.share_high is not None
    assert found.share_high > 1


def test_an_incident_in_which_nothing_failed_burned_nothing(slo: Slo) -> None:
    make.samples(slo, (NOW - HOUR, 3600, 1000, 1000))

    found = burned(between(slo, NOW - HOUR, NOW))

    assert (found.share, found.coverage, found.postmortem_required) == (0, 1, False)


def test_only_the_part_of_a_sample_within_the_impact_counts(slo: Slo) -> None:
    make.samples(slo, (NOW - HOUR, 3600, 0, 3600))

    found = burned(between(slo, NOW - 40 * MINUTE, NOW - 30 * MINUTE))

    # The window ends with the impact as well: half an hour of the sample is in it.
    assert (found.bad, found.valid) == (600, 1800)
    assert found.minutes == Fraction(1, 3) * 30 * 24 * 60


def test_a_target_of_one_has_no_share_and_any_bad_event_asks_for_a_postmortem(db: None) -> None:
    slo = make.slo(target="1")
    make.samples(slo, (NOW - HOUR, 3600, 999, 1000))

    found = burned(between(slo, NOW - HOUR, NOW))

    assert (found.share, found.status, found.postmortem_required) == (None, Status.ZERO_BUDGET_EXCEEDED, True)


# Provisional and final


def test_an_open_incident_burns_on_until_it_is_mitigated_and_is_final_from_then_on(slo: Slo, alice: User) -> None:
    make.samples(slo, (NOW - 10 * DAY, 86_400, 1_000_000, 1_000_000))
    incident = between(slo, NOW, None)
    made = [burned(incident, NOW)]
    for minute in range(3):
        make.samples(slo, (NOW + minute * MINUTE, 60, 0, 100), now=NOW + HOUR)
        made.append(burned(incident, NOW + (minute + 1) * MINUTE))

    lifecycle.move(incident, Incident.Status.MITIGATED, by=person(alice), now=NOW + 3 * MINUTE)
    make.samples(slo, (NOW + 3 * MINUTE, 60, 0, 100), now=NOW + HOUR)
    final = burned(incident, NOW + 3 * MINUTE)

    assert [each.bad for each in made] == [0, 100, 200, 300]
    assert {each.provisional for each in made} == {True}
    assert not final.provisional
    assert (final.bad, final.share) == (300, made[-1].share)
    assert burned(incident, NOW + 5 * DAY).share == final.share


def test_where_mitigation_was_skipped_resolution_ends_the_impact(slo: Slo, alice: User) -> None:
    make.samples(slo, (NOW - HOUR, 3600, 0, 3600))
    incident = between(slo, NOW - 30 * MINUTE, None)

    lifecycle.move(incident, Incident.Status.RESOLVED, by=person(alice), now=NOW)

    found = burned(incident, NOW + DAY)
    assert (found.impact_from, found.impact_to, found.bad) == (NOW - 30 * MINUTE, NOW, 1800)
    assert not found.provisional


def test_a_late_sample_corrects_what_is_final(slo: Slo) -> None:
    make.samples(slo, (NOW - HOUR, 3600, 3500, 3600))
    incident = between(slo, NOW - HOUR, NOW)

    make.samples(slo, (NOW - HOUR, 3600, 3400, 3600))

    assert burned(incident).bad == 200


# Calendar windows


def test_a_month_that_still_runs_is_projected_and_provisional(db: None) -> None:
    slo = make.slo(window={"calendar": "month"})
    now = datetime(2026, 3, 11, tzinfo=UTC)  # vector I20
    for day in range(1, 11):
        bad = 500 if day == 4 else 0
        make.samples(slo, (datetime(2026, 3, day, tzinfo=UTC), 86_400, 200_000 - bad, 200_000), now=now)
    incident = between(slo, datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC))

    found = burned(incident, now)

    assert (found.valid, found.share, found.provisional) == (6_200_000, Fraction(5, 62), True)


def test_each_month_judges_its_own_part_and_the_worst_one_is_told(db: None) -> None:
    slo = make.slo(window={"calendar": "month"})
    midnight, now = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    for day in range((now - datetime(2026, 1, 1, tzinfo=UTC)).days):
        start = datetime(2026, 1, 1, tzinfo=UTC) + day * DAY
        if start == midnight - DAY:
            make.samples(slo, (start, 84_600, 84_600, 84_600), (start + timedelta(seconds=84_600), 1800, 0, 1800))
        elif start == midnight:
            make.samples(slo, (start, 1800, 0, 1800), (start + timedelta(seconds=1800), 84_600, 84_600, 84_600))
        else:
            make.samples(slo, (start, 86_400, 86_400, 86_400))

    found = burned(between(slo, midnight - 30 * MINUTE, midnight + 30 * MINUTE), now)

    assert (found.share, found.minutes) == (Fraction(125, 168), 30)  # vector I19: February is the shorter month
    assert found.window == Interval(midnight, now)
    assert (found.impact_from, found.impact_to) == (midnight - 30 * MINUTE, midnight + 30 * MINUTE)
    assert not found.provisional


# Several SLOs, several incidents


def test_shares_of_several_slos_are_never_added(slo: Slo) -> None:
    incident = between(slo, NOW - HOUR, NOW)
    latency, unknown = make.slo("checkout-latency"), make.slo("checkout-accuracy")
    link(incident, latency)
    make.samples(slo, (NOW - HOUR, 3600, 999_850, 1_000_000))
    make.samples(latency, (NOW - HOUR, 3600, 999_820, 1_000_000))

    found = impact.impacts(incident, NOW)
    driver = impact.worst(found)

    assert [to_decimal_string(each.share) for each in found] == ["0.15", "0.18"]
    assert driver is not None
    assert driver.slo == latency
    assert impact.postmortem_required(found) is False

    link(incident, unknown)
    assert impact.postmortem_required(impact.impacts(incident, NOW)) is None
    assert impact.worst([]) is None


def test_overlapping_incidents_tell_what_each_took_and_what_really_happened(slo: Slo) -> None:
    start = NOW - 100 * MINUTE  # vector O01: 10 bad a minute, a budget of 5000
    make.samples(slo, *((start + n * MINUTE, 60, 0, 10) for n in range(100)))
    make.samples(slo, (NOW - 10 * DAY, 86_400, 5_000_000 - 1000, 5_000_000 - 1000))
    one, two = between(slo, start, start + 60 * MINUTE), between(slo, start + 40 * MINUTE, start + 100 * MINUTE)
    before = between(slo, start - 10 * MINUTE, start)
    dismissed = between(slo, start, None)
    lifecycle.move(dismissed, Incident.Status.DISMISSED, by=SYSTEM, now=NOW, reason="The same thing")

    first, second, apart = (burned(incident).attribution for incident in (one, two, before))

    assert second is not None
    assert tuple(map(to_decimal_string, (second.full, second.union, second.equal_split))) == ("0.12", "0.2", "0.1")
    assert first is not None
    assert first.equal_split is not None
    assert first.union is not None
    assert first.full == 2 * first.union * Fraction(3, 10)
    assert first.equal_split == first.union / 2
    assert apart is not None
    assert apart.union is None


# Linking


def test_linking_is_told_on_the_timeline_once(slo: Slo, payments: Team, alice: User) -> None:
    incident = make.incident(payments)

    linked, is_new = link(incident, slo, by=person(alice))
    again, is_new_again = link(incident, slo, by=person(alice))

    assert (is_new, is_new_again, again) == (True, False, linked)
    assert told(incident) == [{"slo": slo.slug, "name": slo.name, "origin": "person"}]
    assert timeline.verify(incident) is None


def test_linking_again_sets_the_interval_that_is_given_and_keeps_the_rest(slo: Slo) -> None:
    incident = make.incident(started_at=NOW - HOUR)
    link(incident, slo, impact_from=NOW - 2 * HOUR)

    link(incident, slo, impact_to=NOW - MINUTE)
    assert incident.slo_links.values_list("impact_from", "impact_to").get() == (NOW - 2 * HOUR, NOW - MINUTE)

    link(incident, slo, impact_from=None)
    assert incident.slo_links.values_list("impact_from", "impact_to").get() == (None, NOW - MINUTE)
    assert [set(data) - {"slo", "name", "origin"} for data in told(incident)] == [
        {"impact_from"},
        {"impact_from", "impact_to"},
        {"impact_to"},
    ]
    assert not burned(incident).provisional


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"impact_from": NOW + MINUTE}, "impact_from"),
        ({"impact_to": NOW + MINUTE}, "impact_to"),
        ({"impact_from": NOW - MINUTE, "impact_to": NOW - HOUR}, "impact_from"),
        ({"impact_to": NOW - 2 * HOUR}, "impact_to"),
    ],
)
def test_an_impact_that_ends_before_it_begins_or_lies_ahead_is_refused(
    slo: Slo, given: dict[str, datetime], field: str
) -> None:
    incident = make.incident(started_at=NOW - HOUR)

    with pytest.raises(Invalid) as refused:
        link(incident, slo, **given)

    assert refused.value.errors[0][0] == field
    assert not incident.slo_links.exists()


def test_a_viewer_may_not_link(slo: Slo, payments: Team, victor: User) -> None:
    with pytest.raises(Forbidden):
        link(make.incident(payments), slo, by=person(victor))


def test_alerts_link_the_slos_that_their_labels_name(slo: Slo) -> None:
    incident, other = make.incident(), make.slo("search-latency")
    alerts = alerts_from("production", "Production")
    named = [slo.slug, other.slug, "nobody-knows", "", "no slug at all", "nul\x00", "x" * 300]

    assert impact.link_by_labels(incident, named, by=alerts, now=NOW) == 2
    assert impact.link_by_labels(incident, named, by=alerts, now=NOW) == 0

    assert {each.origin for each in impact.impacts(incident, NOW)} == {"label"}
    assert [data["slo"] for data in told(incident)] == sorted([slo.slug, other.slug])
    assert incident.entries.filter(kind=Entry.Kind.SLO_LINKED).values_list("actor_type", flat=True)[0] == "alert"


def test_what_a_person_linked_stays_theirs_when_an_alert_names_it(slo: Slo) -> None:
    incident = make.incident()
    link(incident, slo, impact_from=NOW - HOUR)

    assert impact.link_by_labels(incident, [slo.slug], by=alerts_from("production", "Production"), now=NOW) == 0

    assert incident.slo_links.values_list("origin", "impact_from").get() == ("person", NOW - HOUR)


# Statements


def test_linking_by_labels_costs_the_same_however_many_and_one_when_nothing_is_new(db: None) -> None:
    slugs = [make.slo(make.unique("slo")).slug for _ in range(12)]
    incident = make.incident()

    def statements(named: list[str]) -> int:
        with CaptureQueriesContext(connection) as captured:
            impact.link_by_labels(incident, named, by=SYSTEM, now=NOW)
        return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE")) for query in captured)

    assert statements(slugs[:1]) == statements(slugs[1:]) <= 7
    assert statements(slugs) == 1
    assert statements(["unknown"]) == 1
    assert statements([]) == 0


def test_impacts_cost_the_same_number_of_statements_however_many(db: None) -> None:
    slos = [make.slo(make.unique("slo")) for _ in range(4)]
    few, many = make.incident(started_at=NOW - HOUR), make.incident(started_at=NOW - HOUR)
    for slo in slos:
        make.samples(slo, (NOW - HOUR, 3600, 3599, 3600))
        link(many, slo)
    link(few, slos[0])

    with CaptureQueriesContext(connection) as for_few:
        impact.impacts(few, NOW)
    with CaptureQueriesContext(connection) as for_many:
        found = impact.impacts(many, NOW)
    with CaptureQueriesContext(connection) as for_lists:
        listed = impact.impacts_of([few, many], NOW)

    assert len(found) == 4
    assert len(for_few) == len(for_many) == 6
    assert len(for_lists) == 3
    assert [len(listed[incident.pk]) for incident in (few, many)] == [1, 4]


# Pages of SLOs


def test_the_page_of_an_slo_shows_the_incidents_that_burned_it_to_those_who_may_see_them(
    slo: Slo, payments: Team, charlie: User, bob: User
) -> None:
    make.samples(slo, (NOW - 2 * HOUR, 7200, 7100, 7200))
    public = between(slo, NOW - HOUR, NOW)
    private = between(slo, NOW - 30 * MINUTE, NOW, team=payments, is_private=True)

    with CaptureQueriesContext(connection) as captured:
        seen = queries.burners(slo, actor=person(charlie), now=NOW)
    everything = queries.burners(slo, actor=person(bob), now=NOW)

    assert len(captured) == 3
    assert [burner.link.incident for burner in seen] == [public]
    assert [burner.link.incident for burner in everything] == [private, public]
    assert [burner.burned.counts.bad for burner in everything] == [25, 50]
    assert not seen[0].provisional


def test_slos_are_listed_with_the_most_urgent_first(slo: Slo) -> None:
    spent, quiet, fresh = make.slo("spent"), make.slo("quiet"), make.slo("fresh")
    definitions.change(quiet, {"name": "A quiet one"}, by=SYSTEM, now=NOW)
    make.samples(slo, (NOW - HOUR, 3600, 9991, 10_000))
    make.samples(spent, (NOW - HOUR, 3600, 9980, 10_000))
    make.samples(fresh, (NOW - HOUR, 3600, 10_000, 10_000))

    with CaptureQueriesContext(connection) as captured:
        standings = queries.listed(Slo.objects.all(), now=NOW)

    assert [standing.slo for standing in standings] == [spent, slo, fresh, quiet]
    assert [to_decimal_string(standing.remaining) for standing in standings] == ["-1", "0.1", "1", None]
    assert len(captured) == 3
