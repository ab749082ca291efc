"""A Celery worker is one of us: it logs as we do, and counts with the others."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not settings.ENV.redis_url, reason="the suite with PostgreSQL and Redis has one")
def test_a_worker_logs_as_we_do_and_counts_with_the_others(tmp_path: Path) -> None:
    said = tmp_path / "log"
    words = ["-q", "-A", "config.celery", "worker"]
    command = [sys.executable, "-W", "ignore:You're running the worker", "-m", "celery", *words]
    env = {**os.environ, "BURNLINE_DATA_DIR": str(tmp_path), "REDIS_URL": "redis://:canary@127.0.0.1:1/0"}
    with said.open("w") as output:
        worker = subprocess.Popen(command, cwd=ROOT, env=env, stderr=output)
    try:
        end = time.monotonic() + 30
        while not ((tmp_path / "metrics" / "1.lock").exists() and "\n" in said.read_text()):
            assert worker.poll() is None
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.1)
    finally:
        worker.kill()
        worker.wait()
    first = json.loads(said.read_text().partition("\n")[0])

    # Nobody answers at that address, and Celery says so.
    assert first["log.level"] == "error"
    assert first["log.logger"].startswith("celery")
    assert "canary" not in json.dumps(first)
    assert first["service.name"] == "burnline"


def test_what_a_worker_logs_is_said_by_our_settings_and_not_by_its_own_option() -> None:
    code = (
        "import django, logging; django.setup(); from config.celery import app;"
        "app.log.setup_logging_subsystem(loglevel='CRITICAL'); print(logging.getLogger().level)"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "BURNLINE_LOG_LEVEL": "INFO"}
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert told.stdout.split() == [str(logging.INFO)]
