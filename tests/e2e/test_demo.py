"""`make demo` as its newcomer meets it: press a button, see an incident; with a real Prometheus and Alertmanager."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.installation import ROOT, found, wait_for

PATIENCE = 60  # seconds from the press to the incident, as promised

pytestmark = pytest.mark.e2e


class Demo:
    """What `make demo` starts, on a folder and four ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, four_free_ports()
        self.url, self.scorer = (f"http://127.0.0.1:{self.port + n}" for n in (0, 1))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def said(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def password(self) -> str:
        return found(r"with the password\s+(\S+)", self.said)

    def start(self) -> None:
        own = {"BURNLINE_PORT": str(self.port), "BURNLINE_DATA_DIR": str(self.folder / "data")}
        with (self.folder / "log").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo"],
                cwd=ROOT,
                env={**os.environ, **own, "BURNLINE_LOG_LEVEL": "WARNING"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_for(lambda: "Ctrl-C stops everything" in self.said, 120, lambda: self.said)

    def stop(self) -> float:
        """By Ctrl-C; how many seconds it took."""
        assert self.process
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(20)
        return time.monotonic() - began

    def children(self) -> list[int]:
        assert self.process
        command = ["ps", "-o", "pid=", "--ppid", str(self.process.pid)]
        return [int(pid) for pid in subprocess.run(command, capture_output=True, text=True).stdout.split()]

    def listening(self) -> list[int]:
        return [port for port in range(self.port, self.port + 4) if somebody_listens(port)]


def four_free_ports() -> int:
    """The first of four in a row that nobody has."""
    for port in range(18800, 19800, 4):
        if not any(somebody_listens(port + beside) for beside in range(4)):
            return port
    raise AssertionError("no four free ports in a row")


def somebody_listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    for names in (("prometheus",), ("prometheus-alertmanager", "alertmanager")):
        if not any(map(shutil.which, names)):
            pytest.fail(f"There is no {names[0]} here: apt-get install {names[0]}")
    started = Demo(tmp_path_factory.mktemp("demo"))
    started.start()
    try:
        yield started
    finally:
        if started.process and started.process.poll() is None:
            started.stop()


def test_who_presses_degrade_sees_an_incident_within_a_minute(demo: Demo, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = context.new_page()
    sign_in(page, demo)
    page.goto(f"{demo.url}/incidents/?tab=open")
    scorer = context.new_page()
    scorer.goto(f"{demo.scorer}/")

    scorer.get_by_role("button", name="Degrade accuracy").click()
    pressed = time.monotonic()
    expect(scorer.get_by_text("degraded accuracy")).to_be_visible()
    row = page.get_by_role("link", name=re.compile(r"of the scores are wrong"))
    while not row.count():
        seconds = time.monotonic() - pressed
        assert seconds < PATIENCE, demo.said
        time.sleep(0.2)
        if page.get_by_role("button", name="Show changes").is_visible():
            page.get_by_role("button", name="Show changes").click()
    seconds = time.monotonic() - pressed

    print(f"\nmake demo: from the press to the incident in the open list: {seconds:.1f} s")
    row.first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("of the scores are wrong")
    expect(page.get_by_text("ModelAccuracyBurn").first).to_be_visible()
    context.close()


def test_what_a_command_degrades_opens_another_incident_and_what_it_heals_resolves(demo: Demo) -> None:
    answer = ask(demo, "degrade", "availability")
    assert "availability" in answer

    wait_for(lambda: firing(demo, "ModelAvailabilityBurn") == ["firing"], PATIENCE, lambda: demo.said)
    assert "[]" in ask(demo, "heal")

    wait_for(lambda: firing(demo, "ModelAvailabilityBurn") == ["resolved"], PATIENCE, lambda: demo.said)


def test_ctrl_c_stops_everything_and_a_restart_keeps_the_data(demo: Demo, browser: Browser) -> None:
    processes, password = demo.children(), demo.password
    assert len(processes) == 6, "two web processes, an engine, and the three beside them"
    assert len(demo.listening()) == 4

    assert demo.stop() < 6
    assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    assert demo.listening() == []

    demo.start()
    assert demo.password == password
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, demo)
    page.goto(f"{demo.url}/incidents/?tab=all&q=ModelAccuracy")
    page.goto(f"{demo.url}/incidents/31/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("fraud-scorer")
    context.close()


def test_without_its_programs_the_demo_names_their_packages(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "config.launch", "demo"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "BURNLINE_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
    )

    assert told.returncode == 1
    assert len(told.stderr.splitlines()) == 1
    assert "apt install prometheus prometheus-alertmanager" in told.stderr


def test_a_page_from_elsewhere_cannot_press_the_buttons(demo: Demo) -> None:
    answer = httpx.post(demo.scorer, data={"action": "heal"}, headers={"Origin": "https://elsewhere.example"})

    assert answer.status_code == 403


def firing(demo: Demo, name: str) -> list[str]:
    """The states of the alerts of this name, by Burnline's API."""
    token = (demo.folder / "data" / "demo-token").read_text()
    answer = httpx.get(f"{demo.url}/api/v1/alerts/", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    live = [alert for alert in answer.json()["results"] if alert["name"] == name and "slo_id" in alert["labels"]]
    return [alert["status"] for alert in live if alert["integration"] == "demo-alertmanager"]


def ask(demo: Demo, *words: str) -> str:
    command = [sys.executable, "-m", "demo", "--port", str(demo.port + 1), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def sign_in(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/")
    page.locator("input[type=email], input[name=email], input[name=login], input[name=username]").first.fill(
        "dana.okafor@example.com"
    )
    page.locator("input[type=password]").fill(demo.password)
    page.locator("button[type=submit]").first.click()
    expect(page.locator("input[type=password]")).to_have_count(0)
