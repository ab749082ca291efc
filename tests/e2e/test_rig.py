"""Scenarios of the rig with the real Alertmanager: retries, lost acknowledgements, repeats, two routes, a restart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.installation import Installation, found

RIG = Path(__file__).parent.parent / "alertmanager" / "am_rig.py"
SCENARIOS = ("single", "partial_resolve", "ack_lost", "two_routes", "restart_with_nflog")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_real_alertmanager_is_understood_through_its_scenarios(burnline: Installation) -> None:
    token = found(r"credentials: (\S+)", burnline.receiver)

    played = subprocess.run(
        [
            *(sys.executable, str(RIG), "scenario", ",".join(SCENARIOS)),
            *("--target", f"{burnline.url}/webhooks/alertmanager/", "--token", token),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert played.returncode == 0, played.stdout + played.stderr
    headers = {"Authorization": f"Bearer {burnline.api_token}"}
    alerts = httpx.get(f"{burnline.url}/api/v1/alerts/?page_size=100", headers=headers).json()["results"]
    assert alerts
    assert {alert["status"] for alert in alerts} == {"resolved"}
    incidents = httpx.get(f"{burnline.url}/api/v1/incidents/?page_size=100", headers=headers).json()["results"]
    # Several scenarios fire the same alert in the same group, whose incident is still open: three groups in all.
    assert len(incidents) == 3
    assert {incident["alerts"]["firing"] for incident in incidents} == {0}
