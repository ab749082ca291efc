"""On SQLite, the disk has a delivery before its answer goes out: seen in the system calls of the web process."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests import evidence, make
from tests.faults.machines import Web, plant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.proof, pytest.mark.slow]

DELIVERIES = 50
SYNCS = ("fsync", "fdatasync")
READS = ("read", "recvfrom")
ANSWERS = ("write", "writev", "sendto", "sendmsg")

# One line is one call; where others come between its beginning and its end, those are lines of their own.
_LINE = re.compile(r"(?P<pid>\d+) +(?P<at>[\d.]+) (?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()(?P<rest>.*)")


@pytest.fixture
def watched(tmp_path: Path) -> list[str]:
    """The command that writes down the system calls of what runs under it."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL syncs in processes of its own; tests/faults/test_web_kills.py stops those")
    if not (strace := shutil.which("strace")):
        pytest.skip("no strace here")
    tried = subprocess.run([strace, "-f", "-o", "/dev/null", "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"nobody may trace processes here: {tried.stderr.strip()}")
    calls = ",".join((*SYNCS, *READS, *ANSWERS))
    return [strace, "-f", "-y", "-ttt", "-s", "40", "-e", f"trace={calls}", "-o", str(tmp_path / "calls")]


def test_every_delivery_is_on_disk_before_it_is_answered(watched: list[str], tmp_path: Path) -> None:
    _, token = make.integration()
    with evidence.of("fsync") as row:
        with plant(BURNLINE_WEB_WORKERS="1") as machines:
            deliver(machines.web(*watched), token)
        syncs = syncs_before_answers(tmp_path / "calls")
        row |= {"deliveries": DELIVERIES, "answers": len(syncs), "syncs": sum(syncs), "unsynced": syncs.count(0)}

    assert len(syncs) == DELIVERIES
    assert all(syncs)


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_commit_that_does_not_wait_for_the_disk_would_be_seen(
    watched: list[str], tmp_path: Path, synchronous: str
) -> None:
    _, token = make.integration()
    careless = {"DJANGO_SETTINGS_MODULE": "tests.faults.careless", "UNSYNCED": synchronous}
    with plant(BURNLINE_WEB_WORKERS="1", **careless) as machines:
        deliver(machines.web(*watched), token)
    syncs = syncs_before_answers(tmp_path / "calls")

    assert len(syncs) == DELIVERIES
    assert syncs.count(0) > DELIVERIES / 2


def deliver(web: Web, token: str) -> None:
    """One after the other, each a new alert."""
    headers = {"Authorization": f"Bearer {token}"}
    sender = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    for n in range(DELIVERIES):
        sender.request("POST", "/webhooks/alertmanager/", make.alertmanager_body(make.alert(f"Alert{n}")), headers)
        answer = sender.getresponse()
        answer.read()
        assert answer.status == 200
    sender.close()


def syncs_before_answers(file: Path) -> list[int]:
    """For each delivery that was answered: how often what SQLite has logged was brought to the disk since the request
    was read."""
    found: list[int] = []
    syncs: int | None = None  # since the request that is not answered yet
    for call, said in calls(file):
        if call in READS and '"POST /webhooks/' in said:
            syncs = 0
        elif call in SYNCS and "-wal>" in said and said.endswith("= 0") and syncs is not None:
            syncs += 1
        elif call in ANSWERS and "HTTP/1.1 200" in said and syncs is not None:
            found.append(syncs)
            syncs = None
    return found


def calls(file: Path) -> Iterator[tuple[str, str]]:
    """The name of each call, and all that was written of it: an answer where it begins, all others where they end."""
    begun: dict[str, str] = {}
    for line in file.read_text(errors="replace").splitlines():
        if not (match := _LINE.match(line)):
            continue
        pid, name, rest = match["pid"], match["name"] or match["resumed"], match["rest"]
        is_unfinished = rest.endswith("<unfinished ...>")
        if is_unfinished:
            begun[pid] = rest
        if name in ANSWERS:
            if match["name"]:
                yield name, rest
        elif not is_unfinished:
            yield name, begun.pop(pid, "") + rest if match["resumed"] else rest
