"""What waits to be told to one listener, on the event loop: in order, and each once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from common import sse
from incidents import stream
from people.standing import Pass

ROOM = 1000  # events that wait for one listener
ROOM_BYTES = 4 << 20
CHUNK = 64 << 10  # bytes that are sent at once, or a single event that is longer

BYE = sse.retry(1000) + sse.event("bye", b"{}")  # come again: somebody else answers, or we do once we can
GONE = sse.event("gone", b"{}")  # do not come again with what you showed


@dataclass(frozen=True, slots=True)
class Event:
    """An entry as it is told. A later event with the same key makes one that still waits needless."""

    key: object
    news: stream.News
    wire: bytes


def entries(page: stream.Page) -> list[Event]:
    """For programs: every entry."""
    return [Event(news.cursor, news, sse.event("entry", news.told, id=str(news.cursor))) for news in page.news]


def changes(page: stream.Page) -> list[Event]:
    """For pages: which incidents have changed. Each once, in the order of its last entry, so that who comes again from
    any of them misses none of the others."""
    latest: dict[int, stream.News] = {}
    seqs: dict[int, int] = {}
    for news in page.news:
        latest.pop(news.incident, None)
        latest[news.incident] = news
        seqs[news.incident] = max(news.seq, seqs.get(news.incident, 0))
    return [
        Event(
            number,
            news,
            sse.event("changed", b'{"incident":%d,"seq":%d}' % (number, seqs[number]), id=str(news.cursor)),
        )
        for number, news in latest.items()
    ]


class Listener:
    """Somebody who listens: by what they were let in, how far they are, and what waits for them.

    `is_behind`: it has to read from the database up to where all others are, before it is told what they are.
    """

    def __init__(self, shown: Pass, begin: stream.Cursor, *, in_full: bool) -> None:
        self.shown = shown
        self.in_full = in_full  # a program: every entry whole
        self.sent = begin  # all up to here has been sent, or is not for them
        self.heard = begin  # all up to here has been sent or waits, or is not for them
        self.is_behind = True
        self.has_left = False
        self.ending = b""  # the last that they hear, once they are to go
        self.patience: asyncio.Timeout | None = None  # of what is being sent
        self._waiting: dict[object, Event] = {}
        self._size = 0
        self._woken = asyncio.Event()

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting)

    @property
    def has_no_room(self) -> bool:
        return len(self._waiting) > ROOM or self._size > ROOM_BYTES

    def hear(self, events: Iterable[Event], upto: stream.Cursor) -> None:
        """Put down what is new to them, up to there."""
        for event in events:
            if event.news.cursor > self.heard and event.news.is_for(self.shown.user_id):
                self._put(event)
        self.heard = max(self.heard, upto)
        if self._waiting:
            self._woken.set()

    def fall_behind(self) -> None:
        """Forget what waits: it will be read again, at their own pace."""
        self._waiting.clear()
        self._size = 0
        self.heard = self.sent
        self.is_behind = True
        self._woken.set()

    def taken(self) -> bytes:
        """The next CHUNK of what waits; it counts as sent."""
        parts: list[bytes] = []
        size = 0
        while self._waiting and (not parts or size + len(next(iter(self._waiting.values())).wire) <= CHUNK):
            event = self._waiting.pop(next(iter(self._waiting)))
            parts.append(event.wire)
            size += len(event.wire)
            self.sent = event.news.cursor
        self._size -= size
        if not self._waiting:
            self.sent = self.heard
        return b"".join(parts)

    def end(self, last: bytes) -> None:
        """Let them go, with these last words."""
        self.ending = self.ending or last
        self._woken.set()

    def leave(self) -> None:
        """They have hung up."""
        self.has_left = True
        self._woken.set()

    async def waits(self, seconds: float) -> bool:
        """Until there is something for them, or they are to go; False when time is up."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def _put(self, event: Event) -> None:
        if before := self._waiting.pop(event.key, None):
            self._size -= len(before.wire)
        self._waiting[event.key] = event
        self._size += len(event.wire)
