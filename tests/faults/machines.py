"""Web processes, engines, workers and a Redis, each on its own, to be killed, stopped and started again at will."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from common import serving
from tests.clusters import free_port

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 20.0  # seconds for a server to start


class Machine:
    """A process, and the command that starts it again."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self._command, self._env, self._log = command, env, log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def kill(self) -> None:
        """As the kernel does it, without a word; it is gone afterwards."""
        self.signal(signal.SIGKILL)
        if self._process:
            self._process.wait()

    def terminate(self) -> int:
        """Ask it to end. Its exit code."""
        assert self._process
        self._process.terminate()
        return self._process.wait(20)

    def signal(self, number: signal.Signals) -> None:
        if self.is_running:
            os.kill(self.pid, number)


class Redis(Machine):
    """A Redis of the test's own that keeps nothing on disk, always at the same port."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        assert binary, "these tests need redis-server"
        self._port = free_port()
        words = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__([binary, *words, "--dir", str(folder)], dict(os.environ), folder / "redis.log")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        super().start()
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < end, self.said
            time.sleep(0.05)

    def flush(self) -> None:
        with self._client() as client:
            client.flushall()

    def length(self) -> int:
        """How many messages wait for a worker."""
        with self._client() as client:
            return int(client.llen("celery"))

    def _answers(self) -> bool:
        import redis

        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _client(self) -> Any:
        import redis

        return redis.Redis.from_url(self.url, socket_timeout=2)


class Web(Machine):
    """The web processes as `manage.py web` starts them: a parent, and the workers that answer on its port."""

    def __init__(self, env: dict[str, str], log: Path, beneath: Sequence[str]) -> None:
        self.port = free_port()
        env = {**env, "BURNLINE_PORT": str(self.port), "BURNLINE_WEB_WORKERS": env.get("BURNLINE_WEB_WORKERS", "2")}
        super().__init__([*beneath, sys.executable, "manage.py", "web"], env, log)

    @property
    def workers(self) -> set[int]:
        """Those that live now. Not all of them need answer yet."""
        return {pid for pid in _below(self.pid) if b"common.web" in _words_of(pid)}

    def start(self) -> None:
        super().start()
        _wait_until(self._answers, 3 * PATIENCE, self)  # it migrates, and collects the static files

    def kill_worker(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        _wait_until(lambda: pid not in self.workers, PATIENCE, self)

    def kill(self) -> None:
        """The parent with all that is below it; nobody has the port afterwards."""
        if not self.is_running:
            return
        family = [self.pid, *_below(self.pid)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().kill()
        _wait_until(lambda: not any(map(_words_of, family)), PATIENCE, self)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Plant:
    """Everything that a test starts on the database of the tests."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self._folder = folder
        self._machines: list[Machine] = []
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BURNLINE_", "REDIS_URL"))},
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "DATABASE_URL": _database_url(),
            "BURNLINE_DATA_DIR": str(folder),
            "BURNLINE_SECRET_KEY": _secret_key(),
            "BURNLINE_PRIVATE_NETWORKS": "127.0.0.0/8",
            **variables,
        }

    def redis(self) -> Redis:
        """Started, and known to every engine and worker made after it."""
        redis = Redis(self._folder)
        self._env["REDIS_URL"] = redis.url
        self._machines.append(redis)
        redis.start()
        return redis

    def engine(self) -> Machine:
        return self._made([sys.executable, "manage.py", "engine"], "engine")

    def worker(self) -> Machine:
        """As `serve` starts one."""
        return self._made(list(serving.worker_command()), "worker")

    def web(self, *beneath: str) -> Web:
        """From when it answers; `beneath` is a command that runs it."""
        web = Web(self._env, self._folder / f"web-{len(self._machines)}.log", beneath)
        self._machines.append(web)
        web.start()
        return web

    def _made(self, command: list[str], name: str) -> Machine:
        machine = Machine(command, self._env, self._folder / f"{name}-{len(self._machines)}.log")
        self._machines.append(machine)
        machine.start()
        return machine

    def kill_all(self) -> None:
        for machine in self._machines:
            machine.kill()


@contextmanager
def plant(**variables: str) -> Iterator[Plant]:
    with tempfile.TemporaryDirectory(prefix="burnline-plant-") as folder:
        its = Plant(Path(folder), **variables)
        try:
            yield its
        finally:
            its.kill_all()


def _below(pid: int) -> list[int]:
    """All processes that descend from this one."""
    children: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += map(int, file.read_text().split())
    return [each for child in children for each in (child, *_below(child))]


def _words_of(pid: int) -> bytes:
    """Its command; nothing of who is gone, though nobody has asked yet how it ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _wait_until(condition: Callable[[], bool], seconds: float, machine: Machine) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, machine.said
        time.sleep(0.02)


def _database_url() -> str:
    """Of the database that this test uses now."""
    its = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{its['NAME']}"
    return f"postgresql://{its['USER']}@{its['HOST']}:{its['PORT']}/{its['NAME']}"


def _secret_key() -> str:
    from django.conf import settings

    return str(settings.SECRET_KEY)
