"""A label that changes at every evaluation does not open an incident each time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts import ingest, integrations
from alerts.models import Alert, Integration
from incidents import timeline
from incidents.models import Incident
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Integration:
    integrations.forget()
    return make.integration()[0]


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def fire(source: Integration, minute: float, **labels: str) -> None:
    """Alone in a group of its own, as `group_by: ['...']` makes it."""
    alert = make.alert("Lag", labels=labels, starts_at=later(minute))
    body = make.alertmanager_body(alert, group=f"{{}}:{sorted(labels.items())}", commonLabels=alert["labels"])
    ingest.receive(source, body, now=later(minute))


def test_a_number_in_a_label_opens_three_incidents_and_then_joins_the_last(source: Integration) -> None:
    for minute in range(20):
        fire(source, minute, value=f"{minute}.5%", topic="orders")

    incidents = list(Incident.objects.order_by("id"))
    assert [incident.alerts.count() for incident in incidents] == [1, 1, 18]
    assert {incident.last_seq for incident in incidents[:2]} == {2}
    assert all(timeline.verify(incident) is None for incident in incidents)
    assert Alert.objects.filter(routed__becomes="churn").count() == 17


def test_what_differs_in_a_word_is_another_thing(source: Integration) -> None:
    for minute in range(5):
        fire(source, minute, instance=f"node-{minute}")

    assert Incident.objects.count() == 5


def test_what_differs_in_more_than_the_number_is_another_thing(source: Integration) -> None:
    for minute in range(5):
        fire(source, minute, value=str(minute), topic=f"t{minute}")

    assert Incident.objects.count() == 5


def test_incidents_of_long_ago_are_not_counted(source: Integration) -> None:
    for n in range(5):
        fire(source, n * 20, value=str(n))

    assert Incident.objects.count() == 5


def test_another_integration_is_another_thing(source: Integration) -> None:
    other, _ = make.integration("Other")
    for minute in range(3):
        fire(source, minute, value=str(minute))

    fire(other, 3, value="3")

    assert Incident.objects.count() == 4
