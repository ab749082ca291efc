"""Routes are edited, ordered and tried in a browser, and by programs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from alerts import ingest, integrations, replay
from alerts.models import Alert, Delivery, Heartbeat, Integration
from incidents.models import Incident
from people.models import AuditEvent, Team, User
from tests import make
from tests.conftest import Api
from tests.make import NOW

pytestmark = pytest.mark.django_db

LIST = "/settings/integrations/production/routes/"


@pytest.fixture
def source(payments: Team) -> Integration:
    return make.integration(team=payments)[0]


@pytest.fixture
def browser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def routed(source: Integration, *said: dict[str, Any]) -> Integration:
    integrations.set_routes(source, list(said), by=make.SYSTEM, now=NOW)
    return Integration.objects.get(pk=source.pk)


def names(source: Integration) -> list[str]:
    return [route["name"] for route in Integration.objects.get(pk=source.pk).routes]


def deliver(source: Integration, *alerts: dict[str, Any], minute: float = 0, **fields: Any) -> ingest.Receipt:
    return ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=NOW + timedelta(minutes=minute))


def test_without_routes_the_page_says_what_happens(browser: Client, source: Integration) -> None:
    page = browser.get(LIST).content.decode()

    assert "There are no routes" in page
    assert f'href="{LIST}new/"' in page


def test_a_route_is_made_changed_moved_deleted_and_brought_back(browser: Client, source: Integration) -> None:
    made = browser.post(f"{LIST}new/", {"name": "Noise", "matchers": 'env="dev"', "does": "ignore"})
    browser.post(f"{LIST}new/", {"name": "Rest", "does": "open", "quiet_period": "2", "candidate": "yes"})
    assert made["Location"] == LIST
    assert Integration.objects.get().routes == [
        {"name": "Noise", "matchers": 'env="dev"', "does": "ignore"},
        {"name": "Rest", "quiet_period": 120, "candidate": True},
    ]

    page = browser.get(f"{LIST}2/").content.decode()
    assert 'value="2"' in page
    browser.post(f"{LIST}2/", {"name": "Rest of it", "does": "continue"})
    assert Integration.objects.get().routes[1] == {"name": "Rest of it", "continue": True}

    browser.post(f"{LIST}2/move/", {"to": "up"})
    assert names(source) == ["Rest of it", "Noise"]
    told = browser.post(f"{LIST}1/delete/", follow=True).content.decode()
    assert names(source) == ["Noise"]
    assert "“Rest of it” is deleted" in told
    browser.post(f"{LIST}restore/", {"place": "1", "route": json.dumps({"name": "Rest of it", "continue": True})})
    assert names(source) == ["Rest of it", "Noise"]
    assert AuditEvent.objects.filter(action="integration.routes_changed").count() == 6


def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(browser: Client, source: Integration) -> None:
    answer = browser.post(f"{LIST}new/", {"name": "Mine", "matchers": "severity critical", "does": "open"})

    assert answer.status_code == 422
    page = answer.content.decode()
    assert "This is no matcher such as" in page
    assert "severity critical" in page
    assert Integration.objects.get().routes == []


def test_who_was_overtaken_is_told(browser: Client, source: Integration) -> None:
    routed(source, {"name": "One"})

    answer = browser.post(f"{LIST}1/", {"name": "Mine", "does": "open", "version": "1"})

    assert answer.status_code == 412
    assert names(source) == ["One"]


def test_a_route_is_tried_on_what_was_delivered_before_it_counts(browser: Client, source: Integration) -> None:
    for n in range(6):
        deliver(source, make.alert(f"A{n}", labels={"cluster": "eu" if n % 2 else "us"}), group=f"g{n}", minute=n)

    typed = {"name": "By cluster", "does": "open", "correlate": "labels", "correlate_labels": "cluster", "try": "yes"}
    page = browser.post(f"{LIST}new/", typed).content.decode()

    assert "These 6 alerts would have made 2 incidents instead of 6." in " ".join(page.split())
    assert Integration.objects.get().routes == []
    assert Incident.objects.count() == 6


def test_a_payload_is_shown_where_its_alerts_would_go(browser: Client, source: Integration) -> None:
    routed(
        source, {"name": "Noise", "matchers": "env=dev", "does": "ignore"}, {"name": "Rest", "title": "{{label.env}}!"}
    )
    body = make.alertmanager_body(make.alert("A", labels={"env": "dev"}), make.alert("B", labels={"env": "prod"}))

    page = browser.post(f"{LIST}try/", {"payload": body.decode()}).content.decode()
    broken = browser.post(f"{LIST}try/", {"payload": "{"})

    assert "ignored" in page
    assert "prod!" in page
    assert not Alert.objects.exists()
    assert broken.status_code == 422
    assert "This cannot be read as the body of such a webhook." in broken.content.decode()


def test_an_alert_says_which_route_took_it_and_why(browser: Client, source: Integration) -> None:
    source = routed(source, {"name": "Mute <dev>", "matchers": 'env="dev"', "does": "ignore"})
    deliver(source, make.alert(labels={"env": "dev"}))

    page = browser.get("/alerts/").content.decode()

    assert "Mute &lt;dev&gt;" in page
    assert "env=&quot;dev&quot;" in page
    assert "Ignored" in page


def test_programs_set_and_read_routes(api: Api, admin: User, source: Integration) -> None:
    client, url = api(admin), "/api/v1/integrations/production/routes/"
    seen = client.get(url)
    put = client.put(url, {"routes": [{"name": "A", "continue": True, "severity": "sev1"}]}, HTTP_IF_MATCH=seen["ETag"])
    late = client.put(url, {"routes": []}, HTTP_IF_MATCH=seen["ETag"])
    wrong = client.put(url, {"routes": [{"name": "A", "matchers": "x"}, {"name": "A", "unknown": 1}]})
    faulty = client.put(url, {"routes": [{"name": "A", "matchers": "x"}, {"name": "A"}]})

    assert put.status_code == 200
    assert put.json()["routes"][0]["continue"] is True
    assert client.get(url).json()["routes"][0]["severity"] == "sev1"
    assert late.status_code == 412
    assert wrong.status_code == faulty.status_code == 422
    assert {error["field"] for error in faulty.json()["errors"]} == {"routes.0.matchers", "routes.1.name"}


def test_programs_try_routes_on_deliveries_and_on_a_payload(api: Api, admin: User, source: Integration) -> None:
    client, url = api(admin), "/api/v1/integrations/production/routes/try/"
    deliver(source, make.alert("A"), group="one")
    deliver(source, make.alert("B"), group="two")
    one = [{"name": "all in one", "correlate": "labels", "correlate_labels": ["severity"]}]

    replay.again(Delivery.objects.earliest("received_at"), by=make.SYSTEM, now=NOW)  # is not tried twice
    tried = client.post(url, {"routes": one}).json()
    payload = json.loads(make.alertmanager_body(make.alert("C")))
    judged = client.post(url, {"routes": one, "payload": payload}).json()["judged"]
    refused = client.post(url, {"payload": {"version": "3"}})

    assert (tried["deliveries"], tried["alerts"]) == (2, 2)
    assert (tried["present"]["incidents"], tried["tried"]["incidents"]) == (2, 1)
    assert judged[0]["route"] == "all in one"
    assert judged[0]["incident"]["severity"] == "sev2"
    assert refused.status_code == 400


def test_a_trial_takes_no_watchdog_by_what_fits_every_alert(source: Integration) -> None:
    from alerts import routes, trial

    deliver(source, make.alert("Watchdog"), make.alert("A"))

    found = trial.of_deliveries(source, routes.Table(routes.read([{"name": "all"}])), now=NOW)
    named = [{"name": "it", "matchers": "alertname=Watchdog"}, {"name": "all"}]
    by_name = trial.of_deliveries(source, routes.Table(routes.read(named)), now=NOW)

    assert [len(found.tried.heartbeats), len(found.tried.incidents[0].alerts)] == [1, 1]
    assert [len(by_name.tried.heartbeats), len(by_name.tried.incidents[0].alerts)] == [0, 2]


def test_a_trial_counts_resolves_reopens_and_thresholds_as_the_door_does(source: Integration) -> None:
    from alerts import routes, trial

    alert = make.alert("A")
    for minute in (0, 60, 120):  # an hour between: each is an incident of its own
        start = NOW + timedelta(minutes=minute)
        fired = make.alert("A", starts_at=start)
        deliver(source, fired, minute=minute)
        deliver(
            source,
            {**fired, "status": "resolved", "endsAt": (start + timedelta(minutes=5)).isoformat()},
            minute=minute + 5,
        )
    assert alert["status"] == "firing"

    table = routes.Table(routes.read([{"name": "long", "reopen_window": 7200}]))
    found = trial.of_deliveries(source, table, now=NOW)
    never = trial.of_deliveries(
        source, routes.Table(routes.read([{"name": "n", "threshold": 2, "threshold_within": 60}])), now=NOW
    )

    assert (len(found.present.incidents), len(found.tried.incidents)) == (3, 1)
    assert len(never.tried.incidents) == 0


def test_a_delivery_is_taken_in_again_and_says_so(browser: Client, source: Integration) -> None:
    deliver(routed(source, {"name": "mute", "does": "ignore"}), make.alert("A"))
    first = Delivery.objects.get()
    routed(source)

    answer = browser.post(f"/settings/deliveries/{first.pk}/replay/")

    again = Delivery.objects.exclude(pk=first.pk).get()
    assert answer["Location"] == f"/settings/deliveries/{again.pk}/"
    assert again.replay_of == first
    assert Incident.objects.get().alerts.get().name == "A"
    assert "taken in again" in browser.get(answer["Location"]).content.decode()
    assert AuditEvent.objects.filter(action="delivery.replayed").exists()


def test_an_old_delivery_taken_in_again_undoes_nothing(api: Api, admin: User, source: Integration) -> None:
    fired = make.alert("A")
    deliver(source, fired)
    first = Delivery.objects.get()
    ended = {**fired, "status": "resolved", "endsAt": (NOW + timedelta(minutes=5)).isoformat()}
    deliver(source, ended, minute=5)

    answer = api(admin).post(f"/api/v1/deliveries/{first.pk}/replay/")

    assert answer.status_code == 201
    alert = Alert.objects.get()
    assert (alert.status, alert.provisional) == ("resolved", False)
    assert Incident.objects.count() == 1


def test_what_is_not_kept_cannot_be_taken_in_again(api: Api, admin: User, source: Integration) -> None:
    deliver(source, make.alert("A"))
    Delivery.objects.update(raw=None)

    answer = api(admin).post(f"/api/v1/deliveries/{Delivery.objects.get().pk}/replay/")

    assert answer.status_code == 409
    assert answer.json()["code"] == "delivery_not_kept"


def test_a_heartbeat_is_shown_and_can_be_expected_no_more(
    browser: Client, api: Api, admin: User, source: Integration
) -> None:
    deliver(source, make.alert("Watchdog"))
    shown = api(admin).get("/api/v1/heartbeats/").json()["results"]
    assert (shown[0]["name"], shown[0]["interval"], shown[0]["incident"]) == ("Watchdog", None, None)
    page = browser.get("/settings/integrations/production/").content.decode()
    assert "Watchdog" in page
    assert "how often it comes is not known yet" in page

    Heartbeat.objects.update(heard_every=300)
    assert api(admin).get("/api/v1/heartbeats/").json()["results"][0]["interval"] == 300
    assert "expected every" in browser.get("/settings/integrations/production/").content.decode()

    browser.post(f"/settings/heartbeats/{source.heartbeats.get().pk}/remove/")

    assert api(admin).get("/api/v1/heartbeats/").json()["results"] == []


def test_a_candidate_counts_once_a_person_confirms_it(
    client: Client, api: Api, alice: User, source: Integration
) -> None:
    source = routed(source, {"name": "maybe", "candidate": True})
    deliver(source, make.alert("A"))
    incident = Incident.objects.get()
    client.force_login(alice)
    assert incident.is_candidate
    assert "it counts once somebody confirms it" in client.get(incident.get_absolute_url()).content.decode()
    assert api(alice).get("/api/v1/incidents/?candidate=true").json()["results"][0]["candidate"] is True

    client.post(f"/incidents/{incident.number}/confirm/")

    assert not Incident.objects.get().is_candidate
    assert incident.entries.order_by("-seq")[0].data == {"field": "is_candidate", "from": True, "to": False}


def test_who_takes_a_candidate_has_confirmed_it(client: Client, alice: User, source: Integration) -> None:
    deliver(routed(source, {"name": "maybe", "candidate": True}), make.alert("A"))
    incident = Incident.objects.get()
    client.force_login(alice)

    client.post(f"/incidents/{incident.number}/acknowledge/")

    incident.refresh_from_db()
    assert not incident.is_candidate


def test_intervals_are_set_on_the_page_in_minutes(browser: Client, source: Integration) -> None:
    browser.post(
        "/settings/integrations/production/",
        {
            "name": "Production",
            "team": source.team_id,
            "repeat_interval": "30",
            "stale_resolves_after": "",
            "provisional_grace": "0.5",
            "version": "1",
        },
    )

    source.refresh_from_db()
    assert (source.repeat_interval, source.stale_resolves_after, source.provisional_grace) == (1800, None, 30)
