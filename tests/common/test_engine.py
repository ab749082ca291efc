"""The engine ticks, says so, and outlives a database that is away."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from common import engine
from common.models import Heartbeat
from tests import evidence
from tests.clusters import free_port
from tests.make import NOW

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.django_db
def test_nobody_ticked_before_the_first_beat() -> None:
    assert engine.last_beat() is None
    assert not engine.is_fresh(NOW)


@pytest.mark.django_db
def test_a_beat_is_fresh_for_15_seconds() -> None:
    engine.beat(now=NOW)

    assert engine.last_beat() == NOW
    assert engine.is_fresh(NOW + timedelta(seconds=14))
    assert not engine.is_fresh(NOW + timedelta(seconds=15))


@pytest.mark.django_db
def test_the_heart_beats_in_one_row() -> None:
    engine.beat(now=NOW)
    engine.beat(now=NOW + timedelta(seconds=1))

    (beat,) = Heartbeat.objects.all()
    assert beat.beat_at == NOW + timedelta(seconds=1)
    assert beat.pid == os.getpid()


@pytest.mark.django_db
def test_a_database_that_takes_writes_is_proven_by_one_that_changes_nothing() -> None:
    engine.beat(now=NOW)

    engine.prove_writable()

    assert engine.last_beat() == NOW


def test_the_engine_waits_for_a_database_that_is_away_and_leaves_at_once_when_told(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    env = {**os.environ, "DATABASE_URL": url, "BURNLINE_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "engine"]

    with (
        subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process,
        _killed_after(process, 20),
    ):
        assert process.stderr
        first = process.stderr.readline()
        time.sleep(1.2)  # over a second failure, which it does not repeat
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        code = process.wait()

    assert "The database is away" in first
    assert code == 0
    assert rest == ""
    assert time.monotonic() - began < evidence.allowed(1)


@pytest.mark.django_db(transaction=True)
def test_it_is_seen_to_live_before_it_reads_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    its = engine.Engine(1, with_workers=False)
    monkeypatch.setattr(its._timetable, "enter", lambda **_: None)
    seen = []

    def prepare() -> None:
        seen.append(engine.last_beat())
        its.stop()

    assert its.run(prepare=prepare)
    assert [beat is not None for beat in seen] == [True]


def test_the_first_message_waits_for_nothing_to_be_read(tmp_path: Path) -> None:
    code = (
        "import sys, django; django.setup(); from common.management.commands import engine; engine.load();"
        "before = set(sys.modules); from notifications import tasks; from django.urls import reverse;"
        "reverse('incident-detail', args=[1]); sys.exit(sorted(set(sys.modules) - before) or None)"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "BURNLINE_DATA_DIR": str(tmp_path)}

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@contextmanager
def _killed_after(process: "subprocess.Popen[str]", seconds: float) -> Iterator[None]:
    """So that a process that says nothing fails the test, and does not stop it."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
