"""Deliveries that come at once share a commit: while some are on their way to the disk, the next ones gather, and are
taken in together, with as many statements as one alone. Nobody waits for company: who comes alone goes at once.

Each is answered after the commit that it is part of. Where anything is wrong with those of one commit, nothing of them
is kept, and each is taken in by itself, so that none suffers from another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from alerts import ingest
from alerts.ingest import Parcel, Receipt
from alerts.models import Integration
from common import statements

MOST = 64  # deliveries of one commit
# A connection keeps what it sent last: above so many bytes it is given up, or every writer would hold its largest.
LARGE = 1024 * 1024


class _Waiting:
    """A delivery on its way, and the alerts that it speaks of."""

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel
        self.receipt: Future[Receipt] = Future()
        integration, notification = parcel.sent
        self.is_plain = parcel.sent.is_plain
        self.alerts = {(integration.pk, alert.fingerprint) for alert in notification.alerts}
        for alert in notification.alerts:
            _ = alert.labels_hash, alert.content_hash  # now, and not while rows are locked


class GroupCommit:
    """Takes deliveries in, in so many threads of its own, each with a connection of its own."""

    def __init__(self, writers: int) -> None:
        self._writers = writers
        self._threads: list[threading.Thread] = []
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._has_ended = False

    def take_in(self, parcel: Parcel) -> Receipt:
        """Returns after the commit. Raises what `ingest.receive_all` does."""
        waiting = _Waiting(parcel)
        with self._changed:
            self._waiting.append(waiting)
            self._changed.notify()
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            while len(self._threads) < self._writers:
                thread = threading.Thread(target=self._write_on, name="group-commit", daemon=True)
                self._threads.append(thread)
                thread.start()
        return waiting.receipt.result()

    @property
    def waiting(self) -> int:
        """How many have not been begun yet."""
        return len(self._waiting)

    def end(self) -> None:
        """Take no more in, and return once all that was begun is done."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _write_on(self) -> None:
        try:
            while batch := self._next():
                try:
                    _write(batch)
                except BaseException as exc:
                    _end(batch, exc)
                    raise
                finally:
                    _look_after_connection(batch)
        finally:
            connection.close()

    def _next(self) -> list[_Waiting]:
        """The longest waiting one, and all that may go with it. Of two that speak of the same alert, the second goes
        later. Empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._has_ended)
            if not self._waiting:
                return []
            first = self._waiting.popleft()
            batch, alerts = [first], set(first.alerts)
            if not first.is_plain:
                return batch
            later: deque[_Waiting] = deque()
            size = len(first.alerts)
            while self._waiting and len(batch) < MOST:
                each = self._waiting.popleft()
                fits = size + len(each.alerts) <= ingest.AT_ONCE
                if each.is_plain and fits and alerts.isdisjoint(each.alerts):
                    batch.append(each)
                    size += len(each.alerts)
                else:
                    later.append(each)
                alerts |= each.alerts
            self._waiting.extendleft(reversed(later))
            if self._waiting:
                self._changed.notify()
            return batch


_shared: GroupCommit | None = None


def begin() -> None:
    """Let the deliveries of this process share commits from now on. On SQLite one writes at a time; on PostgreSQL one
    prepares its statements while the other waits for the database."""
    global _shared
    _shared = GroupCommit(2 if statements.is_postgresql() else 1)


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


def _write(batch: Sequence[_Waiting]) -> None:
    try:
        receipts = ingest.receive_all([each.parcel for each in batch], now=timezone.now())
    except Exception as exc:
        if len(batch) > 1:
            _write_each(batch)
        else:
            _end(batch, exc)
        return
    for each, receipt in zip(batch, receipts, strict=True):
        each.receipt.set_result(receipt)


def _write_each(batch: Sequence[_Waiting]) -> None:
    """Each by itself; where the database is gone, it is not asked again for every one."""
    for n, each in enumerate(batch):
        try:
            [receipt] = ingest.receive_all([each.parcel], now=timezone.now())
        except (OperationalError, InterfaceError) as exc:
            _end(batch[n:], exc)
            return
        except Exception as exc:
            _end([each], exc)
        else:
            each.receipt.set_result(receipt)


def _end(batch: Sequence[_Waiting], exc: BaseException) -> None:
    for each in batch:
        if not each.receipt.done():
            each.receipt.set_exception(exc)


def _look_after_connection(batch: Sequence[_Waiting]) -> None:
    """As Django does between requests."""
    if any(len(each.parcel.body) > LARGE for each in batch):
        connection.close_at = 0
    try:
        close_old_connections()
    except DatabaseError:
        connection.close()
