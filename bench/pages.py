"""What it costs to read: the list of incidents at 1,000, 100,000 and 1,000,000, and an incident's page.

    make bench ARGS=pages
    python -m bench.pages                                  on SQLite
    python -m tests.clusters python -m bench.pages         on PostgreSQL
    BENCH_SIZES=1000,100000 python -m bench.pages          with fewer incidents

Starts `manage.py serve` with two web processes on a port of its own, with data of its own in a temporary folder, or in
the empty database that DATABASE_URL names, as its superuser. At each size 250 incidents are open, so that what differs
is the number of those that are over. Milliseconds are what a client on the same machine waits; CPU is that of the web
processes, by request; statements are counted in this process. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench import IS_SHORT, Promise
from tests.clusters import free_port

ROOT = Path(__file__).parent.parent
_SIZES = "1000,10000" if IS_SHORT else "1000,100000,1000000"
SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", _SIZES).split(",")]
OPEN = 250
REQUESTS = 10 if IS_SHORT else 60  # one after another
CONNECTIONS = 4
EACH = 3 if IS_SHORT else 15  # requests of each connection
WARM = 4 if IS_SHORT else 12
PATIENCE = 300  # seconds, on a machine that has much else to do
LIST_P95, LIST_CPU, LIST_STATEMENTS, GROWTH = 80.0, 15.0, 6, 1.3
INCIDENT_P95 = {"incident_20": 120.0, "incident_5000": 300.0}
ENTRIES = {"incident_20": 20, "incident_5000": 5_000}
LIST = {
    "list": "/incidents/",
    "list_by_service": "/incidents/?service=service-7",
    "list_by_label": "/incidents/?label=env:production",
    "list_page_2": "",  # the link of the first page says where
    "list_search": "/incidents/?q=checkout",
    "list_resolved": "/incidents/?tab=resolved",
    "list_resolved_by_service": "/incidents/?tab=resolved&service=service-7",
    "list_all": "/incidents/?tab=all",
}
# What is looked for among all there are; promised up to SEARCHED of them.
SEARCH_P95, SEARCHED = 200.0, 100_000
BESIDE = {
    "all_by_label": "/incidents/?tab=all&label=env:production",
    "all_by_rare_label": "/incidents/?tab=all&label=env:nowhere",
    "all_search": "/incidents/?tab=all&q=checkout",
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="burnline-bench-") as folder:
        port = free_port()
        os.environ |= {
            "BURNLINE_DATA_DIR": folder,
            "BURNLINE_PORT": str(port),
            "BURNLINE_SECRET_KEY": secrets.token_urlsafe(50),
            "BURNLINE_LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        os.environ.pop("REDIS_URL", None)
        with _served(port, Path(folder)) as parent:
            print(json.dumps(_measured(port, _webs(parent)), indent=1))


def _measured(port: int, webs: Sequence[int]) -> dict[str, Any]:
    import django

    django.setup()
    from tests import streams

    reader, numbers = _start()
    said = streams.of_page(reader)
    figures: dict[str, Any] = {}
    there = OPEN
    for size in SIZES:
        began = time.monotonic()
        _add(there, size)
        there = size
        written = time.monotonic()
        pages = {**LIST, **{name: f"/incidents/{numbers[name]}/" for name in ENTRIES}, **BESIDE}
        pages["list_page_2"] = _second(port, said)
        for name, address in pages.items():
            figures[_at(name, size)] = _page(port, said, reader, webs, address, few=name in BESIDE)
        took = f"written in {written - began:.0f} s, read in {time.monotonic() - written:.0f} s"
        print(f"{size:,} incidents: {took}", file=sys.stderr, flush=True)
    return {**figures, "promises": [promise.told() for promise in _promises(figures)]}


def _at(name: str, size: int) -> str:
    return f"{name} of {size}"


def _page(
    port: int, said: Mapping[str, str], reader: Any, webs: Sequence[int], address: str, *, few: bool
) -> dict[str, Any]:
    """p50 and p95 in milliseconds, one after another and at once, CPU by request, and how many statements."""
    warm, one, each = (2, 5, 2) if few else (WARM, REQUESTS, EACH)
    _ask(port, said, address, warm)
    before = _cpu(webs)
    alone = _ask(port, said, address, one)
    cpu = (_cpu(webs) - before) / one
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = [pool.submit(_ask, port, said, address, each) for _ in range(CONNECTIONS)]
        beside = [seconds for future in asked for seconds in future.result()]
    return {
        "p50_ms": _percentile(alone, 0.5),
        "p95_ms": _percentile(alone, 0.95),
        f"p50_ms_at_{CONNECTIONS}": _percentile(beside, 0.5),
        f"p95_ms_at_{CONNECTIONS}": _percentile(beside, 0.95),
        "cpu_ms": round(cpu * 1000, 1),
        "statements": _statements(reader, address),
    }


def _promises(figures: Mapping[str, Mapping[str, float]]) -> Iterator[Promise]:
    """Of each size that of the list's addresses which costs most; growth is that of the median, from the least size to
    the greatest."""
    for size in SIZES:
        for what, figure, most in (
            ("p95 in ms", "p95_ms", LIST_P95),
            ("CPU in ms", "cpu_ms", LIST_CPU),
            ("statements", "statements", LIST_STATEMENTS),
        ):
            worst = max(LIST, key=lambda name: figures[_at(name, size)][figure])
            yield Promise.at_most(f"{worst} of {size}: {what}", figures[_at(worst, size)][figure], most)
        for name, most in INCIDENT_P95.items():
            yield Promise.at_most(f"{name} of {size}: p95 in ms", figures[_at(name, size)]["p95_ms"], most)
        if size <= SEARCHED:
            worst = max(BESIDE, key=lambda name: figures[_at(name, size)]["p95_ms"])
            yield Promise.at_most(f"{worst} of {size}: p95 in ms", figures[_at(worst, size)]["p95_ms"], SEARCH_P95)
    growth = {name: figures[_at(name, SIZES[-1])]["p50_ms"] / figures[_at(name, SIZES[0])]["p50_ms"] for name in LIST}
    worst = max(growth, key=lambda name: growth[name])
    yield Promise.at_most(f"{worst}: times, from {SIZES[0]} to {SIZES[-1]}", round(growth[worst], 2), GROWTH)
    taken = {figures[_at(name, size)]["statements"] for name in ENTRIES for size in SIZES}
    yield Promise.at_most("incident: statements that more entries take", max(taken) - min(taken), 0)


# Asking


def _ask(port: int, said: Mapping[str, str], address: str, times: int) -> list[float]:
    """How long each took, on one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", address, headers=dict(said))
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 200, f"{address}: {answer.status}"
    connection.close()
    return took


