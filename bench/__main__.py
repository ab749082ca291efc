"""Runs the benchmarks that stand on their own: `make bench`, or `make bench ARGS="ingest engine"` for some of them.

Each prints one JSON object. It is run on SQLite, and on a PostgreSQL and a Redis of its own (`--on sqlite` for one of
them); what it measured is shown, and kept in bench/results.json. What it promises ("promises" in what it prints: see
`bench.Promise`) is told in one table at the end. `--short` only looks whether they work, and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import SHORT

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
OTHERS = ("__init__", "__main__", "load", "reference_endpoint")  # used by benchmarks, and by hand beside a server
BESIDE = {"sqlite": [], "postgresql": [sys.executable, "-m", "tests.clusters"]}
PROMISES = "promises"


def main() -> None:
    known = [path.stem for path in sorted(FOLDER.glob("*.py")) if path.stem not in OTHERS]
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="benchmark", help=f"one of {', '.join(known)}")
    parser.add_argument("--on", choices=BESIDE, help="one of the databases")
    parser.add_argument("--short", action="store_true", help="only look whether they work")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(known):
        parser.error(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(known)}")
    env = {**os.environ, SHORT: "1"} if asked.short else dict(os.environ)
    promises = []
    for name in asked.names or known:
        for database in [asked.on] if asked.on else list(BESIDE):
            done = subprocess.run(
                [*BESIDE[database], sys.executable, "-m", f"bench.{name}"],
                cwd=FOLDER.parent,
                env=env,
                stdout=subprocess.PIPE,
                check=True,
            )
            figures: dict[str, Any] = json.loads(done.stdout)
            title = f"{name} on {database}"
            promises += [(title, promise) for promise in figures.get(PROMISES, [])]
            _show(title, figures)
            if not asked.short:
                _keep(title, figures)
    if promises:
        _tabulate(promises)


def _show(title: str, figures: dict[str, Any], indent: int = 0) -> None:
    margin = "  " * indent
    print(f"{margin}{title}" if indent else f"\n{title}")
    for figure, value in figures.items():
        if isinstance(value, dict):
            _show(figure, value, indent + 1)
        elif figure != PROMISES:
            print(f"{margin}  {figure:<32} {value}", flush=True)


def _keep(title: str, figures: dict[str, Any]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    results[title] = {"at": at, "cpus": os.cpu_count(), **figures}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def _tabulate(promises: list[tuple[str, dict[str, Any]]]) -> None:
    lines = [("benchmark", "promise", "measured", "bound", "kept")] + [
        (title, promise["what"], f"{promise['measured']:g}", promise["bound"], "yes" if promise["is_kept"] else "NO")
        for title, promise in promises
    ]
    widths = [max(len(line[n]) for line in lines) for n in range(5)]
    print()
    for line in lines:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
