"""Deliveries that come at once share a commit: while some are on their way to the disk, the next ones gather, and are
taken in together, with as many statements as one alone. Nobody waits for company: who comes alone goes at once.

Each is answered after the commit that it is part of. Where anything is wrong with those of one commit, nothing of them
is kept, and each is taken in by itself, so that none suffers from another.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import datetime
from math import inf
from typing import Any

from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
)
from django.utils import timezone

from alerts import ingest
from alerts.ingest import Parcel, Receipt
from alerts.models import Integration
from common import statements
from common.errors import DomainError

logger = logging.getLogger(__name__)

MOST = 64  # deliveries of one commit
LOCKS = 0.25  # seconds that a commit of several waits for a row; then each waits for its own
LATE = 0.2  # seconds: what waits longer is taken by another writer, as the first is held up
HELPERS = 3  # writers that come then
# A connection keeps what it sent last: above so many bytes it is given up, or every writer would hold its largest.
LARGE = 1024 * 1024


class Crowded(DomainError):
    """So many deliveries of one integration wait already that one more would wait too long."""

    code = "crowded"
    status = 503
    title = "Try again"


class _Waiting:
    """A delivery on its way, and the alerts that it speaks of."""

    def __init__(self, parcel: Parcel, receipt: Future[Receipt] | asyncio.Future[Receipt]) -> None:
        self.parcel = parcel
        self.receipt = receipt
        self.outcome: Receipt | BaseException | None = None
        self.since = time.monotonic()
        integration, notification = parcel.sent
        self.lane = integration.pk
        self.is_plain = parcel.sent.is_plain
        self.alerts = {(integration.pk, alert.fingerprint) for alert in notification.alerts}
        for alert in notification.alerts:
            alert.prepare()


class GroupCommit:
    """Takes deliveries in, in a thread of its own with a connection of its own; where that one is held up by somebody's
    lock, `helpers` are there for the others. An integration has a lane, and lanes take turns: one that sends without
    end holds up no other. A lane takes `most_waiting` and no more."""

    def __init__(self, helpers: int = 0, most_waiting: int = 256) -> None:
        self._helpers = helpers
        self._most_waiting = most_waiting
        self._threads: list[threading.Thread] = []
        self._lanes: OrderedDict[int, deque[_Waiting]] = OrderedDict()  # the next one first; none is empty
        self._changed = threading.Condition()
        self._has_ended = threading.Event()

    def take_in(self, parcel: Parcel) -> Receipt:
        """Returns after the commit. Raises what `ingest.receive_all` does, and Crowded."""
        receipt: Future[Receipt] = Future()
        self._submit(_Waiting(parcel, receipt))
        return receipt.result()

    async def take(self, parcel: Parcel) -> Receipt:
        """The same on an event loop."""
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._submit(_Waiting(parcel, receipt))
        return await receipt

    def _submit(self, waiting: _Waiting) -> None:
        with self._changed:
            lane = self._lanes.setdefault(waiting.lane, deque())
            if len(lane) >= self._most_waiting:
                raise Crowded("Too much is arriving at once. Nothing was changed: send again.")
            lane.append(waiting)
            self._changed.notify()
            if not self._threads:
                waits = [self._is_asked, *[self._is_late] * self._helpers]
                self._threads = [threading.Thread(target=self._write_on, args=(each,), daemon=True) for each in waits]
                for thread in self._threads:
                    thread.start()

    @property
    def waiting(self) -> int:
        """How many have not been begun yet."""
        return sum(map(len, self._lanes.values()))

    def end(self) -> None:
        """Take no more in, and return once all that was begun is done."""
        with self._changed:
            self._has_ended.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _write_on(self, is_wanted: Callable[[], bool]) -> None:
        while is_wanted():
            try:
                self._write_next()
            except Exception:  # whoever waited was told: the next ones go on
                logger.exception("A writer of deliveries stumbled.")
        connection.close()

    def _write_next(self) -> None:
        with _turn():
            batch = self._next()
            try:
                _write(batch)
            except BaseException as exc:
                _fail(batch, exc)
                raise
            finally:
                _tell(batch)
        _look_after_connection(batch)

    def _is_asked(self) -> bool:
        """Whether something waits, once it does; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._lanes or self._has_ended.is_set())
            return bool(self._lanes)

    def _is_late(self) -> bool:
        """Whether something has waited for too long, once it has; False at the end."""
        while not self._has_ended.wait(LATE / 2):
            with self._changed:
                oldest = min((lane[0].since for lane in self._lanes.values()), default=inf)
            if time.monotonic() - oldest > LATE:
                return True
        return False

    def _next(self) -> list[_Waiting]:
        """The next one of the next lane, and all that may go with it, one of each lane after another. Of two that speak
        of the same alert, the second goes later. Empty where another writer was quicker."""
        with self._changed:
            batch: list[_Waiting] = []
            alerts: set[tuple[int, str]] = set()
            size = 0
            later: dict[int, list[_Waiting]] = {}
            while self._lanes and len(batch) < MOST and size < ingest.AT_ONCE:
                key, lane = self._lanes.popitem(last=False)
                each = lane.popleft()
                if lane:
                    self._lanes[key] = lane  # behind the others
                fits = each.is_plain and size + len(each.alerts) <= ingest.AT_ONCE and alerts.isdisjoint(each.alerts)
                alerts |= each.alerts
                if batch and not fits:
                    later.setdefault(key, []).append(each)
                    continue
                batch.append(each)
                size += len(each.alerts)
                if not each.is_plain:
                    break
            for key, left in reversed(later.items()):
                self._lanes.setdefault(key, deque()).extendleft(reversed(left))
                self._lanes.move_to_end(key, last=False)
            return batch


