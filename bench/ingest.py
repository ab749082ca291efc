"""How many deliveries are taken in, beside an endpoint that does the least that any such product must.

    make bench ARGS=ingest
    python -m bench.ingest                                   on SQLite
    python -m tests.clusters python -m bench.ingest          on PostgreSQL

The reference (`reference_endpoint.py`: Django without middleware, five statements for `/full`, one for `/in`), our web
processes and a granian node run beside each other on one database server, two worker processes each, and are loaded in
turn, round after round, by `load.py`. Each delivery brings alerts that were never sent before, to one of 200 groups
whose incidents are open. Ratios are taken within a round, and their median is told; so is the median of everything
else. What other programs of the machine take meanwhile, they take from all three. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from bench import IS_SHORT, Promise
from tests.clusters import free_port

ROOT = Path(__file__).parent.parent
GROUPS = 200
REQUESTS = {1: 1500, 10: 1200, 100: 400}  # by alerts in each
CONNECTIONS = {"postgresql": 16, "sqlite": 8}
GRANIAN = ("granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "4")
NODE = ("granian", "--interface", "asgi", "--workers-kill-timeout", "5", "--workers", "2")

# Least shares of the reference, by server and alerts of a delivery; on SQLite the reference is `/in`.
SHARES = {
    ("postgresql", "web"): {1: 0.55, 10: 0.60, 100: 0.60},
    ("postgresql", "granian"): {1: 0.70, 10: 0.65, 100: 0.60},
    ("sqlite", "web"): {1: 0.26, 10: 0.30, 100: 0.40},
}
CPU = {1: 4.0, 10: 0.5, 100: 0.13}  # seconds for 1,000 alerts, the database's included
P99 = {"postgresql": {1: 80.0, 10: 90.0, 100: 180.0}, "sqlite": {1: 500.0, 10: 500.0, 100: 500.0}}  # milliseconds
HOT_SHARE = 0.3
MEMORY = 240.0  # MiB


@dataclass
class Server:
    """What is loaded: where it listens, and the processes that it consists of."""

    name: str
    url: str
    token: str
    process: subprocess.Popen[bytes]
    runs: dict[int, list[dict[str, float]]] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1 if IS_SHORT else 3)
    parser.add_argument(
        "--alerts", type=int, action="append", help="of a delivery; may be given again", choices=REQUESTS
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="burnline-bench-") as folder, ExitStack() as stack:
        load = Load(Path(folder))
        servers = list(_servers(stack, Path(folder)))
        figures = _measured(load, servers, asked.alerts or list(REQUESTS), asked.rounds)
    print(json.dumps(figures, indent=1))


def _measured(load: Load, servers: Sequence[Server], sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    web = next(server for server in servers if server.name == "web")
    for server in servers:  # every group has its incident, and every thread its connection
        load.on(server, alerts=1, requests=max(GROUPS, 400))
    for alerts in sizes:
        for _ in range(rounds):
            for server in servers:
                server.runs.setdefault(alerts, []).append(load.on(server, alerts=alerts, requests=REQUESTS[alerts]))
    # One group alone, and the same alerts again and again, each beside deliveries of the ordinary kind.
    spread, hot, repeats = [], [], []
    for _ in range(rounds):
        spread.append(load.on(web, alerts=1, requests=REQUESTS[1]))
        hot.append(load.on(web, alerts=1, requests=REQUESTS[1], groups=1))
        repeats.append(load.on(web, alerts=10, requests=REQUESTS[10], stable=True))
    figures: dict[str, Any] = {
        server.name: {f"{alerts} alerts": _figures(server, servers, alerts) for alerts in sizes} for server in servers
    }
    figures["web, one hot group"] = {
        "requests_per_s": _median(hot, "rps"),
        "of_spread": _median_ratio(hot, spread),
        "p99_ms": _median(hot, "p99_ms"),
    }
    figures["web, 10 alerts again and again"] = {
        "requests_per_s": _median(repeats, "rps"),
        "cpu_s_per_1000_alerts": _median(repeats, "cpu_s_per_1000_alerts"),
        "p99_ms": _median(repeats, "p99_ms"),
    }
    figures["web_memory_mib"] = round(sum(map(_pss, _tree(web.process.pid))) / 1024, 1)
    figures["requests_that_failed"] = load.failed
    return {**figures, "promises": [promise.told() for promise in _promises(figures, sizes)]}


def _figures(server: Server, servers: Sequence[Server], alerts: int) -> dict[str, float]:
    runs = server.runs[alerts]
    named = (
        "rps",
        "alerts_per_s",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "cpu_s_per_1000_alerts",
        "server_cpu_s_per_1000_alerts",
    )
    ratios = {
        f"of_{other.name}": _median_ratio(runs, other.runs[alerts])
        for other in servers
        if other.name.startswith("/") and other is not server
    }
    costs = {
        f"cpu_times_{other.name}": _median_ratio(runs, other.runs[alerts], "cpu_s_per_1000_alerts")
        for other in servers
        if other.name.startswith("/") and other is not server
    }
    return {**{name: _median(runs, name) for name in named}, **ratios, **costs}


def _promises(figures: dict[str, Any], sizes: Sequence[int]) -> Iterator[Promise]:
    kind = _kind()
    reference = "of_/full" if kind == "postgresql" else "of_/in"
    for name in ("web", "granian"):
        for alerts in sizes:
            found = figures[name][f"{alerts} alerts"]
            of = f"{name}, {alerts} alert{'s' * (alerts > 1)} a delivery"
            if (kind, name) in SHARES:
                yield Promise.at_least(f"{of}: share {reference}", found[reference], SHARES[kind, name][alerts])
            yield Promise.at_most(f"{of}: CPU s for 1,000 alerts", found["cpu_s_per_1000_alerts"], CPU[alerts])
            yield Promise.at_most(f"{of}: p99 in ms", found["p99_ms"], P99[kind][alerts])
    yield Promise.at_least("one hot group: share of the spread", figures["web, one hot group"]["of_spread"], HOT_SHARE)
    yield Promise.at_most("memory of web in MiB (PSS)", figures["web_memory_mib"], MEMORY)
    yield Promise.at_most("requests that failed", figures["requests_that_failed"], 0)


class Load:
    """Runs the load generator, each time with alerts that were not sent before."""

    def __init__(self, folder: Path) -> None:
        self.failed = 0
        self._folder = folder
        self._serial = 0
        self._database = _postmaster() if _kind() == "postgresql" else None

    def on(
        self, server: Server, *, alerts: int, requests: int, groups: int = GROUPS, stable: bool = False
    ) -> dict[str, float]:
        if IS_SHORT:
            requests //= 4
        words = {
            "url": server.url,
            "token": server.token,
            "requests": requests,
            "alerts-per-request": alerts,
            "concurrency": CONNECTIONS[_kind()],
            "distinct-groups": groups,
            "serial-offset": self._serial,
        }
        self._serial += requests
        before, backends_before = self._cpu(server)
        done = subprocess.run(
            [
                *(sys.executable, str(ROOT / "bench" / "load.py")),
                *(f"--{name}={value}" for name, value in words.items()),
                *(["--stable-alerts"] if stable else []),
            ],
            stdout=subprocess.PIPE,
            check=False,  # its exit code says that some failed: they are counted here
        )
        after, backends_after = self._cpu(server)
        said: dict[str, Any] = json.loads(done.stdout)
        self.failed += said["errors"]
        if said["errors"]:
            print(f"{server.name}: {said['errors']} failed: {said['first_error']}", file=sys.stderr)
        thousands = max(1, said["ok"]) * alerts / 1000
        said["server_cpu_s_per_1000_alerts"] = (after - before) / thousands
        said["cpu_s_per_1000_alerts"] = (after - before + backends_after - backends_before) / thousands
        shown = f"{said['rps']:8.1f} req/s {said['cpu_s_per_1000_alerts']:8.3f} CPU s {said['p99_ms']:8.1f} ms p99"
        print(f"{server.name:<8} {alerts:>4} alerts {groups:>4} groups {shown}", file=sys.stderr, flush=True)
        return said

    def _cpu(self, server: Server) -> tuple[float, float]:
        """Seconds so far of the server's processes, and of the database's."""
        return sum(map(_cpu_of, _tree(server.process.pid))), sum(map(_cpu_of, _tree(self._database)))


def _servers(stack: ExitStack, folder: Path) -> Iterator[Server]:
    """All of them, from when they answer."""
    postgresql = _kind() == "postgresql"
    env = {
        name: value for name, value in os.environ.items() if name != "REDIS_URL" and not name.startswith("BURNLINE_")
    }

    theirs = {**env, **(_reference_on_postgresql() if postgresql else _reference_on_sqlite(folder))}
    subprocess.run([sys.executable, "bench/reference_endpoint.py"], cwd=ROOT, env=theirs, check=True)
    port = free_port()
    command = [_beside_python(GRANIAN[0]), *GRANIAN[1:], f"--port={port}", "reference_endpoint:application"]
    reference = stack.enter_context(_running(command, port, "/hello", folder, {**theirs, "PYTHONPATH": "bench"}))
    for path in ("/full", "/in") if postgresql else ("/in",):
        yield Server(path, f"http://127.0.0.1:{port}{path}/{{token}}", "perf", reference)

    port = free_port()
    ours = {
        **env,
        "BURNLINE_DATA_DIR": str(folder),
        "BURNLINE_PORT": str(port),
        "BURNLINE_SECRET_KEY": secrets.token_urlsafe(50),
    }
    command = [sys.executable, "manage.py", "web"]
    web = stack.enter_context(_running(command, port, "/livez", folder, ours))
    answer = subprocess.run(
        [sys.executable, "manage.py", "bootstrap", "--json"], cwd=ROOT, env=ours, stdout=subprocess.PIPE, check=True
    )
    token = json.loads(answer.stdout)["webhook"]["token"]
    yield Server("web", f"http://127.0.0.1:{port}/webhooks/alertmanager/", token, web)

    port = free_port()
    command = [_beside_python(GRANIAN[0]), *NODE[1:], f"--port={port}", "config.asgi:application"]
    node = stack.enter_context(_running(command, port, "/livez", folder, ours))
    yield Server("granian", f"http://127.0.0.1:{port}/webhooks/alertmanager/", token, node)


def _reference_on_postgresql() -> dict[str, str]:
    """It wants a role and a database of these names."""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'postgres'").fetchone():
            connection.execute("CREATE ROLE postgres SUPERUSER LOGIN")
        connection.execute("CREATE DATABASE bench OWNER postgres")
        return {"DB": "pg", "PGPORT": str(connection.info.port)}


def _reference_on_sqlite(folder: Path) -> dict[str, str]:
    return {"DB": "sqlite", "SQLITE": str(folder / "reference.sqlite3"), "SQLITE_SYNC": "FULL"}


@contextmanager
def _running(
    command: Sequence[str], port: int, path: str, folder: Path, env: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)
    try:
        end = time.monotonic() + 180  # on a busy machine, to migrate takes its time
        while not _answers(f"http://127.0.0.1:{port}{path}"):
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"{' '.join(command)} does not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):
            return True
    except HTTPError:
        return True
    except OSError:
        return False


def _kind() -> str:
    return "postgresql" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "sqlite"


def _beside_python(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _postmaster() -> int:
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        backend = connection.info.backend_pid
        words = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()
    return int(words[1])


def _tree(pid: int | None) -> list[int]:
    """The process and all below it."""
    if pid is None:
        return []
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [pid, *(below for child in children for below in _tree(child))]


def _cpu_of(pid: int) -> float:
    """Seconds so far, of its threads and of its children that have ended."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def _pss(pid: int) -> int:
    """KiB of memory, what is shared in equal parts."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _median(runs: Sequence[dict[str, float]], name: str) -> float:
    return round(statistics.median(run[name] for run in runs), 3)


def _median_ratio(runs: Sequence[dict[str, float]], others: Sequence[dict[str, float]], name: str = "rps") -> float:
    """Of what was measured in the same round."""
    return round(statistics.median(run[name] / other[name] for run, other in zip(runs, others, strict=True)), 3)


if __name__ == "__main__":
    main()
