"""Web processes are killed at random moments while many senders post: what was answered with 2xx is there, whole, and
once."""

from __future__ import annotations

import random
import time

import pytest

from tests import evidence, make
from tests.faults import senders
from tests.faults.machines import Plant, Web
from tests.faults.senders import Crowd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.proof, pytest.mark.slow]

SEED = 8_261
KILLS = 1_000 if evidence.is_wanted() else 20
PARENT = 6  # of so many kills one meets the parent and all its workers: else the pauses before they start again grow
WORKERS = 2
PATIENCE = 60.0  # seconds until a worker answers again


def test_what_was_answered_is_there_though_web_processes_were_killed(machines: Plant) -> None:
    _, token = make.integration()
    web = machines.web()

    with evidence.of("web-kills", seed=SEED) as row:
        with senders.sending(web.port, token, SEED) as crowd:
            kill(web, crowd, KILLS)
        found = senders.look(crowd)
        row |= {"kills": KILLS, **figures(crowd), **found.counts}

    assert crowd.faults == []
    assert found == senders.Findings()
    assert row["resent"] > KILLS  # they did meet something


def figures(crowd: Crowd) -> dict[str, int]:
    return {
        "clients": senders.SENDERS,
        "acked": len(crowd.bodies),
        "acked_alerts": len(crowd.alerts),
        "resent": crowd.resent,
        "p99_ms": round(evidence.percentile(crowd.took, 0.99) * 1000),
        "max_ms": round(max(crowd.took, default=0) * 1000),
    }


def kill(web: Web, crowd: Crowd, times: int) -> None:
    """A worker at random each time, sometimes all with their parent; always one that has answered."""
    dice = random.Random(SEED)
    for n in range(1, times + 1):
        # While all of them answer, much is taken in; while all but one are gone, much waits.
        worker = dice.choice(sorted(at_work(web, crowd, dice.randint(1, WORKERS))))
        time.sleep(dice.uniform(0, 0.2))
        if n % PARENT == 0:
            web.kill()
            web.start()
        else:
            web.kill_worker(worker)


def at_work(web: Web, crowd: Crowd, count: int) -> set[int]:
    """The workers that have answered, once there are so many."""
    end = time.monotonic() + PATIENCE
    while len(workers := web.workers & crowd.workers) < count:
        assert time.monotonic() < end, web.said[-2000:]
        assert not crowd.faults, crowd.faults
        time.sleep(0.01)
    return workers