def _second(port: int, said: Mapping[str, str]) -> str:
    """The address of the second page, from the first one's link."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/incidents/", headers=dict(said))
    html = connection.getresponse().read().decode()
    connection.close()
    link = html.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    return "/incidents/" + link.replace("&amp;", "&")


def _statements(reader: Any, address: str) -> int:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from tests import streams

    client = Client(SERVER_NAME="127.0.0.1", headers=streams.of_page(reader))
    counted = []
    for _ in range(3):  # what a process reads every few seconds is not in all of them
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        counted.append(len(queries))
    return min(counted)


def _percentile(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    if share == 0.5:
        return round(statistics.median(ordered) * 1000, 1)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)


# The data


def _start() -> tuple[Any, dict[str, int]]:
    """What is open, made as the product makes it: a reader of two of twelve teams, and the number of the two incidents
    whose pages are read."""
    from django.db import transaction

    from home import first_steps
    from incidents import impact, lifecycle, responding, timeline
    from incidents.models import Entry, Incident, SloLink
    from tests import make

    now = make.NOW
    # Hashing passwords takes its time, which no transaction should wait for.
    teams = [make.team(f"team-{n}") for n in range(12)]
    people = [make.user(f"Person {n}", {teams[n % 12]: "responder"}) for n in range(12)]
    reader = make.user("Reader", {teams[0]: "responder", teams[1]: "manager"})
    first_steps.hide(make.person(reader), now=now)  # the reminder takes a statement
    with transaction.atomic():
        services = [make.service(f"service-{n}", teams[n % 12]) for n in range(60)]
        models = [make.model(f"model-{n}", teams[n % 12]) for n in range(10)]
        source, _ = make.integration()
        slos = [make.slo(f"slo-{n}", services[n]) for n in range(20)]
        for slo in slos:
            make.samples(
                slo, *[(now - timedelta(hours=hours), 3600, 990 + hours % 10, 1000) for hours in range(1, 240)]
            )
    commander, severities = make.role("commander"), ["sev1", "sev2", "sev3", "sev3", "sev4", "sev4", "sev5"]
    numbers = {}
    for n in range(OPEN):
        at = now - timedelta(hours=n % 90, minutes=n)
        service = services[n % 60]
        labels = {"env": "production" if n % 3 else "staging", "region": f"eu-{n % 4}", "pod": f"{service.slug}-{n}"}
        if n % 5 == 0:
            alerts = [make.alert(f"HighErrorRate{n}", labels={**labels, "i": str(i)}) for i in range(3)]
            incident = make.fired(source, *alerts, now=at, groupKey=f"group {n}")
            Incident.objects.filter(pk=incident.pk).update(service=service, team=service.team, labels=labels)
        else:
            incident = make.incident(
                service.team,
                f"{'Checkout' if n % 4 else 'Ranking'} of {service.name} answers too late in eu-{n % 4}",
                severity=severities[n % 7],
                kind=["availability", "latency", "quality", "drift"][n % 4],
                service=service,
                model=models[n % 10] if n % 3 == 0 else None,
                labels=labels,
                now=at,
            )
        with transaction.atomic():
            if n % 2:
                who = people[n % 12]
                lifecycle.acknowledge(incident, by=make.person(who), now=at + timedelta(minutes=4))
                responding.assign_role(incident, commander, who, by=make.person(who), now=at + timedelta(minutes=5))
            if n % 3 == 0:
                slo = slos[n % 20]
                impact.link(incident, slo, origin=SloLink.Origin.RULE, by=make.SYSTEM, now=now)
            if n in (11, 13):
                name, count = list(ENTRIES.items())[(n - 11) // 2]
                incident.refresh_from_db()
                note = timeline.Draft(Entry.Kind.NOTE, make.SYSTEM, now, text="Looking at the dashboards")
                timeline.append([(incident, note)] * (count - incident.last_seq), now=now)
                numbers[name] = incident.number
    return reader, numbers


def _add(there: int, wanted: int) -> None:
    """Bring the number of incidents to `wanted`, by ones that are over: the database writes them itself."""
    from django.db import connection, transaction

    is_postgresql = connection.vendor == "postgresql"
    numbered = (_NUMBERED_ON_POSTGRESQL if is_postgresql else _NUMBERED_ON_SQLITE) % (there + 1, wanted)
    json_ = "CAST(%s AS jsonb)" if is_postgresql else "%s"
    with _hurried() as cursor, transaction.atomic():
        indexes = _indexes(cursor) if wanted - there >= MANY else {}
        for name in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute(f"{_OVER % {'labels': json_ % _LABELS, 'links': json_ % _EMPTY}} FROM ({numbered}) AS numbered")
        cursor.execute(
            f"{_OPENED % {'data': json_ % _DATA}} WHERE number > {there} AND last_seq = 1 AND status <> 'triggered'"
        )
        for statement in indexes.values():
            cursor.execute(statement)
        cursor.execute("UPDATE incidents_counter SET last = %s WHERE name = 'incident'", [wanted])
    with connection.cursor() as cursor:
        if is_postgresql:
            cursor.execute("VACUUM (ANALYZE) incidents_incident, incidents_entry")
            cursor.execute("CHECKPOINT")
        else:
            # Its planner counts nothing by itself, and nobody tells it.
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


MANY = 50_000  # rows that are written faster without indexes
_TABLES = "('incidents_incident', 'incidents_entry')"


@contextmanager
def _hurried() -> Iterator[Any]:
    """A cursor that neither waits for the disk nor follows foreign keys."""
    from django.db import connection

    if connection.vendor == "postgresql":
        fast = ("SET synchronous_commit = off", "SET session_replication_role = replica", "SET jit = off")
        usual = ("RESET synchronous_commit", "RESET session_replication_role", "RESET jit")
        memory = ("SET maintenance_work_mem = '256MB'", "RESET maintenance_work_mem")
    else:
        fast = ("PRAGMA synchronous = OFF", "PRAGMA foreign_keys = OFF", "PRAGMA temp_store = MEMORY")
        usual = ("PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON", "PRAGMA temp_store = DEFAULT")
        memory = ("PRAGMA cache_size = -200000", "PRAGMA cache_size = -2000")
    with connection.cursor() as cursor:
        for statement in (*fast, memory[0]):
            cursor.execute(statement)
        yield cursor
        for statement in (*usual, memory[1]):
            cursor.execute(statement)


def _indexes(cursor: Any) -> dict[str, str]:
    """Those that no constraint needs: name -> what makes it."""
    from django.db import connection

    if connection.vendor == "postgresql":
        cursor.execute(
            f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN {_TABLES} "
            "AND indexdef NOT LIKE '% UNIQUE %'"
        )
    else:
        cursor.execute(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN {_TABLES} "
            "AND sql NOT LIKE '% UNIQUE %'"
        )
    return dict(cursor.fetchall())


_NUMBERED_ON_POSTGRESQL = """
SELECT n, timestamptz '2026-02-25 00:00:00Z' - (1000001 - n) * interval '10 seconds' AS at,
  timestamptz '2026-02-25 01:00:00Z' - (1000001 - n) * interval '10 seconds' AS ended
