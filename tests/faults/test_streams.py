"""Streams while web processes are killed and stopped: every entry is heard once, and nothing holds up the end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

import pytest
from django.conf import settings
from django.db import connection, transaction

from incidents import timeline
from incidents.models import Entry, Incident
from people.models import Team, User
from tests import evidence, make
from tests.crowd import Crowd
from tests.make import NOW
from tests.streams import Ended, listening, of_page, of_program

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.proof]

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = "/api/v1/events/"
WRITERS = 50 if connection.vendor == "postgresql" else 4
RESTARTS = 20 if evidence.is_wanted() else 3
LISTENERS = 200 if evidence.is_wanted() else 60
CONNECTIONS = 8

Told = TypeVar("Told")


class Web:
    """A web process as the supervisor starts it: on a socket that outlives it."""

    def __init__(self, listener: socket.socket, folder: Path) -> None:
        self._command = [sys.executable, "-m", "common.web", str(listener.fileno())]
        self._fd = listener.fileno()
        self._log = (folder / "web.log").open("ab")
        its = connection.settings_dict
        url = f"postgresql://{its['USER']}@{its['HOST']}:{its['PORT']}/{its['NAME']}"
        self._env = {
            **os.environ,
            "BURNLINE_DATA_DIR": str(folder),
            "BURNLINE_SECRET_KEY": settings.SECRET_KEY,
            "DATABASE_URL": url if connection.vendor == "postgresql" else f"sqlite:///{its['NAME']}",
        }
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, env=self._env, pass_fds=[self._fd], stdout=self._log, stderr=self._log
        )

    def end(self, number: signal.Signals) -> float:
        """How long it took."""
        began = time.monotonic()
        self._process.send_signal(number)
        self._process.wait(20)
        return time.monotonic() - began


@contextmanager
def webs(folder: Path, count: int = 1) -> Iterator[tuple[int, list[Web]]]:
    """The port, and the processes that answer there."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        processes = [Web(listener, folder) for _ in range(count)]
        try:
            yield listener.getsockname()[1], processes
        finally:
            for process in processes:
                process.end(signal.SIGKILL)


