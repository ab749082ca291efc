"""Tens of thousands of hostile requests to the door for webhooks: each is answered, no process dies or grows, and what
is good is taken in afterwards as before."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connections

from alerts.models import Alert, FanOut
from tests import evidence, make
from tests.faults import hostile
from tests.faults.machines import Plant, Web

SEED = 20_262
REQUESTS = 200_000 if evidence.is_wanted() else 20_000
SENDERS = 8
PATIENCE = 30.0  # seconds: who hears nothing until then counts as not answered
SLOWEST = 5.0  # seconds
GROWTH = 200  # MiB, of each web process
PAUSE = 0.2  # seconds for an answer, before who broke HTTP says that nothing more will come
CLOSED, SILENT = 0, -1  # in the place of a status
# 400 is also what the server says to what is no HTTP.
IN_ORDER = {200, 202, 400, 401, 405, 408, 413}

pytestmark = [pytest.mark.proof, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@dataclass(frozen=True)
class Told:
    """What came back, and after how long."""

    number: int
    kind: str
    status: int
    seconds: float
    is_http: bool

    @property
    def is_answered(self) -> bool:
        return self.status > 0 or (self.status == CLOSED and not self.is_http)


def test_no_request_harms_the_door(machines: Plant) -> None:
    integration, token = make.integration()
    with evidence.of("hostile", seed=SEED) as row:
        web, engine = machines.web(), machines.engine()
        assert deliver(web.port, token, "Before") == 200
        workers, before = web.workers, memory(web)

        with ThreadPoolExecutor(SENDERS) as pool:
            parts = pool.map(lambda first: flood(web.port, token, first), range(SENDERS))
            told = [each for part in parts for each in part]
        slow_body = patient(web.port, token)
        left = wait_until_taken_in()

        statuses = Counter(each.status for each in told)
        row |= {
            "requests": len(told),
            "kinds": len({each.kind for each in told}),
            "statuses": {str(status): count for status, count in sorted(statuses.items()) if status > 0},
            "hung_up_on": statuses[CLOSED],
            "unanswered": sum(not each.is_answered for each in told),
            "5xx": sum(each.status >= 500 for each in told),
            "workers_died": len(set(workers) - set(web.workers)),
            "grown_mib": max(now - before.get(pid, 0) for pid, now in memory(web).items()),
            "p99_ms": round(1000 * evidence.percentile([each.seconds for each in told], 0.99)),
            "max_ms": round(1000 * max(each.seconds for each in told)),
        }

    assert [each for each in told if each.status >= 500 or not each.is_answered] == []
    assert {each.status for each in told if each.status > 0} <= IN_ORDER, statuses
    assert {200, 202, 400, 401, 405, 413} <= set(statuses), "not all of them came to where they were meant to"
    assert web.workers == workers
    assert engine.is_running
    assert row["grown_mib"] < GROWTH
    assert [each for each in told if each.seconds > evidence.allowed(SLOWEST)] == []
    assert slow_body == 408
    assert left == 0, "every delivery that was put off was taken in or refused"
    assert not re.search(r'Traceback|"log.level":"(error|critical)"', web.said + engine.said)
    assert deliver(web.port, token, "After") == 200
    assert Alert.objects.filter(integration=integration, name__in=["Before", "After"], status="firing").count() == 2


def flood(port: int, token: str, first: int) -> list[Told]:
    """Every request whose turn it is for this sender."""
    return [send(port, token, number) for number in range(first, REQUESTS, SENDERS)]


def send(port: int, token: str, number: int) -> Told:
    request = hostile.request(SEED, number)
    wire = request.wire(token)
    began = time.monotonic()
    status = ask(port, wire, request.method, is_http=request.is_http)
    return Told(number, request.kind, status, time.monotonic() - began, request.is_http)


def ask(port: int, wire: bytes, method: str = "POST", *, is_http: bool = True) -> int:
    """The status of the answer; CLOSED where the other side hangs up instead, SILENT where it does neither."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
            writer = threading.Thread(target=write, args=(line, wire))
            if len(wire) > 60_000:  # it may be refused before all of it is written
                writer.start()
            else:
                write(line, wire)
            try:
                return read(line, method, PAUSE if not is_http else PATIENCE)
            except TimeoutError:
                if is_http:
                    return SILENT
                line.shutdown(socket.SHUT_WR)
                return read(line, method, PATIENCE)
    except TimeoutError:
        return SILENT
    except (OSError, http.client.HTTPException):
        return CLOSED


def write(line: socket.socket, wire: bytes) -> None:
    try:
        line.sendall(wire)
    except OSError:
        return  # what was said to us is there to read


def read(line: socket.socket, method: str, seconds: float) -> int:
    line.settimeout(seconds)
    answer = http.client.HTTPResponse(line, method=method)
    answer.begin()
    answer.read()
    return answer.status


def deliver(port: int, token: str, name: str) -> int:
    """A good notification."""
    body = make.alertmanager_body(make.alert(name), group=name)
    return ask(port, hostile.Request("good", body).wire(token))


def patient(port: int, token: str) -> int:
    """What is said to a body that never comes to its end."""
    return ask(port, hostile.Request("slow", hostile.GOOD, {"Content-Length": "99999"}).wire(token))


def wait_until_taken_in() -> int:
    """How many deliveries wait still when patience is over."""
    end = time.monotonic() + PATIENCE
    while (left := FanOut.objects.filter(state="waiting").count()) and time.monotonic() < end:
        time.sleep(0.2)
    connections.close_all()
    return left


def memory(web: Web) -> dict[int, int]:
    """What each web process takes, in MiB."""
    rollups = {pid: Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in web.workers}
    return {pid: int(re.findall(r"^Pss:\s+(\d+) kB", said, re.MULTILINE)[0]) // 1024 for pid, said in rollups.items()}
