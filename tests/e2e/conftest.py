"""A running Burnline for the tests that meet it from outside, as its newcomer does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.clusters import free_port
from tests.e2e.installation import Installation, found, wait_for

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def burnline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("burnline")
    port = free_port()
    log = folder / "log"
    env = {**os.environ, "BURNLINE_PORT": str(port), "BURNLINE_DATA_DIR": str(folder / "data")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for(lambda: "Ctrl-C stops everything" in log.read_text(), 40, lambda: log.read_text())
        said = log.read_text()
        yield Installation(
            url=f"http://127.0.0.1:{port}",
            email=found(r"Sign in as\s+(\S+)", said),
            password=found(r"with the password\s+(\S+)", said),
            api_token=found(r"API token\s+(\S+)", said),
            receiver=said[said.index("receivers:") : said.index("Passwords and tokens")],
        )
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(15)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        pytest.fail("There is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=binary,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
            ],
        )
        yield launched
        launched.close()
