"""Engines and workers are killed at random moments, and every message arrives: each copy under its key, and no more
copies than deliveries were under way."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from notifications import methods, outbox
from notifications.models import Delivery, Message
from people.models import User
from tests import evidence, make, providers
from tests.faults.machines import Machine, Plant

SEED = 20_261
PATIENCE = 120.0  # seconds for what is left after the last kill: leases have to end, and pauses to pass
SPAN = 1.0  # seconds between two kills, on the average
PROVIDERS = 4  # each has a lane of its own

# All of it where `make prove` asks for it; else a share: without Redis on SQLite, with Redis on PostgreSQL.
KILLS, MESSAGES = (100, 2_000) if evidence.is_wanted() else (10, 200)
WITH_REDIS = [False, True] if evidence.is_wanted() else [connection.vendor == "postgresql"]


@pytest.fixture
def private_networks(settings: Any) -> None:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})


@pytest.mark.proof
@pytest.mark.parametrize("redis", WITH_REDIS)
@pytest.mark.django_db(transaction=True)
def test_every_message_arrives_through_kills(machines: Plant, private_networks: None, redis: bool) -> None:
    if redis and not shutil.which("redis-server"):
        pytest.skip("no redis-server here")
    dice = random.Random(SEED + redis)

    def answer(handler: providers.Handler) -> None:
        handler.wait(dice.random())
        handler.answer(200)

    with evidence.of("kills", redis=redis, seed=SEED) as row:
        towers = [providers.HttpProvider() for _ in range(PROVIDERS)]
        for tower in towers:
            tower.behave(answer)
        people = [person_at(tower, f"{n}") for n, tower in enumerate(towers)]
        if redis:
            machines.redis()
        running = [machines.engine(), machines.worker() if redis else machines.engine()]

        writer = threading.Thread(target=write, args=(people,))
        writer.start()
        cut_short: set[tuple[int, str]] = set()
        for _ in range(KILLS):
            time.sleep(SPAN * dice.uniform(0.1, 1.9))
            wait_until_something_is_under_way()
            time.sleep(dice.uniform(0.0, 0.5))
            cut_short |= kill(dice.choice(running))
        writer.join()
        wait_until_all_ended(running)

        for tower in towers:
            tower.close()
        written = dict(Message.objects.values_list("key", "created_at"))
        requests = sorted((request for tower in towers for request in tower.requests), key=lambda its: its.at)
        copies = Counter(request.json["data"]["key"] for request in requests)
        first = {request.json["data"]["key"]: request.at for request in reversed(requests)}
        late = [at - written[key].timestamp() for key, at in first.items() if key in written]
        row |= {
            "kills": KILLS,
            "deliveries": len(written),
            "arrived": len(first),
            "copies": copies.total() - len(copies),
            "bound": len(cut_short),
            "most_copies_of_one": max(copies.values()) - 1,
            "p50_ms": round(evidence.percentile(late, 0.5) * 1000),
            "p99_ms": round(evidence.percentile(late, 0.99) * 1000),
            "max_ms": round(max(late) * 1000),
        }

    assert set(copies) == set(written)
    assert len(written) == MESSAGES
    assert row["copies"] <= row["bound"]
    assert all(request.headers["webhook-id"] for request in requests)
    assert len({(request.json["data"]["key"], request.headers["webhook-id"]) for request in requests}) == MESSAGES
    assert set(Message.objects.values_list("state", flat=True)) == {Message.State.DELIVERED}
    assert any("workers carry out" in machine.said for machine in running) == redis


def person_at(tower: providers.HttpProvider, name: str) -> User:
    """Somebody who is told there, and nowhere else."""
    person = make.user(f"Person {name}")
    methods.add(person, "webhook", tower.url("/in"), now=timezone.now())
    return person


def write(people: list[User]) -> None:
    """Messages, one after the other, as long as there are kills."""
    for n in range(MESSAGES):
        with transaction.atomic():
            outbox.enqueue(
                key=f"message-{n}",
                to=people[n % len(people)],
                kind=Message.Kind.MENTIONED,
                topic="test:1",
                subject="Look",
                text="Here.",
                now=timezone.now(),
            )
        time.sleep(KILLS * SPAN / MESSAGES * 0.9)
    connection.close()


def kill(machine: Machine) -> set[tuple[int, str]]:
    """What was under way when it died, and under which claim; that of others is counted in, for nobody knows better."""
    machine.kill()
    under_way = Delivery.objects.filter(state="waiting", begun_at__isnull=False)
    cut_short = set(under_way.values_list("pk", "claim"))
    machine.start()
    return cut_short


def wait_until_something_is_under_way() -> None:
    """Else many kills would hit processes that are only just starting."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if Delivery.objects.filter(state="waiting", begun_at__isnull=False, lease_until__gt=Now()).exists():
            return
        time.sleep(0.05)


def wait_until_all_ended(running: list[Machine]) -> None:
    end = time.monotonic() + PATIENCE
    while left := Delivery.objects.filter(state="waiting").count():
        said = "\n".join(machine.said[-2000:] for machine in running)
        assert time.monotonic() < end, f"{left} deliveries wait still:\n{said}"
        time.sleep(0.2)
