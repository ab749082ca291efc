"""What a real Alertmanager sent, posted in order: no 5xx, and at the end every alert is as its source left it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from alerts import grace
from alerts.models import Alert, Delivery
from incidents import timeline
from incidents.models import Incident
from tests import make

FOLDER = Path(__file__).parent.parent / "alertmanager" / "captures"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())


@pytest.mark.django_db
@pytest.mark.parametrize("scenario", EXPECTED)
def test_a_capture_ends_in_the_state_that_its_source_left(client: Client, scenario: str) -> None:
    _, token = make.integration()

    for body in bodies(scenario):
        answer = client.post(
            "/webhooks/alertmanager/",
            body,
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.content
    grace.end(now=timezone.now() + timedelta(seconds=settings.ENV.provisional_grace))

    expected = EXPECTED[scenario]
    found = {(alert.fingerprint, alert.starts_at): alert for alert in Alert.objects.all()}
    assert len(found) == expected["distinct_instances"]
    assert sum(alert.status == "firing" for alert in found.values()) == expected["open_at_end"]
    for instance in expected["instances"]:
        [alert] = [a for a in found.values() if is_instance(a, instance, found)]
        wanted = instance["final_status"]
        assert alert.status == ("resolved" if wanted == "superseded" else wanted)
        assert alert.superseded == (wanted == "superseded")
        assert alert.labels == {k: v.replace("\0", "\N{REPLACEMENT CHARACTER}") for k, v in instance["labels"].items()}
    for incident in Incident.objects.all():
        assert timeline.verify(incident) is None
    assert not Delivery.objects.exclude(quarantined=[]).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("scenario", ["flap_within_interval", "flapping", "ha_stale_firing", "two_routes", "repeat"])
def test_one_trouble_is_one_incident(client: Client, scenario: str) -> None:
    _, token = make.integration()

    for body in bodies(scenario):
        client.post(
            "/webhooks/alertmanager/",
            body,
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )

    assert Incident.objects.count() == 1


def bodies(scenario: str) -> list[bytes]:
    lines = (FOLDER / f"{scenario}.jsonl").read_text().splitlines()
    deliveries = [json.loads(line) for line in lines]
    return [
        json.dumps(d["body"]).encode() for d in deliveries if d["processed"] and d["method"] == "POST" and d["body"]
    ]


def is_instance(alert: Alert, instance: dict[str, Any], found: dict[Any, Alert]) -> bool:
    """Prometheus chooses its own starts: there the instances are told apart by their order."""
    if alert.fingerprint != instance["fingerprint"]:
        return False
    if instance["starts_at"] is None:
        return alert.status == str(instance["final_status"])
    return alert.starts_at.replace(microsecond=alert.starts_at.microsecond // 1000 * 1000) == datetime.fromisoformat(
        instance["starts_at"]
    )
