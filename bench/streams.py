"""Two hundred open streams on two web processes: what they cost, how soon they hear, and what pages notice of them.

python -m bench.streams                                  on SQLite
python -m tests.clusters python -m bench.streams         on PostgreSQL, with a Redis

Prints one JSON object. Starts `manage.py web` on a port of its own, with data of its own in a temporary folder, or in
the empty database that DATABASE_URL names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.clusters import free_port
from tests.crowd import Crowd

ROOT = Path(__file__).parent.parent
PAGES = ("/incidents/", "/incidents/1/")
APPLICATION = "burnline-bench"  # by which PostgreSQL tells our own connections from those of the web processes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--readers", type=int, default=4, help="who look at pages meanwhile")
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two pages of one of them")
    parser.add_argument("--seconds", type=float, default=20, help="of each part")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="burnline-bench-") as folder:
        port = free_port()
        os.environ |= {
            "BURNLINE_DATA_DIR": folder,
            "BURNLINE_PORT": str(port),
            "BURNLINE_SECRET_KEY": secrets.token_urlsafe(50),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        with _web(port, Path(folder)) as parent:
            os.environ["PGAPPNAME"] = APPLICATION
            print(json.dumps(asyncio.run(_measured(asked, port, _children(parent))), indent=1))


@contextmanager
def _web(port: int, folder: Path) -> Iterator[int]:
    """Two web processes, from when they answer; the pid of their parent."""
    log = folder / "web.log"
    with log.open("wb") as output:
        web = subprocess.Popen([sys.executable, "manage.py", "web"], cwd=ROOT, stdout=output, stderr=output)
    try:
        end = time.monotonic() + 60
        while not _answers(port):
            if web.poll() is not None or time.monotonic() > end:
                sys.exit(f"manage.py web does not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield web.pid
    finally:
        began = time.monotonic()
        web.terminate()
        web.wait(20)
        print(f"it ended within {time.monotonic() - began:.1f} s", file=sys.stderr)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/livez", timeout=2):
            return True
    except OSError:
        return False


async def _measured(asked: argparse.Namespace, port: int, webs: Sequence[int]) -> dict[str, Any]:
    incident, pages, programs = await asyncio.to_thread(_data, asked.streams)
    await _pages(asked, port, pages[0], 3)  # warm
    alone = await _pages(asked, port, pages[0], asked.seconds)
    async with Crowd(port) as crowd:
        began = time.monotonic()
        await crowd.listen(
            [("/live/", said) for said in pages] + [("/api/v1/events/", said) for said in programs], seconds=60
        )
        opened = time.monotonic() - began
        idle = await _cpu(webs, asked.seconds)
        connections = [await asyncio.to_thread(_connections)]
        beside = asyncio.ensure_future(_pages(asked, port, pages[0], asked.seconds))
        heard = []
        while not beside.done():
            heard.append(await crowd.all_hear(lambda: asyncio.to_thread(_note, incident), 30))
            connections.append(await asyncio.to_thread(_connections))
            await asyncio.sleep(0.3)
        with_streams = await beside
    seen = [count for count in connections if count is not None]
    return {
        "streams": asked.streams,
        "web_processes": len(webs),
        "seconds_until_all_were_open": round(opened, 2),
        "idle_cpu_share_of_a_core": round(idle, 4),
        "seconds_until_all_heard": {
            "p50": round(statistics.median(heard), 2),
            "max": round(max(heard), 2),
            "entries": len(heard),
        },
        "pages_ms_without_streams": _percentiles(alone),
        "pages_ms_with_streams": _percentiles(with_streams),
        "database_connections_of_web": {"idle": seen[0], "max": max(seen)} if seen else None,
    }


async def _pages(asked: argparse.Namespace, port: int, said: dict[str, str], seconds: float) -> list[float]:
    """How long each page took."""
    async with Crowd(port) as crowd:
        readers = [crowd.ask(PAGES[n % len(PAGES)], said, seconds, pause=asked.pause) for n in range(asked.readers)]
        answers = [answer for reader in await asyncio.gather(*readers) for answer in reader]
    assert {status for status, _ in answers} == {200}, "a page was refused"
    return [seconds for _, seconds in answers]


def _percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50": round(statistics.median(ordered) * 1000, 1),
        "p95": round(ordered[int(len(ordered) * 0.95)] * 1000, 1),
        "pages": len(ordered),
    }


async def _cpu(pids: Sequence[int], seconds: float) -> float:
    """The share of one core that they take together."""
    before = sum(map(_ticks, pids))
    await asyncio.sleep(seconds)
    return (sum(map(_ticks, pids)) - before) / os.sysconf("SC_CLK_TCK") / seconds


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _data(streams: int) -> tuple[Any, list[dict[str, str]], list[dict[str, str]]]:
    """A list of incidents, one with a long timeline, and what as many browsers and programs send: half of each."""
    import django

    django.setup()

    from django.db import transaction

    from tests import make
    from tests.streams import of_page, of_program

    with transaction.atomic():
        team = make.team("payments")
        people = [make.user(f"Reader {n}", {team: "responder"}) for n in range(10)]
        incidents = [make.incident(team) for _ in range(60)]
        for _ in range(100):
            _note(incidents[0])
        pages = [of_page(people[n % len(people)]) for n in range(streams // 2)]
        tokens = [of_program(people[n % len(people)]) for n in range((streams + 19) // 20)]
    return incidents[0], pages, [tokens[n % len(tokens)] for n in range(streams - len(pages))]


def _note(incident: Any) -> None:
    from incidents import timeline
    from incidents.models import Entry, Incident
    from tests import make

    fresh = Incident.objects.get(pk=incident.pk)
    timeline.write(fresh, Entry.Kind.NOTE, "Looking at the dashboards", by=make.SYSTEM, now=make.NOW)


def _connections() -> int | None:
    """Those that are not ours; None where the database is a file."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> %s",
            [APPLICATION],
        )
        count: int = cursor.fetchone()[0]
    return count


if __name__ == "__main__":
    main()
