"""Looks for new entries once a second, for all listeners of this process: one thread, one connection to the database.

Who listens is asked again at intervals whether they still may.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from django.utils import timezone

from common import wake
from config.listeners import BYE, GONE, Listener, changes, entries
from incidents import stream
from people import standing

logger = logging.getLogger(__name__)

Asked = ParamSpec("Asked")
Told = TypeVar("Told")

# What goes through the thread beside the looks (who comes in, who catches up), so that these wait for few.
ERRANDS = 4


@dataclass(frozen=True)
class Pace:
    """Seconds. `blind`: without a good look for so long nobody is told that they listen; `closing`: what is left to
    who does not read when the process ends."""

    look: float = 1
    shortest: float = 0.1  # between two looks, however often somebody rings
    check: float = 15
    ping: float = 15
    patience: float = 20
    blind: float = 10
    linger: float = 30
    closing: float = 1


class Away(Exception):
    """The database does not answer, or not in time."""


class Watcher:
    """`listening(listener)` tells them what is new while the block runs. Watches while somebody listens, and a little
    longer."""

    def __init__(self, pace: Pace) -> None:
        self.listeners: set[Listener] = set()
        self._pace = pace
        self._position: stream.Cursor | None = None  # where all listeners are that are not behind
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="streams")
        self._errands = asyncio.Semaphore(ERRANDS)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._linger_until = 0.0

    def begin_of(self, asked: stream.Cursor | None) -> tuple[stream.Cursor, stream.Cursor]:
        """In the thread: where all others are, and where one begins who was at `asked`. Another process may have told
        them more than was looked for here."""
        now_at = self._position or stream.head()
        is_ahead = asked is not None and asked > now_at
        return now_at, stream.resumed(asked, stream.head() if is_ahead else now_at)

    @contextmanager
    def listening(self, listener: Listener, now_at: stream.Cursor) -> Iterator[None]:
        """Tell them what is new; `now_at` is where all others were when they came."""
        if self._position is None:
            self._position = now_at
        listener.is_behind = listener.heard < self._position
        self.listeners.add(listener)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield
        finally:
            self.listeners.discard(listener)
            self._linger_until = asyncio.get_running_loop().time() + self._pace.linger

    async def catch_up(self, listener: Listener) -> None:
        """Read a page for somebody who is behind; with the last one they are where all others are."""
        at_least = self._position
        try:
            page = await self.errand(stream.after, listener.heard, in_full=listener.in_full)
        except Away:
            await asyncio.sleep(self._pace.look)
            return
        upto = page.upto if page.is_full or at_least is None else max(page.upto, at_least)
        listener.hear(entries(page) if listener.in_full else changes(page), upto)
        if not page.is_full and self._position is not None and listener.heard >= self._position:
            listener.is_behind = False

    async def errand(self, work: Callable[Asked, Told], *args: Asked.args, **kwargs: Asked.kwargs) -> Told:
        """Do it in the thread, between the looks. Raises Away."""
        async with self._errands:
            return await self._in_thread(work, *args, **kwargs)

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._thread.submit(connections.close_all)  # opened, maybe, for somebody who was not let in
        self._thread.shutdown(wait=False)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        bell = wake.Bell(wake.ENTRIES, partial(self._ring, loop))
        seen_at = checked_at = loop.time()
        try:
            while self.listeners or loop.time() < self._linger_until:
                began = loop.time()
                self._woken.clear()
                try:
                    is_more = await self._look()
                    if began >= checked_at + self._pace.check:
                        await self._check()
                        checked_at = began
                    seen_at = began
                except Away as exc:
                    is_more = False
                    logger.warning("the streams see nothing new: %s", exc)
                if loop.time() - seen_at > self._pace.blind:
                    return
                if not is_more:
                    await self._pause(began)
        finally:
            bell.close()
            for listener in self.listeners:  # nobody is to believe that they would be told
                listener.end(BYE)
            self._task = self._position = None
            self._thread.submit(connections.close_all)

    async def _look(self) -> bool:
        """Tell all what is new; True where there is more of it."""
        assert self._position is not None, "who came first brought a place"
        in_full = any(listener.in_full for listener in self.listeners)
        page = await self._in_thread(stream.after, self._position, in_full=in_full)
        whole, changed = entries(page) if in_full else [], changes(page)
        for listener in self.listeners:
            if listener.is_behind or page.upto <= listener.heard:
                continue
            if listener.in_full and not in_full:  # came while we looked
                listener.fall_behind()
                continue
            listener.hear(whole if listener.in_full else changed, page.upto)
            if listener.has_no_room:
                listener.fall_behind()
        self._position = page.upto
        return page.is_full

    async def _check(self) -> None:
        """Let go whose session or token would not be let in any more."""
        passes = {listener.shown for listener in self.listeners}
        void = await self._in_thread(standing.void, passes, now=timezone.now()) if passes else set()
        for listener in self.listeners:
            if listener.shown in void:
                listener.end(GONE)

    async def _pause(self, began: float) -> None:
        """Until a second after the last look began, or until somebody rings."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, began + self._pace.shortest - loop.time()))
        try:
            async with asyncio.timeout_at(began + self._pace.look):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        """From the bell's thread."""
        with suppress(RuntimeError):  # the process ends
            loop.call_soon_threadsafe(self._woken.set)

    async def _in_thread(self, work: Callable[Asked, Told], *args: Asked.args, **kwargs: Asked.kwargs) -> Told:
        call = partial(contextvars.copy_context().run, _as_a_request, partial(work, *args, **kwargs))
        try:
            async with asyncio.timeout(self._pace.blind):
                return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except TimeoutError:
            raise Away(f"no answer in {self._pace.blind:.0f} s") from None
        except (DatabaseError, InterfaceError) as exc:
            raise Away(str(exc).strip().partition("\n")[0]) from exc


def _as_a_request(work: Callable[[], Told]) -> Told:
    """With a connection that is looked after as between requests: a broken one is not used again."""
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()
