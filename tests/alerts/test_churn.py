"""A label that changes at every evaluation does not open an incident each time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts import ingest
from alerts.models import Alert, Integration
from incidents import timeline
from incidents.models import Incident
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Integration:
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
        fire(source, n * 60 * 5, value=str(n))

    assert Incident.objects.count() == 5


@pytest.mark.parametrize(
    "values",
    [
        ("1.234k", "999.5", "12.5M", "1M", "3.1G"),
        ("1.5Gi", "900Mi", "1.25GiB", "2 GiB", "512"),
        ("123.4m", "12.01m", "1.5u", "0", "2.25"),
        ("1h 3m 0s", "12.5ms", "-1d 2h 3m 4s", "59s", "1h3m1.5s"),
        ("12.5%", "100%", "7 %", "-0.5%", "+3%"),
        ("1,234", "12,345,678.9", "-5", "+Inf", "1.2e+06"),
        tuple(f"2026-11-28 10:0{n}:00 +0000 UTC" for n in range(5)),
        ("2026-11-28T10:00:00Z", "2026-11-28T10:01:00.123Z", *(f"2026-11-28T10:0{n}:00+01:00" for n in range(2, 5))),
    ],
)
def test_numbers_count_as_templates_print_them(source: Integration, values: tuple[str, ...]) -> None:
    for minute, value in enumerate(values):
        fire(source, minute, value=value)

    assert Incident.objects.count() == 3


@pytest.mark.parametrize(
    "values",
    [
        ("v12", "v13", "v14", "v15", "v16"),
        ("1.2.3", "1.2.4", "1.2.5", "1.3.0", "1.3.1"),
        ("10.0.0.1:9090", "10.0.0.2:9090", "10.0.0.3:9090", "10.0.0.4:9090", "10.0.0.5:9090"),
        ("5m", "30m", "1h", "6h", "3d"),  # windows
        ("1a", "2a", "1f", "2f", "7B"),
        ("node-1", "node-2", "node-3", "node-4", "node-5"),
        ("2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28"),
        ("5", "5%", "5s", "2026-11-28T10:00:00Z", "five"),  # of another kind each
    ],
)
def test_what_only_holds_a_number_is_another_thing(source: Integration, values: tuple[str, ...]) -> None:
    for minute, value in enumerate(values):
        fire(source, minute, what=value)

    assert Incident.objects.count() == 5


@pytest.mark.parametrize("step", [15, 20, 60, 180])
def test_a_rule_that_is_evaluated_slowly_opens_no_more_than_a_quick_one(source: Integration, step: int) -> None:
    for n in range(30):
        fire(source, n * step + n % 2 / 100, value=f"{n * 7}.5k")

    assert Incident.objects.count() == 3


def test_a_value_that_stays_for_a_while_does_not_change_that(source: Integration) -> None:
    for n in (0, 2, 5, 6, 8, 11, 12):  # evaluations at which it changed
        fire(source, n * 15, value=str(n))

    assert Incident.objects.count() == 3


def test_what_fails_now_and_then_is_not_taken_for_a_value(source: Integration) -> None:
    for n, minute in enumerate((0, 17, 61, 83, 148, 170)):
        fire(source, minute, partition=str(n))

    assert Incident.objects.count() == 6


def test_partitions_that_fail_together_go_on_joining_the_third(source: Integration) -> None:
    for n in range(8):
        fire(source, n / 100, partition=str(n))

    assert Incident.objects.count() == 3


def test_two_labels_may_change_at_every_evaluation(source: Integration) -> None:
    for minute in range(40):
        fire(source, minute, value=f"{minute}.5%", since=f"2026-11-28 10:{minute:02}:00 +0000 UTC")

    assert Incident.objects.count() == 3


def test_two_ids_that_differ_are_another_thing(source: Integration) -> None:
    for n, minute in enumerate((0, 0.01, 0.02, 3.1, 7.7, 9)):
        fire(source, minute, partition=str(n), broker=str(n % 4 + 100))

    assert Incident.objects.count() == 6


def test_three_labels_are_too_many(source: Integration) -> None:
    for minute in range(6):
        fire(source, minute, a=f"{minute}.5", b=f"{minute}.6", c=f"{minute}.7")

    assert Incident.objects.count() == 6


def test_what_changes_for_hours_opens_no_more(source: Integration) -> None:
    for minute in range(0, 120, 2):
        fire(source, minute, value=str(minute))

    assert Incident.objects.count() == 3


def test_a_storm_of_others_does_not_hide_it(source: Integration) -> None:
    for n in range(3):
        fire(source, n * 15, value=str(n))
    for n in range(60):
        alert = make.alert(f"Other{n}", starts_at=later(31))
        body = make.alertmanager_body(alert, group=f"other {n}", commonLabels=alert["labels"])
        ingest.receive(source, body, now=later(31))

    fire(source, 45, value="3")

    assert Incident.objects.count() == 63


def test_another_integration_is_another_thing(source: Integration) -> None:
    other, _ = make.integration("Other")
    for minute in range(3):
        fire(source, minute, value=str(minute))

    fire(other, 3, value="3")

    assert Incident.objects.count() == 4
