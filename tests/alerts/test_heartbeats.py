"""A Watchdog is a sign of life: it opens nothing, and its absence opens an incident."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import heartbeats, ingest, integrations, queries, replay, routes
from alerts.models import Alert, Delivery, Heartbeat, Integration
from incidents import lifecycle, quiet, timeline
from incidents.models import Incident
from people.models import Team
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(payments: Team) -> Integration:
    return make.integration(team=payments)[0]


def deliver(source: Integration, *alerts: dict[str, Any], minute: float = 0, **fields: Any) -> ingest.Receipt:
    return ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=later(minute))


def beat(source: Integration, *minutes: float) -> None:
    for minute in minutes:
        deliver(source, watchdog(), minute=minute)


def routed(source: Integration, *said: dict[str, Any]) -> Integration:
    """The integration with these routes, as every process reads it anew."""
    kept = routes.written(routes.read([{"name": f"route {n}", **route} for n, route in enumerate(said)]))
    Integration.objects.filter(pk=source.pk).update(routes=kept)
    return Integration.objects.get(pk=source.pk)


def switched(source: Integration, *, on: bool, minute: float) -> Integration:
    integrations.change(source, {"is_active": on}, by=make.SYSTEM, now=later(minute))
    return Integration.objects.get(pk=source.pk)


def pace() -> float | None:
    return heartbeats.pace(Heartbeat.objects.get())


def what_was_said(incident: Incident) -> str:
    """The words with which it opened."""
    return incident.entries.filter(kind="observation").order_by("seq")[0].text


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
    beat(source, -5, 0)
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
    beat(source, -5, 0)
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
    beat(source, 0, 2, 4, 9, 9.1, 10.1)

    assert 200 < (pace() or 0) < 300


def test_a_route_makes_any_alert_a_heartbeat_and_sets_its_interval(source: Integration) -> None:
    source = routed(source, {"matchers": "alertname=Alive", "does": "heartbeat", "heartbeat_interval": 60})
    deliver(source, make.alert("Alive"))

    heartbeats.look(now=later(2.9))
    assert not Incident.objects.exists()
    heartbeats.look(now=later(3.1))

    assert "It is to come every 60 seconds" in what_was_said(Incident.objects.get())


def test_two_of_one_integration_are_missed_each_by_itself(source: Integration) -> None:
    for minute in (-5, 0):
        deliver(source, watchdog(cluster="eu"), watchdog(cluster="us"), minute=minute)
    for minute in (5, 10, 15):
        deliver(source, watchdog(cluster="eu"), minute=minute)

    heartbeats.look(now=later(16))

    assert [i.labels["cluster"] for i in Incident.objects.all()] == ["us"]


def test_one_that_is_removed_is_missed_no_more_until_it_is_heard_again(source: Integration) -> None:
    beat(source, 0, 5)
    assert heartbeats.remove(Heartbeat.objects.get(), by=make.SYSTEM, now=later(6))
    heartbeats.look(now=later(60))
    assert not Incident.objects.exists()

    beat(source, 61, 71)
    heartbeats.look(now=later(100))
    assert not Incident.objects.exists()
    heartbeats.look(now=later(102))

    assert Incident.objects.count() == 1


def test_what_was_heard_before_it_was_removed_does_not_bring_it_back(source: Integration) -> None:
    beat(source, 0, 5)
    heartbeats.remove(Heartbeat.objects.get(), by=make.SYSTEM, now=later(60))

    for delivery in Delivery.objects.order_by("received_at"):
        replay.again(delivery, by=make.SYSTEM, now=later(120))
    heartbeats.look(now=later(121))

    kept = Heartbeat.objects.get()
    assert (kept.removed_at, kept.heard_at) == (later(60), later(5))
    assert not Incident.objects.exists()


def test_what_is_taken_in_again_is_no_new_sign_of_life(source: Integration) -> None:
    beat(source, 0, 5)

    replay.again(Delivery.objects.earliest("received_at"), by=make.SYSTEM, now=later(30))

    kept = Heartbeat.objects.get()
    assert (kept.heard_at, kept.heard_every) == (later(5), 300)


def test_of_an_integration_that_is_switched_off_nothing_is_missed(source: Integration) -> None:
    beat(source, 0, 5)
    Integration.objects.update(is_active=False)

    heartbeats.look(now=later(60))

    assert not Incident.objects.exists()


def test_the_same_beat_from_another_node_teaches_nothing(source: Integration) -> None:
    beat(source, 0, 5, 5.1, 10, 10.1, 15, 15.1)

    assert (pace() or 0) > 290


def test_one_that_comes_every_hour_is_learned_and_not_missed(source: Integration) -> None:
    for minute in range(0, 600, 5):
        if minute % 60 == 0:
            beat(source, minute)
        heartbeats.look(now=later(minute + 0.1))

    assert not Incident.objects.exists()
    assert pace() == 3600


def test_one_that_was_heard_once_has_three_of_the_intervals_of_its_integration(source: Integration) -> None:
    Integration.objects.update(repeat_interval=600)
    beat(source, 0)

    heartbeats.look(now=later(29))
    assert not Incident.objects.exists()
    heartbeats.look(now=later(31))

    words = what_was_said(Incident.objects.get())
    assert "came every" not in words
    assert words.startswith("How often it comes is not known. It was last heard at 2026-")


def test_one_of_which_nothing_is_known_may_come_as_seldom_as_alertmanager_repeats_by_itself(
    source: Integration,
) -> None:
    beat(source, 0)

    heartbeats.look(now=later(3 * 240 - 1))
    assert not Incident.objects.exists()
    assert [each.every for each in queries.heartbeats(source, later(1))] == [None]
    heartbeats.look(now=later(3 * 240 + 1))

    assert Incident.objects.count() == 1


def test_an_unknown_pace_is_learned_also_from_a_beat_that_was_late(source: Integration) -> None:
    Integration.objects.update(repeat_interval=60)
    beat(source, 0)
    heartbeats.look(now=later(4))
    assert Incident.objects.count() == 1

    beat(source, 60)

    assert pace() == 3600


@pytest.mark.parametrize("is_looked_for", [True, False])
def test_an_outage_does_not_teach_a_slower_pace(source: Integration, is_looked_for: bool) -> None:
    beat(source, 0, 5, 10)
    if is_looked_for:
        heartbeats.look(now=later(30))
    beat(source, 190)
    assert pace() == 300

    beat(source, 195, 500)  # another one, later
    assert pace() == 300

    heartbeats.look(now=later(501))
    heartbeats.look(now=later(516))
    assert Heartbeat.objects.get().missed_at == later(516)


def test_a_slower_pace_counts_once_a_second_gap_confirms_it(source: Integration) -> None:
    beat(source, 0, 5, 10)

    for minute in range(70, 700, 10):
        if minute % 60 == 10:
            beat(source, minute)
        heartbeats.look(now=later(minute + 0.1))
        quiet.resolve_quiet(now=later(minute + 0.2))

    assert pace() == 3600
    assert Incident.objects.count() == 1
    last = Incident.objects.get().entries.order_by("-seq")[0]
    assert (Incident.objects.get().status, last.at < later(150)) == ("resolved", True)


def test_switched_on_again_each_has_its_whole_interval(source: Integration) -> None:
    beat(source, 0, 5)
    switched(source, on=False, minute=6)
    source = switched(source, on=True, minute=600)

    for minute in (600.2, 614.9):
        heartbeats.look(now=later(minute))
        assert not Incident.objects.exists()
        assert [each.is_missing for each in queries.heartbeats(source, later(minute))] == [False]
    heartbeats.look(now=later(615.1))

    incident = Incident.objects.get()
    assert incident.started_at == later(600)
    assert "before its integration was switched on at" in what_was_said(incident)


def test_the_time_for_which_its_integration_was_off_teaches_nothing(source: Integration) -> None:
    beat(source, 0)
    switched(source, on=False, minute=1)
    source = switched(source, on=True, minute=600)

    beat(source, 601)
    assert pace() is None
    beat(source, 606)

    assert pace() == 300


def test_what_was_missing_before_is_missed_anew_when_it_is_switched_on(source: Integration) -> None:
    beat(source, 0, 5)
    heartbeats.look(now=later(21))
    lifecycle.move(Incident.objects.get(), Incident.Status.RESOLVED, by=make.SYSTEM, now=later(30))
    switched(source, on=False, minute=31)
    switched(source, on=True, minute=600)

    heartbeats.look(now=later(614))
    assert Incident.objects.count() == 1
    heartbeats.look(now=later(616))
    heartbeats.look(now=later(617))

    assert Incident.objects.count() == 2


@pytest.mark.parametrize("does", ["open", "ignore", "attach"])
def test_a_route_that_fits_every_alert_takes_no_watchdog(source: Integration, does: str) -> None:
    beat(source, 0, 5)
    source = routed(source, {"does": does})

    beat(source, 10, 15)
    heartbeats.look(now=later(16))

    assert not Incident.objects.exists()
    assert Heartbeat.objects.get().heard_at == later(15)
    assert (Alert.objects.get().routed or {})["becomes"] == "heartbeat"


@pytest.mark.parametrize("does", ["open", "ignore"])
def test_what_a_route_takes_by_its_name_is_no_heartbeat_any_more(source: Integration, does: str) -> None:
    beat(source, 0, 5)
    source = routed(source, {"matchers": "alertname=Watchdog", "does": does})
    beat(source, 10, 15)

    heartbeats.look(now=later(60))
    assert not Incident.objects.filter(title__startswith="No sign of life").exists()
    assert queries.heartbeats(source, later(60)) == []

    source = routed(source)
    beat(source, 70, 75)
    heartbeats.look(now=later(91))
    assert Incident.objects.filter(title__startswith="No sign of life").count() == 1
