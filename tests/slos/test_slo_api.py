"""SLOs, samples, budgets and impacts over REST, as programs use them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from incidents.models import Incident
from people.models import Team, User
from tests import make

Api = Callable[..., APIClient]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def slo(payments: Team, bob: User, api: Api) -> str:
    """The slug of an SLO of payments."""
    make.service("checkout", payments)
    said = {"slug": "checkout-availability", "name": "Checkout answers", "service": "checkout", "target": "0.999"}
    answer = api(bob).post("/api/v1/slos/", said)
    assert answer.status_code == 201, answer.json()
    slug: str = answer.json()["slug"]
    return slug


def sample(start: datetime, seconds: int, good: Any, valid: Any) -> dict[str, Any]:
    return {"start": instant(start), "seconds": seconds, "good": good, "valid": valid}


def test_an_slo_is_told_in_full(slo: str, bob: User, api: Api) -> None:
    answer = api(bob).get(f"/api/v1/slos/{slo}/")

    told = answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert {key: told[key] for key in told if key not in ("created_at", "updated_at")} == {
        "slug": "checkout-availability",
        "service": "checkout",
        "model": None,
        "name": "Checkout answers",
        "kind": "availability",
        "target": "0.999",
        "window": {"days": 30, "calendar": None, "time_zone": "UTC"},
        "method": "occurrences",
        "source": None,
        "labels": {},
        "url": told["url"],
        "api_url": "http://testserver/api/v1/slos/checkout-availability/",
        "version": 1,
    }
    assert told["url"].endswith("/slos/checkout-availability/")


def test_the_list_is_narrowed_by_service_model_and_kind(slo: str, bob: User, api: Api, payments: Team) -> None:
    make.model("fraud", payments)
    client = api(bob)
    said = {"name": "Fraud is found", "service": "checkout", "model": "fraud", "kind": "accuracy", "target": "0.95"}
    assert client.post("/api/v1/slos/", {**said, "window": {"calendar": "month", "time_zone": "Europe/Paris"}}).json()[
        "window"
    ] == {"days": None, "calendar": "month", "time_zone": "Europe/Paris"}

    def found(query: str) -> list[str]:
        return [each["slug"] for each in client.get(f"/api/v1/slos/?{query}").json()["results"]]

    assert found("") == ["checkout-availability", "fraud-is-found"]
    assert found("model=fraud") == ["fraud-is-found"]
    assert found("kind=accuracy,availability&service=checkout") == ["checkout-availability", "fraud-is-found"]
    assert found("kind=availability&kind=accuracy&model=fraud,other") == ["fraud-is-found"]
    assert found("service=search") == []
    assert client.get("/api/v1/slos/?kind=speed").status_code == 422


def test_only_a_manager_of_the_team_defines_and_everybody_reads(
    slo: str, payments: Team, search: Team, alice: User, bob: User, victor: User, api: Api
) -> None:
    dana = make.user("Dana", {search: "manager"})
    said = {"name": "Another", "service": "checkout", "target": "0.9"}

    assert [api(who).post("/api/v1/slos/", said).status_code for who in (victor, alice, dana, bob)] == [
        403,
        403,
        403,
        201,
    ]
    assert [api(who).patch(f"/api/v1/slos/{slo}/", {"target": "0.9"}).status_code for who in (alice, dana)] == [
        403,
        403,
    ]
    assert [api(who).get(f"/api/v1/slos/{slo}/").status_code for who in (victor, dana)] == [200, 200]
    assert api().get(f"/api/v1/slos/{slo}/").status_code == 401


def test_a_change_from_an_old_version_is_refused_with_what_stands(slo: str, bob: User, api: Api) -> None:
    client = api(bob)
    changed = client.patch(
        f"/api/v1/slos/{slo}/", {"target": "0.99", "window": {"days": 28}}, headers={"If-Match": '"1"'}
    )
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')

    refused = client.patch(f"/api/v1/slos/{slo}/", {"target": "0.9"}, headers={"If-Match": '"1"'})

    assert refused.status_code == 412
    assert refused.json()["current"]["target"] == "0.99"
    assert refused.json()["current"]["window"]["days"] == 28


@pytest.mark.parametrize(
    "said",
    [
        {"target": "1.1"},
        {"target": "NaN"},
        {"target": None},
        {"window": {}},
        {"window": {"days": 30, "calendar": "week"}},
        {"window": {"calendar": "month", "time_zone": "Mars/Olympus"}},
        {"service": "nobody-runs-it"},
        {"slug": "no slug"},
        {"method": "timeslices"},
        {"unknown": 1},
    ],
)
def test_what_is_no_slo_is_invalid_by_its_field(slo: str, bob: User, api: Api, said: dict[str, Any]) -> None:
    answer = api(bob).post("/api/v1/slos/", {"name": "Another", "service": "checkout", "target": "0.9", **said})

    assert answer.status_code == 422
    assert {error["field"].partition(".")[0] for error in answer.json()["errors"]} == set(said)


def test_samples_are_stored_once_and_replaced_by_later_ones(slo: str, alice: User, api: Api, now: datetime) -> None:
    client, path = api(alice), f"/api/v1/slos/{slo}/samples/"
    rows = [sample(now - 2 * HOUR, 300, 9, 10), sample(now - HOUR, 300, 9.5, 10)]

    answers = [client.post(path, body).json() for body in (rows, rows, [sample(now - HOUR, 300, 7, 10)])]

    assert answers == [{"stored": 2, "replaced": 0}, {"stored": 0, "replaced": 2}, {"stored": 0, "replaced": 1}]
    assert client.get(f"/api/v1/slos/{slo}/budget/").json()["bad"] == 4


def test_samples_that_cannot_be_are_refused_by_row_and_field(
    slo: str, alice: User, victor: User, api: Api, now: datetime
) -> None:
    path, good = f"/api/v1/slos/{slo}/samples/", sample(now - HOUR, 300, 9, 10)

    answer = api(alice).post(path, [good, {**good, "good": 11, "seconds": 0}])

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["1.seconds", "1.good"]
    bodies: list[Any] = [{}, [[]], [None], "text"]
    assert [api(alice).post(path, body).status_code for body in bodies] == [422] * 4
    assert api(alice).post(path, []).json() == {"stored": 0, "replaced": 0}
    assert api(victor).post(path, [good]).status_code == 403
    assert api(alice).post("/api/v1/slos/unknown/samples/", [good]).status_code == 404


def test_an_overlap_is_refused_by_a_code_of_its_own(slo: str, alice: User, api: Api, now: datetime) -> None:
    client, path = api(alice), f"/api/v1/slos/{slo}/samples/"
    client.post(path, [sample(now - HOUR, 300, 9, 10)])

    answer = client.post(path, [sample(now - HOUR + timedelta(seconds=60), 300, 9, 10)])

    assert (answer.status_code, answer.json()["code"]) == (422, "overlapping_samples")
    assert instant(now - HOUR) in answer.json()["detail"]


def test_a_budget_is_read_at_any_moment(slo: str, alice: User, api: Api, now: datetime) -> None:
    client = api(alice)
    client.post(f"/api/v1/slos/{slo}/samples/", [sample(now - 10 * DAY, 86_400, 9_995_800, 10_000_000)])
    path = f"/api/v1/slos/{slo}/budget/"

    told = client.get(path, {"at": instant(now)}).json()

    assert told == {
        "target": "0.999",
        "window_from": instant(now - 30 * DAY),
        "window_to": instant(now),
        "valid": 10_000_000,
        "bad": 4200,
        "budget": 10_000,
        "consumed": "0.42",
        "remaining": "0.58",
        "burn": {"5m": None, "1h": None, "6h": None, "3d": None},
        "exhausted_at": None,
        "coverage": "0.0333333333333333",
        "status": "ok",
        "is_projected": False,
    }
    half_a_day_in = client.get(path, {"at": instant(now - 9 * DAY - 12 * HOUR)}).json()
    assert (half_a_day_in["bad"], half_a_day_in["consumed"]) == (2100, "0.42")
    assert half_a_day_in["burn"]["1h"] == "0.42"
    before = client.get(path, {"at": instant(now - 10 * DAY)}).json()
    assert (before["consumed"], before["valid"], before["status"], before["coverage"]) == (None, None, "unknown", "0")
    assert client.get(path).status_code == 200
    assert [client.get(path, {"at": at}).status_code for at in ("soon", "0001-01-01T00:00:00Z", "")] == [422, 422, 200]


def test_an_incident_that_took_4200_of_10_million_events_burned_42_percent(
    slo: str, alice: User, victor: User, api: Api, now: datetime, payments: Team
) -> None:
    client = api(alice)
    rows = [
        sample(now - 10 * DAY, 86_400, 9_940_000, 9_940_000),  # vector I01
        sample(now - 2 * HOUR, 3600, 55_800, 60_000),
    ]
    assert client.post(f"/api/v1/slos/{slo}/samples/", rows).json() == {"stored": 2, "replaced": 0}
    incident = make.incident(payments, by=alice, started_at=now - 2 * HOUR, mitigated_at=now - HOUR, now=now - HOUR)
    path = f"/api/v1/incidents/{incident.number}/slos/"

    answer = client.post(path, {"slo": slo})

    assert answer.status_code == 201
    assert answer.json() == {
        "slo": slo,
        "origin": "person",
        "impact_from": instant(now - 2 * HOUR),
        "impact_to": instant(now - HOUR),
        "bad": 4200,
        "valid": 10_000_000,
        "share": "0.42",
        "share_low": answer.json()["share_low"],
        "share_high": "0.42",
        "minutes": "18.144",
        "coverage": "1",
        "provisional": False,
        "counts": True,
        "attribution": {"full": "0.42", "union": "0.42", "equal_split": "0.42"},
        "status": "ok",
        "window_from": instant(now - HOUR - 30 * DAY),
        "window_to": instant(now - HOUR),
        "postmortem_required": True,
    }
    assert client.get(path).json() == {"results": [answer.json()], "next": None, "previous": None}
    assert api(victor).get(path).status_code == 200
    assert api(victor).post(path, {"slo": slo}).status_code == 403


def test_an_impact_without_samples_is_null_over_the_api(slo: str, alice: User, api: Api, now: datetime) -> None:
    incident = make.incident(by=alice, started_at=now - HOUR, now=now)

    told = api(alice).post(f"/api/v1/incidents/{incident.number}/slos/", {"slo": slo}).json()

    unknown = ("bad", "valid", "share", "share_low", "share_high", "minutes", "postmortem_required")
    assert {told[name] for name in unknown} == {None}
    assert told["attribution"] == {"full": None, "union": None, "equal_split": None}
    assert (told["coverage"], told["status"], told["provisional"]) == ("0", "unknown", True)


def test_linking_again_changes_the_interval_and_answers_200(slo: str, alice: User, api: Api, now: datetime) -> None:
    incident = make.incident(by=alice, started_at=now - HOUR, now=now)
    client, path = api(alice), f"/api/v1/incidents/{incident.number}/slos/"
    assert client.post(path, {"slo": slo}).status_code == 201

    again = client.post(path, {"slo": slo, "impact_from": instant(now - 2 * HOUR), "impact_to": instant(now - HOUR)})

    assert (again.status_code, again.json()["provisional"]) == (200, False)
    assert (again.json()["impact_from"], again.json()["impact_to"]) == (instant(now - 2 * HOUR), instant(now - HOUR))
    assert client.post(path, {"slo": slo, "impact_to": instant(now - 3 * HOUR)}).status_code == 422
    assert client.post(path, {"slo": "unknown"}).status_code == 422


def test_what_a_private_incident_burned_is_not_there_for_others(
    slo: str, payments: Team, charlie: User, bob: User, api: Api
) -> None:
    hidden: Incident = make.incident(payments, is_private=True)
    path = f"/api/v1/incidents/{hidden.number}/slos/"

    assert api(bob).post(path, {"slo": slo}).status_code == 201
    assert api(charlie).get(path).status_code == 404
    assert api(charlie).post(path, {"slo": slo}).status_code == 404
