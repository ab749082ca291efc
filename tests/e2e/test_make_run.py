"""`make run`, as a newcomer with nothing but Python meets it: from a clean copy, in a folder of its own."""

import http.client
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.clusters import free_port

ROOT = Path(__file__).parent.parent.parent
INSTALLING = 300.0  # seconds, with a slow index
STARTING_AGAIN = 15.0  # seconds; 5 on a machine that has nothing else to do

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git has or would take: no .venv, no data."""
    folder = tmp_path_factory.mktemp("checkout")
    ask = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(ask, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


class Run:
    """A `make run` that is under way, and what it said."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_until_it_greets(self, seconds: float) -> float:
        """How long that took. By then it is healthy."""
        began = time.monotonic()
        while not ("Burnline runs at" in self.said and self.said.endswith("Ctrl-C stops everything.\n\n")):
            assert self.process.poll() is None, self.said
            assert time.monotonic() - began < seconds, self.said
            time.sleep(0.05)
        return time.monotonic() - began

    def press_ctrl_c(self) -> float:
        """As a terminal does it: to make and to all in its group. How long everything took to end."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(10)
        return time.monotonic() - began


@contextmanager
def make_run(checkout: Path, log: Path, *variables: str, port: int | None = None) -> Iterator[Run]:
    port = port or free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run", f"PORT={port}", f"PYTHON={sys.executable}", *variables],
            cwd=checkout,
            env=_newcomers_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    run = Run(process, log, port)
    try:
        yield run
    finally:
        if process.poll() is None:
            run.press_ctrl_c()


def refused(checkout: Path, *variables: str, environment: Mapping[str, str] | None = None) -> str:
    """What it says when it does not start: a line, beside make's own."""
    done = subprocess.run(
        ["make", "run", f"PYTHON={sys.executable}", *variables],
        cwd=checkout,
        env={**_newcomers_environment(), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=INSTALLING,
    )
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("burnline: ")
    return lines[0]


@pytest.fixture(scope="module")
def installed(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy, with its .venv as the first `make run` leaves it."""
    folder = tmp_path_factory.mktemp("first")
    with make_run(checkout, folder / "log", f"DATA_DIR={folder / 'data'}") as run:
        run.wait_until_it_greets(INSTALLING)
    return checkout


def test_a_newcomer_gets_all_it_needs_once(installed: Path, tmp_path: Path) -> None:
    data = f"DATA_DIR={tmp_path / 'data'}"

    with make_run(installed, tmp_path / "first", data) as run:
        run.wait_until_it_greets(60)
        email, password = _said_after(run, "Sign in as"), _said_after(run, "with the password")
        token = _said_after(run, "API token")
        receiver = yaml.safe_load(run.said[run.said.index("receivers:") : run.said.index("Passwords and tokens")])

        assert httpx.get(f"{run.url}/readyz").status_code == 200
        _sign_in(run, email, password)
        bearer = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{run.url}/api/v1/incidents/", headers=bearer).status_code == 200
        webhook = receiver["receivers"][0]["webhook_configs"][0]
        assert webhook["url"] == f"{run.url}/webhooks/alertmanager/"
        assert run.press_ctrl_c() < 5
    _assert_nobody_listens(run.port)

    with make_run(installed, tmp_path / "second", data) as run:
        seconds = run.wait_until_it_greets(STARTING_AGAIN)
        print(f"\nmake run, the second time: healthy and greeting after {seconds:.2f} s")
        secrets = [password, token, webhook["http_config"]["authorization"]["credentials"]]

        assert not [secret for secret in secrets if secret in run.said]
        assert "bootstrap --rotate" in run.said
        _sign_in(run, email, password)


def test_what_is_killed_comes_back_and_nothing_is_left_at_the_end(installed: Path, tmp_path: Path) -> None:
    with make_run(installed, tmp_path / "log", f"DATA_DIR={tmp_path / 'data'}") as run:
        run.wait_until_it_greets(60)
        before = _processes_of(run)
        assert len(before) == 3, "two web processes and an engine"

        for pid in before:
            os.kill(pid, signal.SIGKILL)
        _becomes_healthy(run)

        assert not set(before) & set(_processes_of(run))
        last = _processes_of(run)
        assert run.press_ctrl_c() < 5
    _assert_nobody_listens(run.port)
    assert not [pid for pid in last if Path(f"/proc/{pid}").exists()]


def test_a_killed_make_leaves_nobody_on_the_port(installed: Path, tmp_path: Path) -> None:
    with make_run(installed, tmp_path / "log", f"DATA_DIR={tmp_path / 'data'}") as run:
        run.wait_until_it_greets(60)

        os.kill(run.process.pid, signal.SIGKILL)
        run.process.wait()

        end = time.monotonic() + 10
        while time.monotonic() < end and _somebody_listens(run.port):
            time.sleep(0.1)
        _assert_nobody_listens(run.port)


def test_a_port_in_use_is_named(installed: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        line = refused(installed, f"PORT={port}", f"DATA_DIR={tmp_path / 'data'}")

    assert f"port {port}" in line
    assert "in use" in line
    assert "make run PORT=" in line


def test_a_data_folder_that_cannot_be_written_is_named(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    line = refused(installed, f"PORT={free_port()}", f"DATA_DIR={tmp_path / 'file' / 'data'}")

    assert "cannot write to the data folder" in line
    assert "DATA_DIR=" in line


def test_a_database_that_is_newer_than_the_code_is_left_alone(installed: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with make_run(installed, tmp_path / "log", f"DATA_DIR={data}") as run:
        run.wait_until_it_greets(60)
    with sqlite3.connect(data / "burnline.sqlite3") as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, ?)",
            ("incidents", "9999_from_tomorrow", "2030-01-01"),
        )
    database.close()

    line = refused(installed, f"PORT={free_port()}", f"DATA_DIR={data}")

    assert "newer than this code" in line
    assert "9999_from_tomorrow" in line


def test_every_wrong_setting_is_named_in_one_line(installed: Path, tmp_path: Path) -> None:
    wrong = {"BURNLINE_LOG_LEVEL": "LOUD", "BURNLINE_WEB_WORKERS": "many", "REDIS_URL": "http://nowhere"}

    line = refused(installed, f"PORT={free_port()}", f"DATA_DIR={tmp_path / 'data'}", environment=wrong)

    assert all(name in line.lower() for name in ("log_level", "web_workers", "redis_url"))


def test_a_database_that_is_away_is_named(installed: Path, tmp_path: Path) -> None:
    url = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/nothing"

    line = refused(installed, f"PORT={free_port()}", f"DATA_DIR={tmp_path / 'data'}", f"DATABASE_URL={url}")

    assert "DATABASE_URL" in line
    assert "secret" not in line


def test_too_old_a_python_is_told_so() -> None:
    script = "import sys; sys.version_info = (3, 9, 2); from config import launch; launch.main(['run'])"

    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)

    assert told.returncode == 1
    assert told.stderr.startswith("burnline: Python 3.9 is too old, 3.11 or newer is needed.")
    assert len(told.stderr.splitlines()) == 1


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.copytree(ROOT / "common", tmp_path / "common")
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    script = "import sys; sys.modules['ensurepip'] = None; from config import launch; launch.main(['run'])"

    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**_newcomers_environment(), "BURNLINE_PORT": str(free_port())},
        capture_output=True,
        text=True,
    )

    assert told.returncode == 1
    assert "apt install python3-venv" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def _newcomers_environment() -> dict[str, str]:
    """Without what the run of these tests has set, above all not its database."""
    ours = ("BURNLINE_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PYTEST_", "VIRTUAL_ENV", "MAKE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _said_after(run: Run, words: str) -> str:
    found = re.search(rf"^{words}\s+(\S+)$", run.said, re.MULTILINE)
    assert found, run.said
    return found[1]


def _sign_in(run: Run, email: str, password: str) -> None:
    """By the form, as a browser without JavaScript does it."""
    with httpx.Client(base_url=run.url, follow_redirects=True) as browser:
        page = browser.get("/")
        action = str(page.url)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found, page.text
        form = {"csrfmiddlewaretoken": found[1], "email": email, "username": email, "password": password}
        browser.post(action, data=form, headers={"Origin": run.url})

        inside = browser.get("/")

        assert inside.status_code == 200
        assert 'type="password"' not in inside.text


def _processes_of(run: Run) -> list[int]:
    """Children of the supervisor, which make started and whose process launch.py became."""
    (supervisor,) = _children(run.process.pid)
    return _children(supervisor)


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in found.split()]


def _becomes_healthy(run: Run) -> None:
    end = time.monotonic() + 15
    while True:
        try:
            if httpx.get(f"{run.url}/readyz", timeout=2).status_code == 200 and len(_processes_of(run)) == 3:
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < end, run.said
        time.sleep(0.1)


def _somebody_listens(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
    except OSError:
        return False
    return True


def _assert_nobody_listens(port: int) -> None:
    assert not _somebody_listens(port)
