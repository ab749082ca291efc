"""A node that only takes webhooks, as `docs/operations.md` says to run it: it answers as the web processes do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests import make
from tests.clusters import free_port

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 30
pytestmark = pytest.mark.e2e


class Node:
    def __init__(self, port: int, token: str, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.token = token
        self.process = process

    def post(self, body: bytes, token: str = "", **headers: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(
            "POST", "/webhooks/alertmanager/", body, {"Authorization": f"Bearer {token or self.token}", **headers}
        )
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    given = {
        n: v for n, v in os.environ.items() if not n.startswith("BURNLINE_") and n not in ("DATABASE_URL", "REDIS_URL")
    }
    env = {**given, "BURNLINE_DATA_DIR": str(folder), "BURNLINE_SECRET_KEY": "x" * 60}
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    made = subprocess.run([*manage, "bootstrap", "--json"], cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    port = free_port()
    with (folder / "log").open("wb") as log:
        granian = [str(Path(sys.executable).parent / "granian"), "--interface", "asgi", "--workers-kill-timeout", "5"]
        granian += ["--workers", "2", f"--port={port}"]
        process = subprocess.Popen([*granian, "config.asgi:application"], cwd=ROOT, env=env, stdout=log, stderr=log)
    end = time.monotonic() + PATIENCE
    while (folder / "log").read_text().count("Started worker-") < 2:  # one told to end before that never does
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.1)
    yield Node(port, json.loads(made.stdout)["webhook"]["token"], process)
    process.kill()
    process.wait()


def test_it_takes_what_is_well_and_refuses_the_rest(node: Node) -> None:
    for n in range(20):  # whichever of the two workers, and by whichever way
        assert node.post(make.alertmanager_body(make.alert(f"A{n}"))) == 200
    assert node.post(make.alertmanager_body(), token="bli_" + "x" * 43) == 401
    assert node.post(b"{") == 400
    assert node.post(b"", **{"Content-Length": str(33 * 1024 * 1024), "Expect": "100-continue"}) == 413


def test_it_ends_when_it_is_told_to(node: Node) -> None:
    node.process.send_signal(signal.SIGTERM)

    assert node.process.wait(PATIENCE) == 0
