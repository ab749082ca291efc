"""Pushes what the pretend service counted to Burnline's ledger, so that budgets move while one watches."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

from demo.scorer import Scorer

EVERY = 10  # seconds


def push_for_ever(scorer: Scorer, burnline: str, token: str) -> None:
    """A sample of each SLO for every ten seconds. What cannot be pushed is dropped: the next one comes soon."""
    began = datetime.now(UTC).replace(microsecond=0)
    scorer.taken()
    while True:
        time.sleep(EVERY)
        for symptom, tally in scorer.taken().items():
            sample = {"start": began.isoformat(), "seconds": EVERY, "good": tally.good, "valid": tally.valid}
            _post(f"{burnline}/api/v1/slos/fraud-scorer-{symptom}/samples/", [sample], token)
        began = max(began + timedelta(seconds=EVERY), datetime.now(UTC).replace(microsecond=0))


def _post(url: str, samples: list[dict[str, object]], token: str) -> None:
    request = urllib.request.Request(
        url,
        data=json.dumps(samples).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except (urllib.error.URLError, OSError):
        return