FROM generate_series(%s, %s) AS n"""
_NUMBERED_ON_SQLITE = """
WITH RECURSIVE numbers(n) AS (SELECT %s UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)
SELECT n, strftime('%%Y-%%m-%%d %%H:%%M:%%S', '2026-02-25 00:00:00', ((n - 1000001) * 10) || ' seconds') AS at,
  strftime('%%Y-%%m-%%d %%H:%%M:%%S', '2026-02-25 01:00:00', ((n - 1000001) * 10) || ' seconds') AS ended
FROM numbers"""
_LABELS = """('{"env": "' || CASE WHEN n % 3 = 0 THEN 'staging' ELSE 'production' END || '", "region": "eu-' || (n % 4)
  || '", "pod": "service-' || (n % 60) || '-' || n || '"}')"""
_EMPTY = "'[]'"
_DATA = "'{}'"
_OVER = """
INSERT INTO incidents_incident (
  number, title, summary, status, severity, kind, is_private, is_drill, service_id, model_id, team_id, labels, links,
  detected_at, acknowledged_at, resolved_at, reason, correlation_key, last_seq, last_hash, last_entry_at, version,
  created_at, updated_at
)
SELECT n, CASE WHEN n %% 4 = 0 THEN 'Checkout' ELSE 'Ranking' END || ' of service ' || (n %% 60) || ' answers too late',
  '', CASE WHEN n %% 50 = 0 THEN 'dismissed' WHEN n %% 3 = 0 THEN 'closed' ELSE 'resolved' END,
  CASE WHEN n %% 100 < 2 THEN 'sev1' WHEN n %% 100 < 10 THEN 'sev2' WHEN n %% 100 < 50 THEN 'sev3' ELSE 'sev4' END,
  CASE n %% 5 WHEN 0 THEN 'latency' WHEN 1 THEN 'quality' WHEN 2 THEN 'drift' ELSE 'availability' END,
  n %% 200 = 0, false,
  (SELECT min(id) FROM catalog_service) + n %% 60,
  CASE WHEN n %% 3 = 0 THEN (SELECT min(id) FROM catalog_model) + n %% 10 END,
  (SELECT min(id) FROM people_team) + n %% 12, %(labels)s, %(links)s,
  at, at, CASE WHEN n %% 50 <> 0 THEN ended END,
  CASE WHEN n %% 50 = 0 THEN 'A test' ELSE '' END, '', 1, '', ended, 1, at, at
"""
_OPENED = """
INSERT INTO incidents_entry (
  incident_id, seq, kind, at, recorded_at, actor_type, actor_source, actor_name, text, html, data, key, content_hash,
  previous_hash, hash
)
SELECT id, 1, 'opened', created_at, created_at, 'system', '', 'Burnline', '', '', %(data)s, '', '', '', ''
FROM incidents_incident
"""


# The server


@contextmanager
def _served(port: int, folder: Path) -> Iterator[int]:
    """What `make run` starts, from when it is healthy; the pid of the parent of all."""
    log = folder / "serve.log"
    with log.open("wb") as output:
        serve = subprocess.Popen([sys.executable, "manage.py", "serve"], cwd=ROOT, stdout=output, stderr=output)
    try:
        end = time.monotonic() + PATIENCE
        while "Burnline runs at" not in log.read_text(errors="replace"):
            if serve.poll() is not None or time.monotonic() > end:
                sys.exit(f"manage.py serve does not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.2)
        yield serve.pid
    finally:
        serve.terminate()
        serve.wait(PATIENCE)


def _webs(parent: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return [pid for pid in children if b"common.web" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def _cpu(pids: Sequence[int]) -> float:
    """Seconds of CPU that they used so far, together."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
