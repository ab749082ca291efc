"""Who carries out what an engine took: its own threads, and Celery's workers where there is a Redis."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from common import work
from common.work import Claimed, DueWork

logger = logging.getLogger(__name__)

IDLE = 5.0  # seconds without a piece, after which a thread ends and closes its connection to the database
AHEAD = 64  # pieces that workers may have without having begun them
STUCK = 0.5  # seconds after which a publish counts as hanging
FIRST_PAUSE = 5.0  # seconds in which workers that failed are given nothing; then one piece, to see; doubled each time,
LONGEST_PAUSE = 60.0  # up to this
STALE = 60  # seconds after which a worker throws an unread message away: its row is long with somebody else


def celery() -> Any:
    """The Celery application. It also makes that the tasks' modules find it; web processes never ask for it."""
    return import_string(settings.CELERY_APPLICATION)


class Threads:
    """The engine's own: as many as there is work for, up to `size`. `on_end` is called in the thread of what ended."""

    def __init__(self, size: int, on_end: Callable[[Claimed], None]) -> None:
        self._size = size
        self._on_end = on_end
        self._in_hand: set[Claimed] = set()
        self._waiting: deque[Claimed] = deque()
        self._idle = 0  # threads that have no piece, or none yet
        self._changed = threading.Condition()

    @property
    def room(self) -> int:
        with self._changed:
            return self._size - len(self._in_hand)

    @property
    def in_hand(self) -> list[Claimed]:
        with self._changed:
            return list(self._in_hand)

    def begin(self, pieces: Iterable[Claimed]) -> None:
        """Each at once, in a thread of its own; the caller has looked at `room`."""
        with self._changed:
            for piece in pieces:
                self._in_hand.add(piece)
                self._waiting.append(piece)
                if len(self._waiting) <= self._idle:
                    self._changed.notify()
                else:
                    self._idle += 1
                    threading.Thread(target=self._work, name="piece", daemon=True).start()

    def wait(self, seconds: float) -> list[Claimed]:
        """Until all has ended, or time is up. What has not ended by then."""
        with self._changed:
            self._changed.wait_for(lambda: not self._in_hand, seconds)
            return list(self._in_hand)

    def _work(self) -> None:
        while (piece := self._next()) is not None:
            try:
                import_string(piece.model.TASK)(piece.pk, piece.claim)
            except Exception:  # its own failures are kept in its row: this is a broken task, and others are not
                logger.exception("%s could not be called.", piece.model.TASK)
            with self._changed:
                self._in_hand.discard(piece)
                self._idle += 1
                self._changed.notify_all()
            self._on_end(piece)
        connections.close_all()

    def _next(self) -> Claimed | None:
        """The next piece; None after a while without one."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, IDLE)
            self._idle -= 1
            return self._waiting.popleft() if self._waiting else None


class Workers:
    """Celery's. They are trusted as long as they soon begin what they are given. Used by one thread, which nothing
    here ever blocks but the database."""

    def __init__(self) -> None:
        self._post = _Post()
        self._unbegun: dict[Claimed, float] = {}  # and when each was taken
        self._begun: set[Claimed] = set()
        self._shunned_until = 0.0
        self._pause = FIRST_PAUSE
        self.are_trusted = False

    @property
    def in_hand(self) -> Collection[Claimed]:
        return [*self._unbegun, *self._begun]

    @property
    def room(self) -> int:
        """How many pieces they may be given now: many, one to see whether they are there, or none."""
        if time.monotonic() < self._shunned_until:
            return 0
        return max(0, (AHEAD if self.are_trusted else 1) - len(self._unbegun))

    def hand_over(self, pieces: Collection[Claimed], taken_at: float) -> None:
        """Publish them. `taken_at`: by time.monotonic(), when their leases had not begun yet."""
        self._unbegun |= dict.fromkeys(pieces, taken_at)
        self._post.send(pieces)

    def look(self) -> set[type[DueWork]]:
        """See what became of what they have. The kinds of which some has ended."""
        if not self._unbegun and not self._begun:
            return set()
        held = work.still_held(self.in_hand)
        now = time.monotonic()
        ended = {piece.model for piece in self.in_hand if piece not in held}
        late = [
            piece
            for piece, at in self._unbegun.items()
            if piece not in held and now - at >= work.HAND_OVER.total_seconds()
        ]
        waiting = {piece: at for piece, at in self._unbegun.items() if held.get(piece) is False}
        if late:
            self._shun("no worker began what it was given")
        elif len(waiting) < len(self._unbegun):
            self._trust()
        self._begun = {piece for piece, is_begun in held.items() if is_begun}
        self._unbegun = waiting
        return ended

    def refused(self) -> list[Claimed]:
        """What could not be sent, or waits behind a publish that hangs: the engine does it itself. Should a message
        have gone out all the same, then one of the two begins it."""
        back, fault = self._post.take_back()
        if fault:
            self._shun(fault)
        return [piece for piece in back if self._unbegun.pop(piece, None) is not None]

    def _trust(self) -> None:
        if not self.are_trusted:
            logger.info("Celery's workers carry out what is due.")
        self.are_trusted = True
        self._pause = FIRST_PAUSE

    def _shun(self, why: str) -> None:
        if self.are_trusted:
            logger.warning("The engine carries out itself what is due: %s.", why)
        self.are_trusted = False
        if (now := time.monotonic()) >= self._shunned_until:
            self._shunned_until = now + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)


class _Post:
    """Publishes from a thread of its own, so that a Redis that is down or hangs stops nobody else."""

    def __init__(self) -> None:
        self._queue: deque[Claimed] = deque()
        self._current: tuple[Claimed, float] | None = None
        self._failed: list[Claimed] = []
        self._fault = ""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def send(self, pieces: Collection[Claimed]) -> None:
        with self._changed:
            self._queue.extend(pieces)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="post", daemon=True)
                self._thread.start()
            self._changed.notify()

    def take_back(self) -> tuple[list[Claimed], str]:
        """What was not sent and will not be, and why."""
        with self._changed:
            back, fault = self._failed, self._fault
            self._failed, self._fault = [], ""
            if self._current and time.monotonic() - self._current[1] > STUCK:
                back, fault = [*back, self._current[0]], "Redis does not answer"
            if fault:
                back += self._queue
                self._queue.clear()
        return back, fault

    def _run(self) -> None:
        app = celery()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                piece = self._queue.popleft()
                self._current = (piece, time.monotonic())
            fault = ""
            try:
                app.send_task(
                    piece.model.TASK, args=[piece.pk, piece.claim], ignore_result=True, retry=False, expires=STALE
                )
            except Exception as exc:  # redis, kombu and sockets have their own: none may end this thread
                fault = f"Redis refuses: {exc}"
            with self._changed:
                self._current = None
                if fault:
                    self._failed.append(piece)
                    self._fault = fault
