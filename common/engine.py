"""The engine: what ticks each second, and how everybody else sees that it does."""

import logging
import os
import socket
import time
from datetime import datetime, timedelta
from typing import NoReturn

from django.db import Error, connection
from django.utils import timezone

from common.models import Heartbeat

logger = logging.getLogger(__name__)

NAME = "engine"
FRESH = timedelta(seconds=15)
TICK = 1.0  # seconds


def run() -> NoReturn:
    """Tick for ever. A database that is away is waited for, and named once."""
    away = False
    while True:
        began = time.monotonic()
        try:
            beat(now=timezone.now())
            if away:
                logger.warning("The database is back.")
            away = False
        except Error as exc:
            if not away:
                logger.warning(
                    "The database is away, trying again each second: %s", str(exc).strip().partition("\n")[0]
                )
            away = True
            connection.close()
        time.sleep(max(0.0, TICK - (time.monotonic() - began)))


def beat(*, now: datetime) -> None:
    """Write down that the engine lives. One statement."""
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=NAME, beat_at=now, pid=os.getpid(), host=socket.gethostname())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["beat_at", "pid", "host"],
    )


def last_beat() -> datetime | None:
    """When an engine last ticked; None if none ever did."""
    return Heartbeat.objects.filter(name=NAME).values_list("beat_at", flat=True).first()


def is_fresh(now: datetime) -> bool:
    """Whether an engine ticked in the last 15 seconds."""
    last = last_beat()
    return last is not None and now - last < FRESH


def prove_writable() -> None:
    """Raise DatabaseError unless the database takes writes. Changes no row; a full disk shows in the heartbeat."""
    Heartbeat.objects.filter(name="").update(pid=0)
