"""Providers that hang, break, ask for patience, talk rubbish or hang up, all at once, and one that is well."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from notifications import methods, outbox
from notifications.models import Delivery, Message
from people.models import User
from tests import evidence, make, providers
from tests.faults.machines import Plant

BAD: Mapping[str, providers.Behaviour] = {
    "hangs": providers.hang(),
    "breaks": providers.status(500),
    "asks for patience": providers.too_many("9"),
    "talks rubbish": providers.rubbish,
    "hangs up": providers.closed,
}
EACH = 8  # messages to each of them,
HANGING = 40  # and to the one that hangs: more than an engine has threads
WELL = 60  # messages to the one that is well
BAD_FOR = 8.0  # seconds
PATIENCE = 90.0  # seconds

pytestmark = pytest.mark.proof


def tell(user: User) -> str:
    with transaction.atomic():
        return outbox.enqueue(
            key=make.unique("message"),
            to=user,
            kind=Message.Kind.MENTIONED,
            topic="test:1",
            subject="Look",
            text="Here.",
            now=timezone.now(),
        ).key


def test_nothing_is_lost_nobody_is_pressed_and_who_is_well_hears_at_once(
    errands: object, settings: Any, machines: Plant
) -> None:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    with ExitStack() as stack, evidence.of("bad-providers") as row:
        all_of_them = {name: stack.enter_context(providers.http()) for name in (*BAD, "well")}
        users = {name: make.user(name.title()) for name in all_of_them}
        for name, provider in all_of_them.items():
            provider.behave(BAD.get(name, providers.fine))
            methods.add(users[name], "webhook", provider.url("/in"), now=timezone.now())
        machines.engine()
        _tell_slowly(users["well"], 1)
        _wait_until_all_is_sent()  # the engine is there
        alone = _tell_slowly(users["well"], WELL)
        _wait_until_all_is_sent()
        asked = {name: {tell(users[name]) for _ in range(HANGING if name == "hangs" else EACH)} for name in BAD}
        time.sleep(2)  # every bad one is met

        beside = _tell_slowly(users["well"], WELL)
        time.sleep(max(0.0, BAD_FOR - 2 - WELL * 0.1))
        for name in BAD:
            all_of_them[name].behave(providers.fine)
            asked[name].add(tell(users[name]))
        _wait_until_all_is_sent()

        arrived = {request.key: request.at for request in all_of_them["well"].requests}
        impatient = all_of_them["asks for patience"].requests
        row |= {
            "messages": Message.objects.count(),
            "delivered": Message.objects.filter(state=Message.State.DELIVERED).count(),
            "well_alone_max_ms": round(1000 * max(arrived[key] - at for key, at in alone.items())),
            "well_beside_max_ms": round(1000 * max(arrived[key] - at for key, at in beside.items())),
            "shortest_pause_ms": round(1000 * min(_pauses(impatient), default=0)),
        }

    assert row["delivered"] == row["messages"] == 1 + 2 * WELL + sum(map(len, asked.values()))
    for name, keys in asked.items():
        assert keys <= {request.key for request in all_of_them[name].requests}
    assert row["shortest_pause_ms"] >= 9000
    assert row["well_beside_max_ms"] <= row["well_alone_max_ms"] + 1000 * evidence.allowed(1)


def _tell_slowly(user: User, count: int) -> dict[str, float]:
    """Messages to this person, ten in a second: when each was asked for."""
    asked = {}
    for _ in range(count):
        at = time.time()
        asked[tell(user)] = at
        time.sleep(0.1)
    return asked


def _wait_until_all_is_sent() -> None:
    end = time.monotonic() + PATIENCE
    while Delivery.objects.filter(state="waiting").exists() and time.monotonic() < end:
        time.sleep(0.2)


def _pauses(requests: list[providers.Request]) -> list[float]:
    """The seconds between the tries of each message."""
    tries: dict[str, list[float]] = {}
    for request in requests:
        tries.setdefault(request.key, []).append(request.at)
    return [later - earlier for its in tries.values() for earlier, later in itertools.pairwise(its)]
