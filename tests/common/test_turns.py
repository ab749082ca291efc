"""Writers to a SQLite file queue: across threads and processes, and nobody waits for one who died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import OperationalError, connection, connections, transaction

from common.sqlite import turns
from common.sqlite.turns import Turns
from people.models import Team
from tests import make

HOLD = """
import sys, time
from pathlib import Path
from common.sqlite.turns import Turns
queue = Turns(Path(sys.argv[1]))
assert queue.take(5)
print("held", flush=True)
time.sleep(60)
"""


def test_one_at_a_time_among_threads(tmp_path: Path) -> None:
    queue = Turns(tmp_path / "turns")
    inside: list[int] = []

    def write(n: int) -> int:
        assert queue.take(10)
        inside.append(n)
        time.sleep(0.005)
        at_once = len(inside)
        inside.remove(n)
        queue.give()
        return at_once

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(24))) == {1}


def test_who_waits_for_too_long_is_told(tmp_path: Path) -> None:
    queue = Turns(tmp_path / "turns")
    assert queue.take(1)

    assert not queue.take(0.05)


def test_another_process_is_waited_for_until_it_gives_or_dies(tmp_path: Path) -> None:
    file = tmp_path / "turns"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with ThreadPoolExecutor(1) as pool:
            queue = Turns(file)
            mine = pool.submit(queue.take, 10)
            time.sleep(0.2)
            assert not mine.done()
            os.kill(other.pid, signal.SIGKILL)
            assert mine.result(10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has locks of its own")
class TestTransactions:
    def test_end_their_turn_however_they_end(self) -> None:
        queue = turns.at(str(connection.settings_dict["NAME"]))

        with transaction.atomic():
            assert not queue.take(0)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            _ = 1 / 0
        with pytest.raises(OperationalError), transaction.atomic():
            connection.cursor().execute("SELECT nothing FROM nowhere")
        with transaction.atomic():
            connection.close()

        assert queue.take(0)
        queue.give()

    def test_wait_for_each_other_and_all_are_done(self) -> None:
        def add(n: int) -> None:
            try:
                with transaction.atomic():
                    make.team(f"team-{n}")
                    time.sleep(0.01)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(24)))

        assert Team.objects.count() == 24
