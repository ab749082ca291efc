"""Engines and workers are killed at random moments, and everything arrives: no more copies than were under way."""

from __future__ import annotations

import random
import shutil
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from common.work import DueWork
from tests import evidence, providers
from tests.faults.errands.models import Errand
from tests.faults.machines import Machine, Plant

SEED = 20_261
PATIENCE = 120.0  # seconds for what is left after the last kill: leases have to end, and pauses to pass

# Where `make prove` asks for all of it; else a share: without Redis on SQLite, with Redis on PostgreSQL.
KILLS, DELIVERIES = (100, 2_000) if evidence.is_wanted() else (10, 200)


def with_redis() -> list[bool]:
    if evidence.is_wanted():
        return [False, True]
    return [connection.vendor == "postgresql"]


@pytest.mark.slow
@pytest.mark.parametrize("redis", with_redis())
def test_everything_arrives_through_kills(errands: type[Errand], machines: Plant, redis: bool) -> None:
    dice = random.Random(SEED + redis)
    if redis and not shutil.which("redis-server"):
        pytest.skip("no redis-server here")

    def answer(handler: providers.Handler) -> None:
        handler.wait(dice.random())
        handler.answer(200)

    with providers.http() as provider, evidence.of("kills", redis=redis, seed=SEED) as row:
        provider.behave(answer)
        if redis:
            machines.redis()
        running = [machines.engine(), machines.worker() if redis else machines.engine()]
        span = KILLS * 1.0
        now = timezone.now()
        errands.objects.bulk_create(
            errands(
                key=f"errand-{n}",
                url=provider.url("/errands"),
                lane=f"lane {n % 5}",
                due_at=now + timedelta(seconds=span * n / DELIVERIES),
            )
            for n in range(DELIVERIES)
        )

        bound = 0
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.1, 1.9))
            bound += kill(dice.choice(running))
        wait_until_all_ended(errands, running)

        keys = [request.key for request in provider.requests]
        row |= {
            "kills": KILLS,
            "deliveries": DELIVERIES,
            "arrived": len(set(keys)),
            "copies": len(keys) - len(set(keys)),
            "bound": bound,
        }

    assert set(keys) == {f"errand-{n}" for n in range(DELIVERIES)}
    assert row["copies"] <= bound
    assert any("workers carry out" in machine.said for machine in running) == redis


def kill(machine: Machine) -> int:
    """How much was under way when it died; that of others is counted in, for nobody knows better."""
    machine.kill()
    under_way = under_way_now()
    machine.start()
    return under_way


def under_way_now() -> int:
    return Errand.objects.filter(state=DueWork.State.WAITING, begun_at__isnull=False).count()


def wait_until_all_ended(errands: type[Errand], running: list[Machine]) -> None:
    end = time.monotonic() + PATIENCE
    while left := errands.objects.filter(state=DueWork.State.WAITING).count():
        assert time.monotonic() < end, f"{left} errands wait still:\n" + "\n".join(its.said[-2000:] for its in running)
        time.sleep(0.2)
