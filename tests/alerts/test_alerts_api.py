"""REST of alerts, integrations and deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.test import Client

from alerts import ingest, integrations, routes
from alerts.models import Alert, Integration
from alerts.payload import BadPayload
from people.models import Team, User
from tests import make
from tests.conftest import Api
from tests.make import NOW


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    integrations.forget()


def test_an_alert_is_shown_with_what_was_sent(api: Api, victor: User) -> None:
    source, _ = make.integration()
    incident = make.fired(source, make.alert(labels={"service": "checkout"}, annotations={"summary": "<b>5%</b>"}))

    [alert] = api(victor).get(f"/api/v1/incidents/{incident.number}/alerts/").json()["results"]

    assert alert == {
        "fingerprint": make.fingerprint_of(alert["labels"]),
        "name": "HighErrorRate",
        "status": "firing",
        "provisional": False,
        "labels": {"alertname": "HighErrorRate", "severity": "critical", "service": "checkout"},
        "annotations": {"summary": "<b>5%</b>"},
        "starts_at": "2026-03-02T09:00:00Z",
        "ends_at": None,
        "last_seen_at": "2026-03-02T09:00:00Z",
        "generator_url": "http://prometheus.example.com/graph?g0.expr=up",
        "integration": source.slug,
        "incident": incident.number,
        "routed": None,
    }
    counted = api(victor).get(f"/api/v1/incidents/{incident.number}/").json()["alerts"]
    assert counted == {"firing": 1, "resolved": 0, "stale": 0}


def test_what_a_route_asks_for_stays_inside(api: Api, victor: User) -> None:
    source, _ = make.integration()
    three = [{"name": "Three", "matchers": "severity=critical", "threshold": 3, "threshold_within": 600}]
    Integration.objects.filter(pk=source.pk).update(routes=routes.written(routes.read(three)))
    ingest.receive(Integration.objects.get(), make.alertmanager_body(make.alert()), now=NOW)
    [kept] = Alert.objects.all()
    assert kept.routed
    assert "asks" in kept.routed

    [alert] = api(victor).get("/api/v1/alerts/").json()["results"]

    assert alert["routed"] == {
        "does": "open",
        "route": "Three",
        "because": [{"route": "Three", "matchers": "severity=critical"}],
        "key": "",
        "becomes": "waits",
    }


def test_alerts_are_narrowed(api: Api, victor: User) -> None:
    one, _ = make.integration("One")
    two, _ = make.integration("Two")
    first = make.fired(one, make.alert("A", labels={"x": "1"}))
    later = NOW + timedelta(minutes=1)
    second = make.fired(two, make.alert("B", starts_at=later), now=later)
    ended = make.alert("B", status="resolved", starts_at=later, ends_at=later + timedelta(minutes=1))
    make.fired(two, ended, now=later + timedelta(minutes=2))
    client = api(victor)

    def names(query: str) -> list[str]:
        return [each["name"] for each in client.get(f"/api/v1/alerts/?{query}").json()["results"]]

    assert names("") == ["B", "A"]
    assert names("integration=one") == ["A"]
    assert names("status=resolved") == ["B"]
    assert names("status=resolved,firing") == ["B", "A"]
    assert names(f"incident={second.number}") == ["B"]
    assert names(f"incident={first.number}&incident={second.number}") == ["B", "A"]
    assert names("label=x:1") == ["A"]
    assert names(f"fingerprint={make.alert('B')['fingerprint']}") == ["B"]
    assert client.get("/api/v1/alerts/?incident=x").status_code == 422


def test_alerts_of_a_private_incident_are_not_there_for_others(
    api: Api, bob: User, charlie: User, payments: Team
) -> None:
    source, _ = make.integration(team=payments)
    incident = make.fired(source)
    assert api(bob).patch(f"/api/v1/incidents/{incident.number}/", {"private": True}).status_code == 200

    assert api(charlie).get("/api/v1/alerts/").json()["results"] == []
    assert api(charlie).get(f"/api/v1/alerts/?incident={incident.number}").json()["results"] == []
    assert len(api(bob).get("/api/v1/alerts/").json()["results"]) == 1


def test_an_integration_tells_its_token_once_and_how_to_use_it(api: Api, admin: User, client: Client) -> None:
    asking = api(admin)

    made = asking.post("/api/v1/integrations/", {"name": "Staging", "kind": "alertmanager"})

    assert made.status_code == 201
    integration = made.json()
    assert (integration["slug"], integration["name"], integration["kind"]) == ("staging", "Staging", "alertmanager")
    pasted = yaml.safe_load(integration["receiver_yaml"])
    receiver = pasted["receivers"][0]["webhook_configs"][0]
    assert receiver["http_config"]["authorization"]["credentials"] == integration["token"]
    assert pasted["route"]["routes"] == [{"matchers": ['alertname="Watchdog"'], "repeat_interval": "5m"}]
    shown = asking.get("/api/v1/integrations/staging/").json()
    assert integration["token"] not in str(shown)
    assert _deliver(client, integration["token"]) == 200


def test_a_rotated_token_replaces_the_old_one(
    api: Api, admin: User, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    source, old = make.integration()
    assert _deliver(client, old) == 200

    with django_capture_on_commit_callbacks(execute=True):
        answer = api(admin).post(f"/api/v1/integrations/{source.slug}/rotate/")

    assert answer.status_code == 200
    assert answer.json()["version"] == 2
    assert _deliver(client, answer.json()["token"]) == 200
    assert _deliver(client, old) == 401


def test_an_integration_that_is_switched_off_takes_nothing(
    api: Api, admin: User, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    source, token = make.integration()
    address = f"/api/v1/integrations/{source.slug}/"
    asking = api(admin)

    with django_capture_on_commit_callbacks(execute=True):
        off = asking.patch(address, {"is_active": False}, headers={"If-Match": '"1"'})
    late = asking.patch(address, {"name": "Other"}, headers={"If-Match": '"1"'})

    assert (off.status_code, off.json()["is_active"]) == (200, False)
    assert (late.status_code, late.json()["current"]["version"]) == (412, 2)
    assert _deliver(client, token) == 401


def test_integrations_and_deliveries_are_for_admins(api: Api, bob: User, admin: User) -> None:
    for who in (api(bob), api(admin, "read", "write")):
        assert who.get("/api/v1/integrations/").status_code == 403
        assert who.post("/api/v1/integrations/", {"name": "x"}).status_code == 403
        assert who.get("/api/v1/deliveries/").status_code == 403


def test_what_was_refused_for_its_content_is_kept_and_shown(api: Api, admin: User) -> None:
    source, _ = make.integration()
    make.fired(source)
    with pytest.raises(BadPayload):
        ingest.receive(source, b'{"version": "3", "\xff": 1}', now=NOW + timedelta(minutes=1))
    client = api(admin)

    refused, taken = client.get("/api/v1/deliveries/").json()["results"]

    assert (refused["outcome"], refused["status"], refused["integration"]) == ("refused", 400, source.slug)
    assert refused["reason"]
    assert (taken["outcome"], taken["status"], taken["reason"]) == ("taken", 200, None)
    assert taken["alerts"]["opened"] == 1
    assert len(taken["incidents"]) == 1
    shown = client.get(refused["api_url"]).json()
    assert shown["body"] == '{"version": "3", "\N{REPLACEMENT CHARACTER}": 1}'
    assert shown["body_is_cut"] is False
    assert [each["id"] for each in client.get("/api/v1/deliveries/?outcome=refused").json()["results"]] == [
        refused["id"]
    ]


def test_lists_cost_the_same_however_many(api: Api, admin: User, django_assert_max_num_queries: Any) -> None:
    source, _ = make.integration()
    for number in range(15):
        make.fired(source, make.alert(f"A{number}"), group=f"g{number}", now=NOW + timedelta(minutes=number))
    client = api(admin)

    for address, most in (("/api/v1/alerts/", 3), ("/api/v1/deliveries/", 3), ("/api/v1/incidents/", 7)):
        with django_assert_max_num_queries(most):
            assert len(client.get(address).json()["results"]) == 15


def _deliver(client: Client, token: str) -> int:
    return client.post(
        "/webhooks/alertmanager/",
        make.alertmanager_body(),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    ).status_code
