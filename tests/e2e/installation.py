"""What a started Burnline told its newcomer, and how to wait for things to happen."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.clusters import free_port

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Installation:
    """A running Burnline, and what it told its newcomer."""

    url: str
    email: str
    password: str
    api_token: str
    receiver: str


class Server:
    """What `make run` starts, on a data folder and a port of its own; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a command that belongs to it is run with."""
        own = {"BURNLINE_PORT": str(self.port), "BURNLINE_DATA_DIR": str(self._folder / "data")}
        return {**os.environ, **own}

    @property
    def log(self) -> str:
        """What it has said since it was started last."""
        return (self._folder / "log").read_text()

    def start(self, **settings: str) -> None:
        """Wait until it is healthy. `settings` by their names in the environment."""
        with (self._folder / "log").open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=ROOT,
                env={**self.environment, **settings},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_for(lambda: "Ctrl-C stops everything" in self.log, 120, lambda: self.log)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGINT)
            self._process.wait(15)
            self._process = None

    def introduced(self) -> Installation:
        """What it told its newcomer, at its first start."""
        said = self.log
        return Installation(
            url=f"http://127.0.0.1:{self.port}",
            email=found(r"Sign in as\s+(\S+)", said),
            password=found(r"with the password\s+(\S+)", said),
            api_token=found(r"API token\s+(\S+)", said),
            receiver=said[said.index("receivers:") : said.index("Passwords and tokens")],
        )


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, f"no {pattern!r} in:\n{text}"
    return match[1]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float, told: Callable[[], str] | None = None) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, told() if told else "it did not happen in time"
        time.sleep(0.5)
