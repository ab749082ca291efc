"""The figures and the log of a whole installation, read by the tools that operators read them with."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import make
from tests.e2e.installation import Server, found, wait_for

ROOT = Path(__file__).parents[2]
TOKEN = "known-to-prometheus"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("burnline"))
    try:
        started.start(BURNLINE_METRICS_TOKEN=TOKEN, BURNLINE_WEB_WORKERS="2")
        yield started
    finally:
        started.stop()


def promtool(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    binary = shutil.which("promtool")
    if binary is None:
        pytest.fail("make test-all needs promtool. Debian and Ubuntu: apt install prometheus")
    return subprocess.run([binary, *words], input=given, capture_output=True, text=True, check=False)


def scraped(server: Server) -> str:
    # A connection each: whichever of the web processes takes it.
    answer = httpx.get(f"http://127.0.0.1:{server.port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return answer.text


def test_promtool_finds_nothing_to_say_about_the_figures(watched: Server) -> None:
    _deliver(watched)

    checked = promtool("check", "metrics", given=scraped(watched))

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_promtool_takes_the_rules() -> None:
    checked = promtool("check", "rules", str(ROOT / "deploy/prometheus/burnline.rules.yml"))

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_process_tells_what_all_have_counted(watched: Server) -> None:
    before = _taken(scraped(watched))

    _deliver(watched, times=20)

    wait_for(lambda: _taken(scraped(watched)) == before + 20, 20)
    assert {_taken(scraped(watched)) for _ in range(20)} == {before + 20}


def test_every_line_of_the_log_is_a_document_and_none_is_a_secret(watched: Server) -> None:
    _deliver(watched)
    said = watched.introduced()

    lines = [line for line in watched.log.splitlines() if line.startswith("{")]
    documents = [json.loads(line) for line in lines]

    assert any(d["log.logger"] == "burnline.requests" and d["url.path"] == "/webhooks/alertmanager/" for d in documents)
    for secret in (TOKEN, said.api_token, said.password, found(r"credentials: (\S+)", said.receiver)):
        assert not [line for line in lines if secret in line]


def _deliver(server: Server, times: int = 1) -> None:
    token = found(r"credentials: (\S+)", server.introduced().receiver)
    for _ in range(times):
        answer = httpx.post(
            f"http://127.0.0.1:{server.port}/webhooks/alertmanager/",
            content=make.alertmanager_body(),
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200


def _taken(text: str) -> int:
    pattern = r'^burnline_ingest_deliveries_total{.*result="200"} (\S+)$'
    return sum(int(float(value)) for value in re.findall(pattern, text, re.MULTILINE))
