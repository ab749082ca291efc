"""What a proof measured, kept beside the code: evidence/<name>.json, written by `make prove` and by nothing else."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connection

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "evidence"


def is_wanted() -> bool:
    """Whether the proofs run at their full size, and are written down."""
    return os.environ.get("BURNLINE_PROVE") == "1"


def allowed(seconds: float) -> float:
    """How long something promised within so many seconds may take here. A proof keeps to it, as it has the machine to
    itself; beside other tests it is looked for longer, for they take their share."""
    return seconds if is_wanted() else 3 * seconds


@contextmanager
def of(name: str, **conditions: Any) -> Iterator[dict[str, Any]]:
    """A row of figures to fill in, under these conditions (`redis=True`, `seed=7`). It is kept where the block ends
    without an error, in the place of the earlier one under the same conditions."""
    row: dict[str, Any] = {"id": name, "db": connection.vendor, **conditions}
    key = dict(row)
    started = datetime.now(UTC)
    began = time.monotonic()
    yield row
    row |= {
        "commit": _commit(),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(f"\n{json.dumps(row)}")
    if is_wanted():
        _keep(name, key, row)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed; 0 of none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def _keep(name: str, key: dict[str, Any], row: dict[str, Any]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # others may be proved beside it
        file.seek(0)
        rows: list[dict[str, Any]] = json.loads(file.read() or "[]")
        kept = [other for other in rows if not key.items() <= other.items()]
        file.truncate(0)
        file.write(json.dumps(sorted([*kept, row], key=lambda its: json.dumps(its)), indent=1) + "\n")


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return asked.stdout.strip()
