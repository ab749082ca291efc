"""A Celery worker is one of us: it logs as we do, and counts with the others."""

from __future__ import annotations

import json
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
    command = [sys.executable, "-W", "ignore:You're running the worker", "-m", "celery", "-q", "-A", "config.celery"]
    env = {**os.environ, "BURNLINE_DATA_DIR": str(tmp_path), "REDIS_URL": "redis://:canary@127.0.0.1:1/0"}
    worker = subprocess.Popen([*command, "worker"], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 30
        while not (tmp_path / "metrics" / "1.lock").exists():
            assert worker.poll() is None
            assert time.monotonic() < end, "it does not count with the others"
            time.sleep(0.1)
        assert worker.stderr
        first = json.loads(worker.stderr.readline())
    finally:
        worker.kill()
        worker.wait()

    # Nobody answers at that address, and Celery says so.
    assert first["log.level"] == "error"
    assert first["log.logger"].startswith("celery")
    assert "canary" not in json.dumps(first)
    assert first["service.name"] == "burnline"
