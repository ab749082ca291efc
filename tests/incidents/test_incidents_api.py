"""REST of incidents: what they are made of, who may change them, and how lists are narrowed and ordered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from incidents import lifecycle, responding
from incidents.models import Incident
from people.actors import person
from people.models import Team, User
from tests import make
from tests.conftest import Api
from tests.make import NOW

Status = Incident.Status

FIELDS = {
    *(
        "number",
        "title",
        "summary",
        "status",
        "severity",
        "kind",
        "private",
        "drill",
        "service",
        "team",
        "model",
        "candidate",
    ),
    *("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at", "closed_at", "durations"),
    *("alerts", "labels", "last_seq", "commander", "roles", "missing_disciplines", "protocol", "slos", "postmortem"),
    *("merged_into", "reason", "links", "url", "api_url", "created_at", "updated_at", "version"),
}


def test_an_incident_is_declared_and_read(api: Api, alice: User, payments: Team) -> None:
    make.service("checkout", payments)
    client = api(alice)

    made = client.post(
        "/api/v1/incidents/",
        {
            "title": "Checkout fails",
            "severity": "sev2",
            "kind": "quality",
            "service": "checkout",
            "labels": {"region": "eu"},
            "links": [{"title": "Board", "url": "http://grafana:3000/d/1"}],
        },
    )

    assert made.status_code == 201
    assert made.headers["ETag"] == '"1"'
    incident = made.json()
    assert set(incident) == FIELDS
    assert (incident["status"], incident["severity"], incident["kind"]) == ("triggered", "sev2", "quality")
    assert (incident["service"], incident["team"]) == ("checkout", "payments")
    assert incident["labels"] == {"region": "eu"}
    assert incident["links"] == [{"title": "Board", "url": "http://grafana:3000/d/1"}]
    assert incident["alerts"] == {"firing": 0, "resolved": 0, "stale": 0}
    assert incident["detected_at"].endswith("Z")
    assert incident["url"] == f"{settings.ENV.public_url}/incidents/{incident['number']}/"
    unknown = (
        "summary",
        "model",
        "started_at",
        "acknowledged_at",
        "commander",
        "protocol",
        "postmortem",
        "merged_into",
    )
    assert {incident[name] for name in unknown} == {None}
    assert incident["durations"] == dict.fromkeys(("to_detect", "to_acknowledge", "to_mitigate", "to_resolve"))
    assert client.get(incident["api_url"]).json() == incident
    assert client.get("/api/v1/incidents/").json()["results"] == [incident]


def test_durations_are_whole_seconds_between_moments(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments, started_at=NOW - timedelta(minutes=3), by=alice)
    for minutes, status in ((1, Status.ACKNOWLEDGED), (5, Status.MITIGATED), (9, Status.RESOLVED)):
        lifecycle.move(incident, status, by=person(alice), now=NOW + timedelta(minutes=minutes))

    shown = api(alice).get(f"/api/v1/incidents/{incident.number}/").json()

    assert shown["durations"] == {"to_detect": 180, "to_acknowledge": 60, "to_mitigate": 480, "to_resolve": 720}


def test_without_a_start_mitigation_counts_from_detection(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    lifecycle.move(incident, Status.RESOLVED, by=person(alice), now=NOW + timedelta(minutes=2))

    durations = api(alice).get(f"/api/v1/incidents/{incident.number}/").json()["durations"]

    assert durations == {"to_detect": None, "to_acknowledge": None, "to_mitigate": None, "to_resolve": 120}


def test_who_holds_which_role_is_shown(api: Api, alice: User, bob: User, payments: Team) -> None:
    incident = make.incident(payments)
    responding.assign_role(incident, make.role("data_scientist"), alice, by=person(alice), now=NOW)
    responding.assign_role(incident, make.role("commander"), bob, by=person(bob), now=NOW)

    shown = api(alice).get(f"/api/v1/incidents/{incident.number}/").json()

    assert shown["commander"] == {"id": bob.pk, "name": "Bob"}
    assert [(held["role"], held["user"]["name"]) for held in shown["roles"]] == [
        ("commander", "Bob"),
        ("data_scientist", "Alice"),
    ]


def test_fields_are_changed_and_told_by_the_timeline(api: Api, charlie: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(charlie)

    answer = client.patch(f"/api/v1/incidents/{incident.number}/", {"severity": "sev1", "summary": "Cards"})

    assert answer.status_code == 200
    assert (answer.json()["severity"], answer.json()["summary"], answer.json()["version"]) == ("sev1", "Cards", 2)
    kinds = [each["kind"] for each in client.get(f"/api/v1/incidents/{incident.number}/timeline/").json()["results"]]
    assert kinds == ["opened", "field_changed", "severity_changed"]


def test_moments_are_corrected_by_a_manager_of_the_team_with_a_reason(
    api: Api, alice: User, bob: User, charlie: User, payments: Team
) -> None:
    incident = make.incident(payments)
    address = f"/api/v1/incidents/{incident.number}/"
    change = {"started_at": "2026-03-02T09:30:00+01:00", "reason": "The log says so."}
    elsewhere = make.user("Eve", {make.team("billing"): "manager"})

    assert api(alice).patch(address, change).status_code == 403
    assert api(elsewhere).patch(address, change).status_code == 403
    assert api(bob).patch(address, {"started_at": change["started_at"]}).json()["errors"][0]["field"] == "reason"
    answer = api(bob).patch(address, change)

    assert answer.status_code == 200
    assert answer.json()["started_at"] == "2026-03-02T08:30:00Z"
    assert answer.json()["durations"]["to_detect"] == 1800
    assert incident.entries.filter(kind="moment_corrected").get().text == "The log says so."


@pytest.mark.parametrize(
    "change",
    [
        {"started_at": "2026-03-02T09:30:00Z", "reason": "x"},  # after the detection
        {"started_at": "2199-01-01T00:00:00Z", "reason": "x"},
        {"started_at": "2026-03-02T09:30:00", "reason": "x"},  # of which zone?
        {"started_at": "9999-12-31T23:59:59-14:00", "reason": "x"},
        {"severity": "sev9"},
        {"title": " "},
        {"service": "nowhere"},
        {"links": [{"title": "x", "url": "javascript:alert(1)"}]},
        {"labels": {"a": {"b": 1}}},
        {"labels": {"a": 1}},
        {"number": 5},
        ["title"],
    ],
)
def test_a_change_that_cannot_be_used_leaves_nothing_behind(api: Api, bob: User, payments: Team, change: Any) -> None:
    incident = make.incident(payments)
    if isinstance(change, dict):
        change = {"kind": "drift", **change}

    answer = api(bob).patch(f"/api/v1/incidents/{incident.number}/", change)

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    incident.refresh_from_db()
    assert (incident.kind, incident.version, incident.last_seq) == ("other", 1, 1)


def test_a_declaration_checks_its_moments(api: Api, alice: User) -> None:
    later = (timezone.now() + timedelta(hours=1)).isoformat()

    answer = api(alice).post("/api/v1/incidents/", {"title": "x", "started_at": later})

    assert answer.status_code == 422
    assert not Incident.objects.exists()


def test_if_match_is_honoured(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/"
    client.patch(address, {"title": "Second"}, headers={"If-Match": '"1"'})

    fields = client.patch(address, {"title": "Third"}, headers={"If-Match": '"1"'})
    status = client.post(f"{address}status/", {"status": "resolved"}, headers={"If-Match": '"1"'})

    for answer in (fields, status):
        assert answer.status_code == 412
        assert answer.json()["current"]["title"] == "Second"
        assert answer.json()["current"]["version"] == 2
    assert client.post(f"{address}status/", {"status": "resolved"}, headers={"If-Match": 'W/"2"'}).status_code == 200


def test_not_modified_is_said_only_while_nothing_came_after_the_version(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/"

    assert client.get(address, headers={"If-None-Match": '"1"'}).status_code == 304
    client.post(f"{address}timeline/", {"kind": "note", "text": "Something new"})

    answer = client.get(address, headers={"If-None-Match": '"1"'})
    assert answer.status_code == 200
    assert (answer.headers["ETag"], answer.json()["last_seq"]) == ('"1"', 2)


def test_a_private_incident_is_not_there_for_others(
    api: Api, alice: User, bob: User, charlie: User, admin: User, payments: Team
) -> None:
    incident = make.incident(payments, is_private=True, by=alice)
    address = f"/api/v1/incidents/{incident.number}/"

    for insider in (alice, bob, admin):
        assert api(insider).get(address).status_code == 200
    outside = api(charlie)
    assert outside.get(address).status_code == 404
    assert outside.get("/api/v1/incidents/").json()["results"] == []
    for part in ("timeline/", "responders/", "alerts/", "slos/"):
        assert outside.get(f"{address}{part}").status_code == 404
    assert outside.post(f"{address}status/", {"status": "resolved"}).status_code == 404
    assert outside.patch(address, {"title": "x"}).status_code == 404
    other = make.incident(payments)
    merge = api(bob).post(f"/api/v1/incidents/{other.number}/status/", {"status": "merged", "merged_into": 99999})
    assert merge.json()["errors"][0]["field"] == "merged_into"


def test_who_declares_a_private_incident_by_a_program_sees_it(api: Api, alice: User, charlie: User) -> None:
    made = api(alice).post("/api/v1/incidents/", {"title": "Credentials leaked", "private": True}).json()

    assert api(alice).get(made["api_url"]).json()["number"] == made["number"]
    assert api(charlie).get(made["api_url"]).status_code == 404


def test_status_moves_and_refusals_name_what_is_allowed(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/status/"

    taken = client.post(address, {"status": "acknowledged", "note": "Looking"})
    again = client.post(address, {"status": "acknowledged"})
    refused = client.post(address, {"status": "closed"})
    silent = client.post(address, {"status": "dismissed"})

    assert (taken.status_code, taken.json()["status"]) == (200, "acknowledged")
    assert (again.status_code, again.json()["version"]) == (200, taken.json()["version"])
    assert refused.status_code == 409
    assert refused.json()["allowed"] == ["triggered", "mitigated", "resolved", "dismissed", "merged"]
    assert silent.json()["errors"] == [{"field": "reason", "message": "A dismissed incident says why."}]
    assert [entry.text for entry in incident.entries.filter(kind="status_changed")] == ["Looking"]


def test_merging_is_for_managers_of_the_team(api: Api, alice: User, bob: User, payments: Team) -> None:
    kept, merged = make.incident(payments), make.incident(payments)
    address = f"/api/v1/incidents/{merged.number}/status/"

    assert api(alice).post(address, {"status": "merged", "merged_into": kept.number}).status_code == 403
    answer = api(bob).post(address, {"status": "merged", "merged_into": kept.number})

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["merged_into"]) == ("merged", kept.number)


# Lists


@pytest.fixture
def several(payments: Team, search: Team, alice: User) -> list[Incident]:
    """Four, an hour apart."""
    checkout = make.service("checkout", payments)
    made = [
        make.incident(payments, "Old and resolved", severity="sev1", now=NOW, labels={"region": "eu,west"}),
        make.incident(search, "Slow search", severity="sev3", kind="latency", now=NOW + timedelta(hours=1)),
        make.incident(payments, "Drill: checkout", severity="sev3", is_drill=True, service=checkout,
                      now=NOW + timedelta(hours=2)),
        make.incident(payments, "Checkout fails", severity="sev2", service=checkout, now=NOW + timedelta(hours=3),
                      labels={"region": "eu", "a.b/c": "d:e"}),
    ]  # fmt: skip
    lifecycle.move(made[0], Status.RESOLVED, by=person(alice), now=NOW + timedelta(hours=4))
    lifecycle.move(made[3], Status.ACKNOWLEDGED, by=person(alice), now=NOW + timedelta(hours=4))
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1, 0]),
        ("ordering=opened", [0, 1, 2, 3]),
        ("ordering=severity", [0, 3, 2, 1]),
        ("ordering=urgency", [1, 2, 3, 0]),
        ("open=true", [3, 2, 1]),
        ("open=false", [0]),
        ("status=resolved,acknowledged", [3, 0]),
        ("status=resolved&status=acknowledged", [3, 0]),
        ("severity=sev3&team=payments", [2]),
        ("kind=latency", [1]),
        ("team=payments,search&drill=false", [3, 1, 0]),
        ("service=checkout", [3, 2]),
        ("service=nowhere", []),
        ("model=nowhere", []),
        ("label=region:eu", [3]),
        ("label=region:eu,west", [0]),
        ("label=a.b/c:d:e&label=region:eu", [3]),
        ("label=region:us", []),
        ("q=CHECKOUT", [3, 2]),
        ("q=checkout+drill", [2]),
        ("opened_after=2026-03-02T11:00:00Z", [3, 2]),
        ("opened_after=2026-03-02T12:00:00%2B01:00&opened_before=2026-03-02T12:00:00Z", [2]),
    ],
)
def test_the_list_is_narrowed_and_ordered(
    api: Api, victor: User, several: list[Incident], query: str, found: list[int]
) -> None:
    answer = api(victor).get(f"/api/v1/incidents/?{query}")

    assert answer.status_code == 200
    numbers = [several[position].number for position in found]
    assert [each["number"] for each in answer.json()["results"]] == numbers


def test_an_incident_is_found_by_its_number(api: Api, victor: User, several: list[Incident]) -> None:
    number = several[1].number

    answer = api(victor).get(f"/api/v1/incidents/?q=INC-{number}")

    assert number in [each["number"] for each in answer.json()["results"]]


@pytest.mark.parametrize(
    "query",
    [
        *("status=new", "severity=sev9", "open=maybe", "drill=2", "label=region", "opened_after=yesterday"),
        *("opened_after=9999-12-31T23:59:59-14:00", "opened_before=0001-01-01T00:00:00%2B14:00"),
        *("ordering=title", "cursor=x", "page_size=0", "page_size=x", "q=%00", "service=%00"),
    ],
)
def test_a_filter_that_cannot_be_used_is_refused(api: Api, victor: User, query: str) -> None:
    answer = api(victor).get(f"/api/v1/incidents/?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("ordering", ["-opened", "opened", "severity", "urgency"])
def test_pages_lead_through_the_whole_list_and_back(
    api: Api, victor: User, several: list[Incident], payments: Team, ordering: str
) -> None:
    for _ in range(3):
        make.incident(payments, now=NOW + timedelta(hours=2))  # the same moment, told apart by the id
    client = api(victor)
    whole = [each["number"] for each in client.get(f"/api/v1/incidents/?ordering={ordering}").json()["results"]]

    pages = [client.get(f"/api/v1/incidents/?ordering={ordering}&page_size=2&status=triggered,acknowledged,resolved")]
    while pages[-1].json()["next"]:
        pages.append(client.get(pages[-1].json()["next"]))
    back = [client.get(pages[-1].json()["previous"])]
    while back[-1].json()["previous"]:
        back.append(client.get(back[-1].json()["previous"]))

    def numbers(answer: Any) -> list[int]:
        return [each["number"] for each in answer.json()["results"]]

    assert [number for answer in pages for number in numbers(answer)] == whole
    assert len(pages) == 4
    assert [numbers(answer) for answer in reversed(back)] == [numbers(answer) for answer in pages[:-1]]
    assert pages[0].json()["previous"] is None


def test_a_list_costs_the_same_however_many(
    api: Api, alice: User, bob: User, payments: Team, django_assert_max_num_queries: Any
) -> None:
    slo = make.slo("availability", make.service("checkout", payments))
    for _ in range(12):
        incident = make.incident(payments, by=bob)
        responding.assign_role(incident, make.role("commander"), bob, by=person(bob), now=NOW)
        api(alice).post(f"/api/v1/incidents/{incident.number}/slos/", {"slo": slo.slug})
    client = api(alice)
    client.get("/api/v1/incidents/")

    with django_assert_max_num_queries(9):
        answer = client.get("/api/v1/incidents/?ordering=urgency")

    assert len(answer.json()["results"]) == 12
    assert answer.json()["results"][0]["commander"]["name"] == "Bob"
    assert answer.json()["results"][0]["slos"] == [{"slo": "availability", "share": None, "provisional": True}]
