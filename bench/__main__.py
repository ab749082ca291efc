"""Runs the benchmarks that stand on their own: `make bench`, or `make bench ARGS=engine` for one of them.

Each prints one JSON object. It is run on SQLite, and on a PostgreSQL and a Redis of its own; what it measured is shown,
and kept in bench/results.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
OTHERS = ("__main__", "load", "reference_endpoint")  # used by hand, beside a server
BESIDE = {"sqlite": [], "postgresql": [sys.executable, "-m", "tests.clusters"]}


def main(names: list[str]) -> None:
    known = [path.stem for path in sorted(FOLDER.glob("*.py")) if path.stem not in OTHERS]
    if unknown := set(names) - set(known):
        raise SystemExit(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(known)}")
    for name in names or known:
        for database, clusters in BESIDE.items():
            done = subprocess.run(
                [*clusters, sys.executable, "-m", f"bench.{name}"],
                cwd=FOLDER.parent,
                stdout=subprocess.PIPE,
                check=True,
            )
            _keep(f"{name} on {database}", json.loads(done.stdout))


def _keep(title: str, figures: dict[str, Any]) -> None:
    print(f"\n{title}")
    for figure, value in figures.items():
        print(f"  {figure:<32} {value}", flush=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    results[title] = {"at": at, "cpus": os.cpu_count(), **figures}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
