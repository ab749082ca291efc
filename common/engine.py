"""The engine: what looks each second for what is due, takes it and hands it on; and how everybody sees that it does."""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import Error, connection
from django.utils import timezone

from common import wake, work
from common.hands import Threads, Workers
from common.models import Heartbeat
from common.schedule import Timetable
from common.work import Claimed, DueWork

logger = logging.getLogger(__name__)

NAME = "engine"
FRESH = timedelta(seconds=15)
TICK = 1.0  # seconds between two looks at everything
BEAT = 3.0  # seconds between two heartbeats: each is a write
POLL = 0.1  # seconds between two looks at what workers have
SETTLE = 0.02  # seconds in which what ended is gathered, before more is taken
WORKERS_LANE = 4  # pieces of one lane that workers get at once: a few that hang leave them threads for the others
STALLED = 15  # seconds without a tick, after which the process ends: whoever watches over it starts it again
LAST_WORDS = 2.0  # seconds that what is under way gets once it is told to stop
LEAVE = 2.8  # seconds after which it ends whatever hangs


class Engine:
    """`Engine(threads, with_workers=...).run()` until `stop()`. Any number may run, on any number of machines."""

    def __init__(self, threads: int, *, with_workers: bool) -> None:
        self._kinds = deque(work.kinds())
        self._threads = Threads(threads, lambda piece: self._news.put(piece.model))
        self._workers = Workers() if with_workers else None
        self._timetable = Timetable()
        # A kind of which a piece has ended or is due, or None to say stop. Its `put` may be called by a signal handler.
        self._news: queue.SimpleQueue[type[DueWork] | None] = queue.SimpleQueue()
        self._share = threads // (2 * max(1, len(self._kinds)))
        self._spare = threads // 16
        self._beat_at = -BEAT
        self._turns = 0
        self._leave_at: float | None = None
        self._has_left = threading.Event()
        self._is_away = False

    def stop(self) -> None:
        """Take nothing more, and end soon. Safe in a signal handler."""
        if self._leave_at is None:
            self._leave_at = time.monotonic() + LEAVE
        self._news.put(None)

    def run(self, *, prepare: Callable[[], None] | None = None) -> bool:
        """Look each second, and again as soon as something has ended. At the end, whether everything under way has
        ended too; what has not is given back. `prepare` is called once it is seen to live, before it takes any."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        if prepare:
            with self._waiting_for_the_database():
                self._beat()
            prepare()
        bell = wake.Bell(wake.WORK, self._hear)
        tick_at = time.monotonic()
        ended: Collection[type[DueWork]] = ()
        while self._leave_at is None:
            self._turns += 1
            now = time.monotonic()
            is_tick = now >= tick_at
            if is_tick:
                tick_at = max(tick_at + TICK, now)
                self._kinds.rotate()  # none is always the last to be looked at
            with self._waiting_for_the_database():
                self._look(is_tick, ended)
            ended = self._wait_for_news(tick_at)
        bell.close()
        return self._end()

    def _hear(self) -> None:
        """Something new is due: look at every kind, though not again within a moment."""
        for model in work.kinds():
            self._news.put(model)
        time.sleep(POLL)  # in the bell's own thread

    @contextmanager
    def _waiting_for_the_database(self) -> Iterator[None]:
        """One that is away is named once, and asked again with the next tick."""
        try:
            yield
            if self._is_away:
                logger.warning("The database is back.")
            self._is_away = False
        except Error as exc:
            if not self._is_away:
                reason = str(exc).strip().partition("\n")[0]
                logger.warning("The database is away, trying again each second: %s", reason)
            self._is_away = True
            connection.close()

    def _beat(self) -> None:
        if time.monotonic() - self._beat_at >= BEAT:
            beat(now=timezone.now())
            self._beat_at = time.monotonic()

    def _look(self, is_tick: bool, ended: Collection[type[DueWork]]) -> None:
        if is_tick:
            self._beat()
            self._timetable.enter(now=timezone.now())
        if self._workers:
            self._threads.begin(self._workers.refused()[: self._threads.room])  # the rest comes again by its lease
            ended = {*ended, *self._workers.look()}
        for model in self._kinds:
            if is_tick or model in ended:
                self._take(model)

    def _take(self, model: type[DueWork]) -> None:
        """Take what is due of this kind, as far as there are hands for it."""
        only_late: bool | None = None
        if self._workers:
            if room := self._workers.room:
                now = time.monotonic()
                fresh = work.take(
                    model, room, self._lanes(model), work.HAND_OVER, only_late=False, lane_limit=WORKERS_LANE
                )
                self._workers.hand_over(fresh, taken_at=now)
            only_late = True if self._workers.are_trusted else None
        room = self._room(model)
        most = room - self._spare
        if most > 0:
            found = work.take(model, most, self._lanes(model), only_late=only_late)
            self._threads.begin(found)
            if len(found) < most:
                return
        # The last threads are for lanes that have none: a few that hang do not keep all the others waiting.
        free = min(room, self._spare)
        self._threads.begin(work.take(model, free, self._lanes(model), only_late=only_late, lane_limit=1))

    def _room(self, model: type[DueWork]) -> int:
        """Half of the threads are shared out evenly, so that no kind waits for all of another; the rest is for who
        comes first."""
        busy = Counter(piece.model for piece in self._threads.in_hand)
        kept = sum(max(0, self._share - busy[other]) for other in self._kinds if other is not model)
        return max(0, self._threads.room - kept)

    def _lanes(self, model: type[DueWork]) -> Counter[str]:
        pieces: list[Claimed] = [*self._threads.in_hand, *(self._workers.in_hand if self._workers else ())]
        return Counter(piece.lane for piece in pieces if piece.model is model)

    def _wait_for_news(self, tick_at: float) -> set[type[DueWork]]:
        """Until something has ended, a bell rang, or it is time to look anyway. The kinds to look at."""
        patience = tick_at - time.monotonic()
        if self._workers and self._workers.in_hand:
            patience = min(patience, POLL)
        news: set[type[DueWork] | None] = set()
        try:
            news.add(self._news.get(timeout=max(0.0, patience)))
            time.sleep(SETTLE)
            while True:
                news.add(self._news.get_nowait())
        except queue.Empty:
            return {model for model in news if model is not None}

    def _end(self) -> bool:
        assert self._leave_at is not None
        left = self._threads.wait(max(0.0, self._leave_at - LEAVE + LAST_WORDS - time.monotonic()))
        self._has_left.set()
        try:
            work.give_back(left)
        except Error as exc:
            logger.warning("%d pieces wait for their leases to end: %s", len(left), exc)
        return not left

    def _watch(self) -> None:
        """End the process when it has stood still for too long, or does not leave."""
        seen, still = -1, 0.0
        while not self._has_left.wait(TICK / 2):
            if self._leave_at is not None and time.monotonic() >= self._leave_at:
                os._exit(0)
            # Counted by its own steps: a process that was stopped as a whole has not stood still.
            still = still + TICK / 2 if seen == self._turns else 0.0
            seen = self._turns
            if still >= STALLED and self._leave_at is None:
                logger.critical("The engine has not ticked for %d s: it ends, to be started again.", STALLED)
                os._exit(70)


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
