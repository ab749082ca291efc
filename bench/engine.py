"""How late the engine is with 10,000 due rows, and what it costs when nothing is due.

    make bench ARGS=engine

Steady: the rows become due evenly over a minute. Heap: all at once. Each row is taken, begun and ended, and does
nothing else; the engine does it itself. Lateness is from `due_at` to `begun_at`, both by the database's clock. Prints
one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import django
from django.core.management import call_command

ROWS = 10_000
SPAN = 60.0  # seconds
IDLE = 30.0  # seconds
LANES = 50
BATCH = 1_000
ROOT = Path(__file__).parent.parent
PROMISES = {"steady_p99_s": 3.0, "idle_cpu_share": 0.01}


def main() -> None:
    """On a database of its own: SQLite in a new folder, or what DATABASE_URL names, which should be empty."""
    with tempfile.TemporaryDirectory(prefix="burnline-bench-") as folder:
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.settings"
        os.environ["BURNLINE_DATA_DIR"] = folder
        os.environ.pop("REDIS_URL", None)
        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        figures = {**_steady(), **_heap(), **_idle()}
    kept = all(figures[name] <= most for name, most in PROMISES.items())
    print(json.dumps({**figures, "promises_kept": kept}, indent=1))


def _steady() -> dict[str, float]:
    start = _now() + timedelta(seconds=8)
    _write(start + timedelta(seconds=SPAN * n / ROWS) for n in range(ROWS))
    with _engine() as process:
        before, began = _cpu(process), time.monotonic()
        _wait_until_done(SPAN + 60)
        share = (_cpu(process) - before) / (time.monotonic() - began)
    return {**_lateness("steady"), "steady_cpu_share": round(share, 3)}


def _heap() -> dict[str, float]:
    _write([_now() + timedelta(seconds=8)] * ROWS)
    with _engine():
        _wait_until_done(300)
    return _lateness("heap")


def _idle() -> dict[str, float]:
    with _engine() as process:
        time.sleep(10)  # what runs at the start has run, and its threads have gone
        before = _cpu(process)
        time.sleep(IDLE)
        return {"idle_cpu_share": round((_cpu(process) - before) / IDLE, 5)}


def _write(moments: Iterator[datetime] | list[datetime]) -> None:
    from tests.faults.errands.models import Errand

    Errand.objects.all().delete()
    rows = [Errand(key=f"{n}", lane=f"lane {n % LANES}", due_at=moment) for n, moment in enumerate(moments)]
    Errand.objects.bulk_create(rows, batch_size=BATCH)


def _wait_until_done(seconds: float) -> None:
    from tests.faults.errands.models import Errand

    end = time.monotonic() + seconds
    while left := Errand.objects.filter(state="waiting").count():
        if time.monotonic() > end:
            raise SystemExit(f"{left} rows are not done after {seconds:.0f} s")
        time.sleep(1)


def _lateness(name: str) -> dict[str, float]:
    from tests import evidence
    from tests.faults.errands.models import Errand

    rows = Errand.objects.values_list("due_at", "begun_at", "finished_at")
    late = [(begun - due).total_seconds() for due, begun, _ in rows if begun]
    took = (max(row[2] for row in rows) - min(row[0] for row in rows)).total_seconds()
    return {
        f"{name}_p50_s": round(evidence.percentile(late, 0.5), 3),
        f"{name}_p99_s": round(evidence.percentile(late, 0.99), 3),
        f"{name}_max_s": round(max(late), 3),
        f"{name}_rows_per_s": round(len(late) / took, 1),
    }


@contextmanager
def _engine() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "manage.py", "engine"], cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.terminate()


def _cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that it used so far, in all its threads."""
    words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _now() -> datetime:
    from django.utils import timezone

    return timezone.now()


if __name__ == "__main__":
    main()
