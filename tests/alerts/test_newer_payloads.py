"""What newer Alertmanagers send, as their sources say it (none of them was run), and what Grafana's own alerting sends,
as its documentation says it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client

from alerts import integrations, testing
from alerts.models import Alert, Delivery
from incidents.models import Incident
from tests import make

FOLDER = Path(__file__).parent / "payloads"
ALERTMANAGER = sorted(file.stem for file in FOLDER.glob("alertmanager-*.json"))

pytestmark = pytest.mark.django_db


def post(client: Client, token: str, name: str, path: str = "/webhooks/alertmanager/") -> int:
    body = (FOLDER / f"{name}.json").read_bytes()
    headers = {"authorization": f"Bearer {token}"}
    return client.post(path, body, content_type="application/json", headers=headers).status_code


@pytest.mark.parametrize("name", ALERTMANAGER)
def test_each_is_taken_in_whole(client: Client, name: str) -> None:
    _, token = make.integration()

    assert post(client, token, name) == 200

    assert Alert.objects.get().status == ("resolved" if "resolved" in name else "firing")
    assert Delivery.objects.get().quarantined == []


def test_names_of_labels_may_be_any_text(client: Client) -> None:
    _, token = make.integration()

    post(client, token, "alertmanager-0.28-utf8-names")

    assert {"service.name", "größe", "with space", 'quo"te='} <= Alert.objects.get().labels.keys()


def test_grafana_fires_and_resolves_at_an_address_of_its_own(client: Client) -> None:
    _, token = make.integration(kind="grafana")

    assert post(client, token, "grafana-firing", "/webhooks/grafana/") == 200
    alert = Alert.objects.get()
    assert alert.starts_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert alert.annotations == {
        "summary": "CPU above 90%",
        "values": "B=22.5, C=1",
        "dashboard_url": "https://grafana.example/d/board",
        "panel_url": "https://grafana.example/d/board?viewPanel=2",
        "silence_url": "https://grafana.example/alerting/silence/new?alertmanager=grafana",
    }
    assert Incident.objects.get().title == "CPU above 90%"
    assert post(client, token, "grafana-resolved", "/webhooks/grafana") == 200

    assert Alert.objects.get().status == "resolved"
    assert [e.kind for e in Incident.objects.get().entries.order_by("seq")][-1] == "all_clear"


def test_each_kind_refuses_the_form_of_the_other(client: Client) -> None:
    _, alertmanagers = make.integration("A")
    _, grafanas = make.integration("G", kind="grafana")

    assert post(client, alertmanagers, "grafana-firing") == 400
    assert post(client, grafanas, "alertmanager-0.32-reason") == 400

    assert set(Delivery.objects.values_list("reason", flat=True)) == {
        'This is not version "4" of the webhook payload.',
        'This is not version "1" of the webhook payload.',
    }


def test_one_bad_alert_of_grafana_is_put_aside_and_the_others_are_taken(client: Client) -> None:
    _, token = make.integration(kind="grafana")
    body = (FOLDER / "grafana-firing.json").read_text().replace('"alerts": [', '"alerts": [{"status": "odd"},')

    answer = client.post(
        "/webhooks/grafana/", body, content_type="application/json", headers={"authorization": f"Bearer {token}"}
    )

    assert answer.json()["alerts"]["quarantined"] == 1
    assert Alert.objects.count() == 1


def test_the_test_alert_of_a_grafana_integration_is_taken_in(client: Client) -> None:
    source, _ = make.integration(kind="grafana")

    tested = testing.send(source, by=make.SYSTEM, now=make.NOW)

    assert tested.incident.alerts.count() == 1
    assert "contactPoints:" in integrations.receiver_yaml(source, "bli_x")
