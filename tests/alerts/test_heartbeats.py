"""A Watchdog is a sign of life: it opens nothing, and its absence opens an incident."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import heartbeats, ingest, integrations, routes
from alerts.models import Alert, Heartbeat, Integration
from incidents import quiet, timeline
from incidents.models import Incident
from people.models import Team
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(payments: Team) -> Integration:
    integrations.forget()
    return make.integration(team=payments)[0]


def deliver(source: Integration, *alerts: dict[str, Any], minute: float = 0, **fields: Any) -> ingest.Receipt:
    return ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=later(minute))


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def watchdog(**labels: str) -> dict[str, Any]:
    return make.alert("Watchdog", labels={"severity": "none", **labels})


def test_it_feeds_a_heartbeat_and_opens_nothing(source: Integration) -> None:
    receipt = deliver(source, watchdog())

    assert receipt.incidents == []
    assert not Incident.objects.exists()
    assert Heartbeat.objects.get().heard_at == NOW
    assert (Alert.objects.get().routed or {})["becomes"] == "heartbeat"


def test_it_stands_beside_other_alerts_of_its_group(source: Integration) -> None:
    deliver(source, watchdog(), make.alert("A"))

    assert list(Incident.objects.get().alerts.values_list("name", flat=True)) == ["A"]
    assert Heartbeat.objects.count() == 1


def test_where_it_is_not_heard_for_three_intervals_an_incident_opens_once(source: Integration, payments: Team) -> None:
    for minute in range(0, 11, 2):
        deliver(source, watchdog(), minute=minute)

    heartbeats.look(now=later(15.9))
    assert not Incident.objects.exists()
    heartbeats.look(now=later(16.1))
    heartbeats.look(now=later(30))

    incident = Incident.objects.get()
    assert incident.title == "No sign of life from Production: Watchdog is missing"
    assert (incident.team, incident.started_at, incident.detected_at) == (payments, later(10), later(16.1))
    assert [entry.kind for entry in incident.entries.order_by("seq")] == ["opened", "observation"]
    assert timeline.verify(incident) is None


def test_when_it_is_back_the_incident_is_told_and_resolves(source: Integration) -> None:
    deliver(source, watchdog())
    heartbeats.look(now=later(16))

    deliver(source, watchdog(), minute=20)
    heartbeats.look(now=later(20.1))
    heartbeats.look(now=later(20.2))
    quiet.resolve_quiet(now=later(26))

    incident = Incident.objects.get()
    assert incident.status == "resolved"
    kinds = [entry.kind for entry in incident.entries.order_by("seq")]
    assert kinds == ["opened", "observation", "observation", "all_clear", "status_changed"]


def test_missing_again_while_its_incident_is_open_is_said_there(source: Integration) -> None:
    deliver(source, watchdog())
    heartbeats.look(now=later(16))
    deliver(source, watchdog(), minute=17)
    heartbeats.look(now=later(17.1))

    heartbeats.look(now=later(40))

    incident = Incident.objects.get()
    quiet.resolve_quiet(now=later(60))
    incident.refresh_from_db()
    assert [entry.kind for entry in incident.entries.order_by("seq")][-1] == "observation"
    assert incident.status == "triggered"


def test_its_resolve_is_no_sign_of_life(source: Integration) -> None:
    deliver(source, watchdog())

    deliver(source, {**watchdog(), "status": "resolved", "endsAt": later(5).isoformat()}, minute=10)

    assert Heartbeat.objects.get().heard_at == NOW


def test_a_pace_is_slowed_at_once_and_quickened_by_and_by(source: Integration) -> None:
    for minute in (0, 1, 2, 7, 7.1, 8.1):
        deliver(source, watchdog(), minute=minute)

    beat = Heartbeat.objects.get()
    assert 200 < heartbeats.pace(beat) < 300


def test_a_route_makes_any_alert_a_heartbeat_and_sets_its_interval(source: Integration) -> None:
    kept = routes.written(
        routes.read(
            [{"name": "dead man", "matchers": "alertname=Alive", "does": "heartbeat", "heartbeat_interval": 60}]
        )
    )
    Integration.objects.update(routes=kept)
    source = Integration.objects.get()
    deliver(source, make.alert("Alive"))

    heartbeats.look(now=later(2.9))
    assert not Incident.objects.exists()
    heartbeats.look(now=later(3.1))

    assert Incident.objects.count() == 1


def test_two_of_one_integration_are_missed_each_by_itself(source: Integration) -> None:
    deliver(source, watchdog(cluster="eu"), watchdog(cluster="us"))
    for minute in (5, 10, 15):
        deliver(source, watchdog(cluster="eu"), minute=minute)

    heartbeats.look(now=later(16))

    assert [i.labels["cluster"] for i in Incident.objects.all()] == ["us"]


def test_one_that_is_removed_is_missed_no_more_until_it_is_heard_again(source: Integration) -> None:
    deliver(source, watchdog())
    assert heartbeats.remove(Heartbeat.objects.get(), by=make.SYSTEM, now=later(1))
    heartbeats.look(now=later(60))
    assert not Incident.objects.exists()

    deliver(source, watchdog(), minute=61)
    heartbeats.look(now=later(62 + 3 * 61))

    assert Incident.objects.count() == 1


def test_of_an_integration_that_is_switched_off_nothing_is_missed(source: Integration) -> None:
    deliver(source, watchdog())
    Integration.objects.update(is_active=False)

    heartbeats.look(now=later(60))

    assert not Incident.objects.exists()


def test_the_same_beat_from_another_node_teaches_nothing(source: Integration) -> None:
    for minute in (0, 5, 5.1, 10, 10.1, 15, 15.1):
        deliver(source, watchdog(), minute=minute)

    assert heartbeats.pace(Heartbeat.objects.get()) > 290
