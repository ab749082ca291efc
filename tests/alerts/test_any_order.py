"""What a real Alertmanager sent, twice, in any order and all at once: every alert ends as its source left it.

In `timeout_then_same_start` alone the order matters: one alert fires before and after its resolve, to the byte. What
fires after it has resolved, with the same start, cannot be told from a late copy: it stays resolved for a grace, and
fires once that is over. So what comes in any order is looked at within the grace, and without that capture; and then
all captures once more, after their sources have told everything again in order and the grace is over.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connections

from alerts import grace, ingest
from alerts.models import Delivery, Integration
from tests import captures, evidence, make
from tests.undone import undone

pytestmark = [pytest.mark.proof, pytest.mark.slow]

AFTER = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)  # all that was captured
GRACE = timedelta(seconds=settings.ENV.provisional_grace)
SEEDS = range(50 if evidence.is_wanted() else 5)
ROUNDS = range(10 if evidence.is_wanted() else 2)
AT_ONCE = 8

IN_ANY_ORDER = [name for name, expected in captures.EXPECTED.items() if expected["shuffle_safe"]]


def test_order_matters_where_the_same_alert_fires_again_and_nowhere_else() -> None:
    assert set(captures.EXPECTED) - set(IN_ANY_ORDER) == {"timeout_then_same_start"}


@pytest.mark.django_db
@pytest.mark.parametrize("scenario", captures.EXPECTED)
def test_a_capture_of_which_everything_comes_twice_ends_the_same(scenario: str) -> None:
    source = new_source()

    deliver(source, doubled(scenario))
    grace.end(now=AFTER + 2 * GRACE)

    captures.assert_ended_right(source, scenario)


@pytest.mark.django_db
def test_a_capture_in_any_order_ends_the_same() -> None:
    wrong: list[str] = []
    deliveries = 0
    with evidence.of("any-order", seeds=len(SEEDS)) as row:
        for seed in SEEDS:
            dice = random.Random(seed)
            with undone():
                for scenario in IN_ANY_ORDER:
                    for bodies in (list(captures.bodies(scenario)), doubled(scenario)):
                        dice.shuffle(bodies)
                        source = new_source()
                        deliver(source, bodies)
                        wrong += faults(source, scenario, seed)
                deliveries += Delivery.objects.count()
        row |= {"runs": 2 * len(SEEDS) * len(IN_ANY_ORDER), "deliveries": deliveries, "wrong": len(wrong)}

    assert not wrong, "\n".join(wrong[:5])
    assert deliveries == 3 * len(SEEDS) * number_of_deliveries(IN_ANY_ORDER)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", SEEDS[:5])
def test_whatever_came_before_what_is_told_again_in_order_ends_right_after_the_grace(seed: int) -> None:
    dice = random.Random(seed)
    sources = {scenario: new_source() for scenario in captures.EXPECTED}
    for scenario, source in sources.items():
        bodies = doubled(scenario)
        dice.shuffle(bodies)
        deliver(source, bodies)
        deliver(source, captures.bodies(scenario), begin=AFTER + GRACE / 2)

    while grace.end(now=AFTER + 2 * GRACE):
        pass

    for scenario, source in sources.items():
        captures.assert_ended_right(source, scenario)


@pytest.mark.django_db(transaction=True)
def test_a_capture_that_comes_all_at_once_ends_the_same() -> None:
    wrong: list[str] = []
    refused = 0
    with evidence.of("all-at-once", at_once=AT_ONCE) as row:
        for seed in ROUNDS:
            dice = random.Random(seed)
            for scenario in IN_ANY_ORDER:
                bodies = doubled(scenario)
                dice.shuffle(bodies)
                source = new_source()
                refused += deliver_at_once(source, bodies)
                wrong += faults(source, scenario, seed)
        deliveries = Delivery.objects.count()
        row |= {"captures": len(ROUNDS) * len(IN_ANY_ORDER), "deliveries": deliveries}
        row |= {"told_to_come_again": refused, "wrong": len(wrong)}

    assert not wrong, "\n".join(wrong[:5])
    assert deliveries == 2 * len(ROUNDS) * number_of_deliveries(IN_ANY_ORDER)


def new_source() -> Integration:
    """Fingerprints and groups count within it, so that no run knows of another."""
    return make.integration(make.unique("source"))[0]


def number_of_deliveries(scenarios: Iterable[str]) -> int:
    return sum(len(captures.bodies(scenario)) for scenario in scenarios)


def doubled(scenario: str) -> list[bytes]:
    return [body for body in captures.bodies(scenario) for _ in range(2)]


def deliver(source: Integration, bodies: Sequence[bytes], *, begin: datetime = AFTER) -> None:
    """One after another, all within half a grace."""
    for n, body in enumerate(bodies):
        ingest.receive(source, body, now=begin + n * GRACE / 2 / len(bodies))


def faults(source: Integration, scenario: str, seed: int) -> list[str]:
    """What is not as its source left it."""
    try:
        captures.assert_ended_right(source, scenario)
    except AssertionError as exc:
        return [f"{scenario}, seed {seed}: {traceback.extract_tb(exc.__traceback__)[-1].line}"]
    return []


def deliver_at_once(source: Integration, bodies: Sequence[bytes]) -> int:
    """All of them, each from a thread and until it is taken. How often one was told to come again."""

    def send(body: bytes) -> int:
        refused = 0
        try:
            while True:
                try:
                    ingest.receive(source, body, now=AFTER)
                    return refused
                except ingest.Contended:  # a 503 to Alertmanager, which comes again
                    refused += 1
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(send, bodies))