class Ear(threading.Thread):
    """A program that listens, and comes again whenever it is cut off."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.heard: list[tuple[int, int]] = []
        self.has_begun = threading.Event()
        self.times_connected = 0
        self._port, self._headers = port, headers
        self._last = ""
        self._is_done = False

    def run(self) -> None:
        while not self._is_done:
            try:
                self._listen()
            except (Ended, OSError, HTTPException):
                time.sleep(0.1)

    def stop(self) -> None:
        self._is_done = True
        self.join(10)

    def _listen(self) -> None:
        again = {"Last-Event-ID": self._last} if self._last else {}
        with listening(self._port, PROGRAMS, {**self._headers, **again}) as stream:
            if stream.status != 200:
                raise Ended
            self.times_connected += 1
            while not self._is_done:
                try:
                    event = stream.next(1)
                except TimeoutError:
                    continue
                self._last = event.id or self._last
                if event.name == "entry" and event.data["entry"]["kind"] == Entry.Kind.NOTE:
                    self.heard.append((event.data["incident"], event.data["entry"]["seq"]))
                self.has_begun.set()


class Writer(threading.Thread):
    """Writes to several incidents, now at once, now after holding its transaction open, and sometimes for nothing."""

    def __init__(self, seed: int, incidents: list[Incident], is_over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.written: list[tuple[int, int]] = []
        self._rand = random.Random(seed)
        self._incidents = incidents
        self._is_over = is_over

    def run(self) -> None:
        try:
            while not self._is_over.wait(self._rand.uniform(0.2, 1.5)):
                self._write()
        finally:
            connection.close()

    def _write(self) -> None:
        chosen = sorted(self._rand.sample(range(len(self._incidents)), self._rand.choice((1, 1, 2))))
        with transaction.atomic():
            seqs = [(self._incidents[n].number, note(self._incidents[n]).seq) for n in chosen]
            if connection.vendor == "postgresql":
                time.sleep(self._rand.choice((0, 0, 0.01, 0.1)))
            if self._rand.random() < 0.1:
                transaction.set_rollback(True)
                return
        self.written.extend(seqs)


def note(incident: Incident) -> Entry:
    fresh = Incident.objects.get(pk=incident.pk)
    return timeline.write(fresh, Entry.Kind.NOTE, "Looking", by=make.SYSTEM, now=NOW)[0]


def until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


def test_every_entry_is_heard_once_through_restarts_and_many_writers(
    payments: Team, alice: User, tmp_path: Path
) -> None:
    incidents = [make.incident(payments) for _ in range(20)]
    rand, is_over = random.Random(7), threading.Event()

    with evidence.of("streams-restarts", seed=7) as row, webs(tmp_path) as (port, [web]):
        ear = Ear(port, of_program(alice))
        ear.start()
        assert ear.has_begun.wait(30), (tmp_path / "web.log").read_text()
        writers = [Writer(seed, incidents, is_over) for seed in range(WRITERS)]
        for writer in writers:
            writer.start()
        for turn in range(RESTARTS):
            connected = ear.times_connected
            time.sleep(rand.uniform(0.2, 1.5))
            web.end(signal.SIGKILL if turn % 2 else signal.SIGTERM)
            web.start()
            until(lambda connected=connected: ear.times_connected > connected, 30)  # type: ignore[misc]
        is_over.set()
        for writer in writers:
            writer.join(30)
        written = sorted(each for writer in writers for each in writer.written)
        until(lambda: len(ear.heard) >= len(written), 10)
        time.sleep(1.5)
        ear.stop()
        row |= {
            "restarts": RESTARTS,
            "writers": WRITERS,
            "written": len(written),
            "heard": len(ear.heard),
            "missed": len(set(written) - set(ear.heard)),
            "twice": len(ear.heard) - len(set(ear.heard)),
        }

    assert len(written) > WRITERS
    assert ear.times_connected > RESTARTS
    assert (row["missed"], row["twice"]) == (0, 0)
    assert sorted(ear.heard) == written


def test_two_hundred_streams_cost_few_connections_and_all_hear_what_is_new(
    payments: Team, alice: User, tmp_path: Path
) -> None:
    incident = make.incident(payments)
    people = [of_page(alice) for _ in range(LISTENERS // 2)]
    programs = [headers for _ in range(LISTENERS // 20) for headers in [of_program(alice)] * 10]

    async def day(port: int) -> tuple[list[float], int, int]:
        async with Crowd(port) as crowd:
            await crowd.listen([("/live/", said) for said in people] + [(PROGRAMS, said) for said in programs], 30)
            pages = [asyncio.ensure_future(crowd.ask("/api/v1/incidents/", programs[0], 3)) for _ in range(8)]
            took = [
                await crowd.all_hear(lambda: asyncio.to_thread(_elsewhere, lambda: note(incident)), 20)
                for _ in range(3)
            ]
            statuses = {status for asked in await asyncio.gather(*pages) for status, _ in asked}
            assert statuses == {200}
            return took, await asyncio.to_thread(_elsewhere, _connections), len(crowd.ears)

    with evidence.of("streams-many") as row, webs(tmp_path, 2) as (port, processes):
        took, connections, listeners = asyncio.run(day(port))
        row |= {"listeners": listeners, "slowest_seconds": round(max(took), 2), "connections": connections}

    assert listeners == len(people) + len(programs)
    assert connections <= CONNECTIONS
    assert len(processes) == 2


def test_a_process_with_open_streams_ends_in_time_and_says_so(payments: Team, alice: User, tmp_path: Path) -> None:
    make.incident(payments)
    said = [("/live/", of_page(alice)) for _ in range(LISTENERS)]

    async def day(port: int, web: Web) -> tuple[float, list[str]]:
        async with Crowd(port) as crowd:
            await crowd.listen(said, 30)
            silent = socket.create_connection(("127.0.0.1", port))  # says nothing at all
            took = await asyncio.to_thread(web.end, signal.SIGTERM)
            silent.close()
            await crowd.has_ended(2)
            return took, [ear.names[-1] for ear in crowd.ears]

    with webs(tmp_path) as (port, [web]):
        took, last = asyncio.run(day(port, web))

    assert took < 4
    assert last == ["bye"] * LISTENERS


def _connections() -> int:
    """Those of the web processes. None are counted where the database is a file."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        count: int = cursor.fetchone()[0]
    return count - 1  # that of the test itself


def _elsewhere(work: Callable[[], Told]) -> Told:
    try:
        return work()
    finally:
        connection.close()