_shared: GroupCommit | None = None


def begin() -> None:
    """Let the deliveries of this process share commits from now on. On SQLite, where one writes at a time, nobody could
    help."""
    global _shared
    _shared = GroupCommit(HELPERS if statements.is_postgresql() else 0)


async def take(parcel: Parcel) -> Receipt:
    """As `GroupCommit.take`, in a process that has begun to share commits."""
    assert _shared is not None, "who answers on an event loop has begun to"
    return await _shared.take(parcel)


def receive(integration: Integration, body: bytes, *, now: datetime) -> Receipt:
    """As `ingest.receive`; together with others that come at once, where this process has begun to. Then the caller's
    own connection, if it has one, is given up when its request ends: it has no use for it while it waits."""
    is_shared = _shared is not None and not connection.in_atomic_block
    try:
        parcel = ingest.read(integration, body, now=now)
        if isinstance(parcel, Receipt):
            return parcel
        if _shared is not None and is_shared:
            return _shared.take_in(parcel)
        [receipt] = ingest.receive_all([parcel], now=now)
        return receipt
    finally:
        if len(body) > LARGE or (is_shared and connection.connection is not None):
            connection.close_at = 0  # Django closes it then


@contextmanager
def _turn() -> Iterator[None]:
    """On SQLite, wait for the other processes first: what comes meanwhile goes with this commit."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    if statements.is_postgresql():
        yield
        return
    with suppress(OperationalError):  # it is raised again where the transaction begins
        database.take_turn()
    try:
        yield
    finally:
        database.give_turn()


def _write(batch: Sequence[_Waiting]) -> None:
    if len(batch) < 2:  # none, where another writer was quicker
        _write_each(batch)
        return
    try:
        receipts = ingest.receive_all([each.parcel for each in batch], now=timezone.now(), locks=LOCKS)
    except Exception as exc:
        # None is to wait for a row for which only another one has to.
        _write_each([each for each in batch if not _goes_at_once(each)] if _is_about_locks(exc) else batch)
        return
    for each, receipt in zip(batch, receipts, strict=True):
        each.outcome = receipt


def _goes_at_once(waiting: _Waiting) -> bool:
    """Whether it could be taken in by itself, without waiting for a lock for long."""
    try:
        [waiting.outcome] = ingest.receive_all([waiting.parcel], now=timezone.now(), locks=LOCKS)
    except Exception:
        return False
    _tell([waiting])
    return True


def _is_about_locks(exc: Exception) -> bool:
    return getattr(exc.__cause__, "sqlstate", "") in ("55P03", "40P01")  # not available in time, deadlock


def _write_each(batch: Sequence[_Waiting]) -> None:
    """Each by itself; where the database is gone, it is not asked again for every one."""
    for n, each in enumerate(batch):
        try:
            [each.outcome] = ingest.receive_all([each.parcel], now=timezone.now())
        except (OperationalError, InterfaceError) as exc:
            _fail(batch[n:], exc)
            return
        except Exception as exc:
            _fail([each], exc)


def _fail(batch: Sequence[_Waiting], exc: BaseException) -> None:
    for each in batch:
        each.outcome = each.outcome or exc


def _tell(batch: Sequence[_Waiting]) -> None:
    """Wake who waits; an event loop once for all that wait on it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for each in batch:
        if isinstance(each.receipt, asyncio.Future):
            by_loop.setdefault(each.receipt.get_loop(), []).append(each)
        else:
            _settle(each)
    for loop, waiting in by_loop.items():
        with suppress(RuntimeError):  # it is closed, and nobody waits any more
            loop.call_soon_threadsafe(_settle_all, waiting)


def _settle_all(batch: Sequence[_Waiting]) -> None:
    for each in batch:
        _settle(each)


def _settle(waiting: _Waiting) -> None:
    if waiting.receipt.done():  # its sender has left
        return
    if isinstance(waiting.outcome, Receipt):
        waiting.receipt.set_result(waiting.outcome)
    else:
        waiting.receipt.set_exception(waiting.outcome or AssertionError("nothing became of it"))


def _look_after_connection(batch: Sequence[_Waiting]) -> None:
    """As Django does between requests."""
    if any(len(each.parcel.body) > LARGE for each in batch):
        connection.close_at = 0
    try:
        close_old_connections()
    except DatabaseError:
        connection.close()
