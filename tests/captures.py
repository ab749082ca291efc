"""What a real Alertmanager sent, scenario by scenario, and the state in which every alert is to end."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from alerts import routes
from alerts.models import Alert, Delivery, Integration
from incidents import timeline
from incidents.models import Incident

FOLDER = Path(__file__).parent / "alertmanager" / "captures"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())


@cache
def bodies(scenario: str) -> tuple[bytes, ...]:
    """What was delivered, in the order in which it came."""
    lines = (FOLDER / f"{scenario}.jsonl").read_text().splitlines()
    deliveries = [json.loads(line) for line in lines]
    return tuple(
        json.dumps(d["body"]).encode() for d in deliveries if d["processed"] and d["method"] == "POST" and d["body"]
    )


def assert_ended_right(integration: Integration, scenario: str) -> None:
    """Every alert of this integration is as its source left it, and nothing of what was delivered is lost or broken."""
    expected = EXPECTED[scenario]
    found = list(Alert.objects.filter(integration=integration))
    assert len(found) == expected["distinct_instances"]
    firing = [alert for alert in found if alert.status == "firing"]
    assert len(firing) == expected["open_at_end"]
    assert len({(alert.fingerprint, alert.labels_hash) for alert in firing}) == len(firing)
    for instance in expected["instances"]:
        [alert] = [a for a in found if _is_instance(a, instance)]
        wanted = instance["final_status"]
        assert alert.status == ("resolved" if wanted == "superseded" else wanted)
        assert alert.superseded == (wanted == "superseded")
        assert alert.labels == {k: v.replace("\0", "\N{REPLACEMENT CHARACTER}") for k, v in instance["labels"].items()}
    assert all((alert.incident_id is None) == (alert.name == routes.WATCHDOG) for alert in firing)  # a sign of life
    incidents = list(Incident.objects.filter(correlation_key__startswith=f"{integration.pk}:"))
    assert {alert.incident_id for alert in found if alert.incident_id} <= {incident.pk for incident in incidents}
    opened = Counter(incident.correlation_key for incident in incidents if incident.is_open)
    assert max(opened.values(), default=0) <= 1
    for incident in incidents:
        assert timeline.verify(incident) is None
    assert not Delivery.objects.filter(integration=integration).exclude(outcome="taken", quarantined=[]).exists()


def _is_instance(alert: Alert, instance: dict[str, Any]) -> bool:
    """Prometheus chooses its own starts: there the instances are told apart by their order."""
    if alert.fingerprint != instance["fingerprint"]:
        return False
    if instance["starts_at"] is None:
        return alert.status == str(instance["final_status"])
    return alert.starts_at.replace(microsecond=alert.starts_at.microsecond // 1000 * 1000) == datetime.fromisoformat(
        instance["starts_at"]
    )
