"""A PostgreSQL and a Redis of the tests' own, on free ports, for as long as one command runs.

python -m tests.clusters pytest
python -m tests.clusters -n 2 pytest -n 2               a pair for each worker
python -m tests.clusters --no-sync -n 2 pytest -n 2     which lose what was committed if they fall
"""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

PATIENCE = 30.0  # seconds for a server to start


def main(command: Sequence[str]) -> int:
    """Run the command beside both, and give its exit code."""
    signal.signal(signal.SIGTERM, _leave)
    is_synced = command[0] != "--no-sync"
    command = command if is_synced else command[1:]
    pairs, command = (int(command[1]), command[2:]) if command[0] == "-n" else (1, command)
    env = dict(os.environ)
    with ExitStack() as all_of_them:
        for worker in range(pairs):
            database_url = all_of_them.enter_context(cluster(is_synced=is_synced)).url
            redis_url = all_of_them.enter_context(redis())
            env |= {f"DATABASE_URL_OF_GW{worker}": database_url, f"REDIS_URL_OF_GW{worker}": redis_url}
        env |= {name: env[f"{name}_OF_GW0"] for name in ("DATABASE_URL", "REDIS_URL")}
        return subprocess.call(command, env={**env, "PYTEST_PLUGINS": "tests.clusters"})


def pytest_load_initial_conftests() -> None:
    """In a worker of pytest, before any setting is read: a pair that no other worker has, where there is one for it. A
    transaction of another would hold back what is streamed, in every database of a cluster, and its bells ring through
    all of a Redis."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").upper()
    own = {name: os.environ.get(f"{name}_OF_{worker}") for name in ("DATABASE_URL", "REDIS_URL")}
    os.environ |= {name: url for name, url in own.items() if url}


@contextmanager
def cluster(*, is_synced: bool = True) -> Iterator["Cluster"]:
    """A fresh PostgreSQL that runs, and that may be stopped and started again; it is gone afterwards. It waits for the
    disk, as in production, where it is synced."""
    initdb, postgres = (_postgresql_binary(name) for name in ("initdb", "postgres"))
    with _folder() as folder:
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "burnline", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=_owner(),
            cwd=folder,
        )
        its = Cluster(postgres, folder, data, is_synced=is_synced)
        its.start()
        try:
            yield its
        finally:
            its.stop()


class Cluster:
    """A PostgreSQL on a data folder of its own, always at the same port."""

    def __init__(self, postgres: str, folder: Path, data: Path, *, is_synced: bool) -> None:
        self.port = free_port()
        self.url = f"postgresql://burnline@127.0.0.1:{self.port}/postgres"
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "max_connections": 200,
            **({} if is_synced else dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "off")),
        }
        self._command = [postgres, "-D", str(data), *(w for n, v in options.items() for w in ("-c", f"{n}={v}"))]
        self._log = folder / "log"
        self._server = ExitStack()

    def start(self) -> None:
        """From when it answers."""
        running = _running(self._command, self.port, self._log, signal.SIGINT, user=_owner())
        self._process = self._server.enter_context(running)
        _wait_for_postgresql(self.port, self._log)

    def stop(self) -> None:
        self._server.close()

    def stop_at_once(self) -> None:
        """Without a word to anybody, and nothing tidied up: as `pg_ctl -m immediate`."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(PATIENCE)
        self._server.close()


@contextmanager
def redis() -> Iterator[str]:
    """The URL of an empty Redis that keeps nothing; it is gone afterwards."""
    binary = _binary("redis-server", package="redis-server")
    port = free_port()
    with _folder() as folder:
        words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        with _running([binary, *words], port, folder / "log", signal.SIGTERM, user=_owner()):
            yield f"redis://127.0.0.1:{port}/0"


def free_port() -> int:
    """A port of this machine that nobody had a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def _running(
    command: Sequence[str], port: int, log: Path, ending: signal.Signals, *, user: str | None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The server, from when it takes connections."""
    with log.open("ab") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, user=user, start_new_session=True, cwd="/"
        )
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > end:
                    sys.exit(f"{command[0]} does not start:\n{log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.05)
        yield server
    finally:
        server.send_signal(ending)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_for_postgresql(port: int, log: Path) -> None:
    """It takes connections a moment before it answers them."""
    import psycopg

    end = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(f"postgresql://burnline@127.0.0.1:{port}/postgres").close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > end:
                sys.exit(f"PostgreSQL does not answer:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)


@contextmanager
def _folder() -> Iterator[Path]:
    """One that belongs to whoever the servers run as."""
    with tempfile.TemporaryDirectory(prefix="burnline-cluster-", ignore_cleanup_errors=True) as name:
        if owner := _owner():
            shutil.chown(name, owner)
        yield Path(name)


def _owner() -> str | None:
    """PostgreSQL does not run as root: who it runs as then."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _postgresql_binary(name: str) -> str:
    """Debian keeps them out of the PATH, a folder per version."""
    places = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    return places[-1] if places else _binary(name, package="postgresql")


def _binary(name: str, *, package: str) -> str:
    path = shutil.which(name)
    if not path:
        sys.exit(f"make test-all needs {name}. Debian and Ubuntu: apt install {package}")
    return path


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
