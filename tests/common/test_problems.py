"""Refusals: problem documents for programs, pages for people, and never a 5xx for what somebody sends."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from incidents import lifecycle
from incidents.models import Incident
from people.models import Team, User
from tests import make
from tests.conftest import Api

NOTE = '{"kind": "note", "text": %s}'


def _post(client: APIClient, body: bytes, content_type: str = "application/json") -> Any:
    return client.generic("POST", "/api/v1/incidents/", body, content_type=content_type)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"title": NaN}', 400),
        (b'{"title": 1e999}', 400),
        (rb'{"title": "\ud800", "labels": {"x": Infinity}}', 400),
        (rb'{"title": "\ud800", "labels": {"x": 1e999}}', 400),
        (b'{"labels":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, 400),
        (b'{"title": "\\ud800", "labels":' + b"[" * 100_000, 400),
        (b"[" * 200 + b"]" * 200, 422),
        (b"[]", 422),
        (b'"title"', 422),
        (b"null", 422),
        (b"7", 422),
        (b'{"title": {"a": 1}}', 422),
        (b'{"title": true}', 422),
        (b'{"title": 5}', 422),
        (b'{"title": "x", "private": 1}', 422),
        (b'{"title": "x", "service": ""}', 422),
        (b'{"title": "x", "labels": ["a"]}', 422),
        (b'{"title": "x", "severity": ["sev1"]}', 422),
        (b'{"title": "x", "severity": {}}', 422),
        (b'{"title": "x", "service": {"slug": "x"}}', 422),
        (b'{"title": "x", "service": "\\u0000"}', 422),
        (b'{"title": "x", "started_at": 1e300}', 422),
        (b'{"title": "x", "started_at": "0001-01-01T00:00:00+14:00"}', 422),
        (b'{"title": "x", "private": "perhaps"}', 422),
        (b'{"title": "x", "links": {"0": {}}}', 422),
        (b'{"title": "\\u0000 \\ud83d"}', 201),
        (b'{"title": "x", "\\udc00": 1}', 422),
    ],
)
def test_whatever_is_sent_is_answered(api: Api, alice: User, body: bytes, status: int) -> None:
    answer = _post(api(alice), body)

    assert answer.status_code == status
    if status != 201:
        problem = answer.json()
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code"} <= set(problem)
        assert problem["status"] == status
        assert not Incident.objects.exists()


def test_other_bodies_than_json_are_not_read(api: Api, alice: User) -> None:
    assert _post(api(alice), b"title=x", "application/x-www-form-urlencoded").status_code == 415
    assert _post(api(alice), b"<title/>", "text/xml").status_code == 415


def test_a_body_has_an_end(api: Api, alice: User) -> None:
    answer = _post(api(alice), b'{"title": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}')

    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


def test_the_answer_is_json_whatever_is_accepted(api: Api, victor: User) -> None:
    for accepted in ("text/html", "application/xml;q=1, */*;q=0", "nonsense"):
        answer = api(victor).get("/api/v1/incidents/?format=xml", headers={"Accept": accepted})

        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"


def test_what_is_not_there_and_what_cannot_be_done(api: Api, admin: User) -> None:
    client = api(admin)

    for address in ("/api/v1/nothing/", "/api/v1/incidents/7/", "/api/v1/incidents/99999999999999999999/"):
        assert client.get(address).json()["code"] == "not_found"
    for address in ("/api/v1/users/99999999999999999999999/", "/api/v1/services/nowhere/"):
        assert client.get(address).status_code == 404
    refused = client.delete("/api/v1/incidents/")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.status_code in (403, 405)


def test_without_its_slash_an_address_leads_readers_on_and_writers_nowhere(api: Api, alice: User) -> None:
    client = api(alice)

    assert client.get("/api/v1/incidents").headers["Location"] == "/api/v1/incidents/"
    answer = client.post("/api/v1/incidents", {"title": "x"})

    assert answer.status_code == 404
    assert "slash" in answer.json()["detail"]
    assert not Incident.objects.exists()


def test_a_busy_database_says_when_to_come_again(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch, payments: Team
) -> None:
    def locked(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    incident = make.incident(payments)
    monkeypatch.setattr(lifecycle, "move", locked)

    answer = api(alice).post(f"/api/v1/incidents/{incident.number}/status/", {"status": "resolved"})

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["code"] == "busy"
    assert "locked" not in answer.content.decode()


def test_what_nobody_expected_tells_nothing_of_itself(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch, payments: Team
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the secret is 42")

    incident = make.incident(payments)
    monkeypatch.setattr(lifecycle, "move", broken)
    client = api(alice)
    client.raise_request_exception = False

    answer = client.post(f"/api/v1/incidents/{incident.number}/status/", {"status": "resolved"})

    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "42" not in answer.content.decode()


def test_people_see_pages(client: Client, victor: User) -> None:
    client.force_login(victor)

    missing = client.get("/incidents/4711/")
    forbidden = client.get("/settings/deliveries/")
    form = Client(enforce_csrf_checks=True)
    form.force_login(victor)
    stale = form.post("/sign-out/")

    assert (missing.status_code, forbidden.status_code, stale.status_code) == (404, 403, 403)
    for answer in (missing, forbidden, stale):
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "<h1" in answer.content.decode()
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_refusal_of_the_domain_is_a_page_with_its_status(client: Client, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client.force_login(alice)

    answer = client.post(f"/incidents/{incident.number}/status/", {"status": "closed"})

    assert answer.status_code == 409
    assert "is triggered: it cannot become closed" in answer.content.decode()


def test_a_wrong_host_is_refused_without_trusting_it(client: Client) -> None:
    assert client.get("/sign-in/", headers={"Host": "evil.example"}).status_code == 400
    api = client.get("/api/v1/incidents/", headers={"Host": "evil.example"})
    assert (api.status_code, api.headers["Content-Type"]) == (400, "application/problem+json")
