"""All processes under their supervisor, with a Redis and with streams open: what dies comes back, what ends is over."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.clusters import free_port
from tests.e2e.installation import found
from tests.faults.machines import Machine, Redis

STREAMS = 20

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="no redis-server here"),
]


class Served(Machine):
    """`manage.py serve`, on a port and with data of its own."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.port = free_port()
        ours = ("BURNLINE_", "DATABASE_URL", "REDIS_URL")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env |= {
            "BURNLINE_PORT": str(self.port),
            "BURNLINE_DATA_DIR": str(folder / "data"),
            "REDIS_URL": redis_url,
        }
        super().__init__([sys.executable, "manage.py", "serve"], env, folder / "log")

    @property
    def children(self) -> list[int]:
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True)
        return [int(line) for line in listed.stdout.split()]

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def listen(self) -> socket.socket:
        """An open stream, which has begun to answer."""
        token = found(r"API token\s+(\S+)", self.said)
        line = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        head = f"GET /api/v1/events/ HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        line.sendall(head.encode())
        assert b"200 OK" in line.recv(1000)
        return line


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "redis").mkdir()
    redis = Redis(tmp_path / "redis")
    redis.start()
    its = Served(tmp_path, redis.url)
    its.start()
    try:
        assert becomes(lambda: "Ctrl-C stops everything" in its.said, 60), its.said
        yield its
    finally:
        its.kill()
        redis.kill()


def becomes(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def lives(pid: int) -> bool:
    """Whether it runs; one that ended and that nobody has asked after yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_each_process_that_is_killed_comes_back(served: Served) -> None:
    before = served.children
    assert len(before) == 4, "two web processes, an engine and a worker"

    for pid in before:
        os.kill(pid, signal.SIGKILL)

    assert becomes(lambda: len(served.children) == 4 and not set(served.children) & set(before), 40), served.said
    assert becomes(served.is_healthy, 40)


def test_it_stops_within_five_seconds_with_streams_open(served: Served) -> None:
    streams = [served.listen() for _ in range(STREAMS)]
    children = served.children

    began = time.monotonic()
    served.signal(signal.SIGINT)
    assert becomes(lambda: not served.is_running, 10)
    seconds = time.monotonic() - began

    assert seconds < 5
    assert not [pid for pid in children if lives(pid)]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", served.port), timeout=1)
    for stream in streams:
        stream.close()


def test_nothing_outlives_a_supervisor_that_is_killed(served: Served) -> None:
    children = served.children

    served.kill()

    assert becomes(lambda: not [pid for pid in children if lives(pid)], 5)
