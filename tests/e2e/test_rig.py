"""Scenarios of the rig with the real Alertmanager: retries, lost acknowledgements, repeats, two routes, a restart; and
all that it has where `make prove` asks for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from tests import evidence
from tests.e2e.installation import Installation, found

RIG = Path(__file__).parent.parent / "alertmanager" / "am_rig.py"
SCENARIOS = ("single", "partial_resolve", "ack_lost", "two_routes", "restart_with_nflog")
PATIENCE = 120  # seconds for one of them

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.skipif(evidence.is_wanted(), reason="all of them are played")
def test_the_real_alertmanager_is_understood_through_its_scenarios(burnline: Installation, tmp_path: Path) -> None:
    failed = [told for name in SCENARIOS if (told := played(burnline, name, tmp_path))]

    assert failed == []
    assert {alert["status"] for alert in everything(burnline, "alerts")} == {"resolved"}
    incidents = everything(burnline, "incidents")
    # Several scenarios fire the same alert in the same group, whose incident is still open: three groups in all.
    assert len(incidents) == 3
    assert {incident["alerts"]["firing"] for incident in incidents} == {0}


@pytest.mark.skipif(not evidence.is_wanted(), reason="takes a quarter of an hour: a part of make prove")
def test_every_scenario_of_the_real_alertmanager_ends_as_its_source_left_it(
    burnline: Installation, tmp_path: Path
) -> None:
    with evidence.of("real-alertmanager") as row:
        names = [line.split()[0] for line in rig("list").stdout.splitlines()]
        failed = [told for name in names if (told := played(burnline, name, tmp_path))]
        assert failed == []
        time.sleep(settings.ENV.provisional_grace + 5)  # what fires again with its old start counts only after this

        last, instances = expected(names, tmp_path)
        alerts = everything(burnline, "alerts")
        firing = {alert["fingerprint"] for alert in alerts if alert["status"] == "firing"}
        row |= {
            "scenarios": len(names),
            "instances": instances,
            "lost": instances - len(alerts),
            "firing": len(firing),
            "wrong_at_the_end": len(firing ^ last),
        }

    assert len(names) > 50
    assert len(alerts) == instances
    assert firing == last


def played(burnline: Installation, name: str, folder: Path) -> str:
    """Play it to its end; what the rig complains of, "" where it is content."""
    token = found(r"credentials: (\S+)", burnline.receiver)
    target = ("--target", f"{burnline.url}/webhooks/alertmanager/", "--token", token)
    done = rig("scenario", name, *target, "--record", str(folder))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def rig(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RIG), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def expected(names: list[str], folder: Path) -> tuple[set[str], int]:
    """The fingerprints that fire after the last scenario that had them, and how many instances there were in all."""
    fires: dict[str, bool] = {}
    instances = 0
    for name in names:
        rows = json.loads((folder / f"{name}.expected.json").read_text())["instances"]
        instances += len(rows)
        fires |= dict.fromkeys((row["fingerprint"] for row in rows), False)
        fires |= {row["fingerprint"]: True for row in rows if row["final_status"] == "firing"}
    return {fingerprint for fingerprint, does in fires.items() if does}, instances


def everything(burnline: Installation, what: str) -> list[dict[str, Any]]:
    """All pages of what the API has of it."""
    found_there: list[dict[str, Any]] = []
    url: str | None = f"{burnline.url}/api/v1/{what}/?page_size=100"
    while url:
        page = httpx.get(url, headers={"Authorization": f"Bearer {burnline.api_token}"}).json()
        found_there += page["results"]
        url = page["next"]
    return found_there
