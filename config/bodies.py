"""Reads request bodies on the event loop, bounded in size, in time, and in what the process holds of them at once: no
sender takes so much of it that nothing is left for others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Literal, NamedTuple

from asgiref.typing import ASGIReceiveCallable

MIB = 1024 * 1024
LINGER = 2.0  # seconds without a byte

Fault = Literal["too_large", "too_slow", "no_room"]


@dataclass(frozen=True)
class Bound:
    """What bodies under one path may take; `view_refuses` where the view itself must hear of those that took more.
    Requests of it have so many `threads` of their own, or share those that pages have."""

    prefix: str
    size: int
    seconds: float
    view_refuses: bool = False
    threads: int = 0


class BodyRefused(Exception):
    """The body was not read to its end, and what had arrived of it is dropped."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class SenderLeft(Exception):
    """The client hung up before the end of its body: nobody waits for an answer."""


class Owner(NamedTuple):
    """In whose lane a body counts. Where that has no room, `ask`, which may take a while, gives the lane to which the
    body belongs after all, or None."""

    lane: Hashable
    ask: Callable[[], Awaitable[Hashable]] | None = None


class Bodies:
    """The bodies that this process holds in memory; used from the event loop only.

    A lane may hold as much as is left free beside it: one alone half of the ceiling, two a third each. So whoever comes
    next finds room, and a smaller body finds it for longer than a larger one.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.held = 0
        self._by_lane: dict[Hashable, int] = {}  # those that hold something

    @asynccontextmanager
    async def read(
        self,
        receive: ASGIReceiveCallable,
        *,
        declared: int | None,
        bound: Bound,
        owner: Owner,
        asks_first: bool = False,
    ) -> AsyncIterator[BytesIO]:
        """Give the whole body, counted as held until the block ends; raise BodyRefused or SenderLeft before it begins.

        A body declared too large is refused with nothing of it kept. A client that asks first ("Expect: 100-continue")
        never sends it; another may still be writing, and is heard out so that it hears the refusal, as is one for whose
        body there is no room.
        """
        if declared is not None and declared > bound.size:
            if not asks_first:
                await _hear_out(receive, bound.seconds)
            raise BodyRefused("too_large")
        body = BytesIO()
        size, lane = 0, owner.lane
        more = True
        try:
            try:
                async with asyncio.timeout(bound.seconds):
                    while more:
                        message = await receive()
                        if message["type"] != "http.request":
                            raise SenderLeft
                        chunk, more = message.get("body", b""), message.get("more_body", False)
                        if size + len(chunk) > bound.size:
                            raise BodyRefused("too_large")
                        if not self._has_room(lane, len(chunk)) and owner.ask and lane == owner.lane:
                            asked = await owner.ask()
                            self._count(lane, -size)
                            lane = owner.lane if asked is None else asked
                            self._count(lane, size)
                        if not self._has_room(lane, len(chunk)):
                            raise BodyRefused("no_room")
                        body.write(chunk)
                        size += len(chunk)
                        self._count(lane, len(chunk))
            except TimeoutError as exc:
                raise BodyRefused("too_slow") from exc
            except BodyRefused:  # nothing of it is kept while the rest is heard out
                self._count(lane, -size)
                body, size = BytesIO(), 0
                if more:
                    await _hear_out(receive, bound.seconds)
                raise
            body.seek(0)
            yield body
        finally:
            self._count(lane, -size)

    def _has_room(self, lane: Hashable, size: int) -> bool:
        return not size or self._by_lane.get(lane, 0) + size <= self.ceiling - self.held - size

    def _count(self, lane: Hashable, size: int) -> None:
        self.held += size
        if of_lane := self._by_lane.get(lane, 0) + size:
            self._by_lane[lane] = of_lane
        else:
            self._by_lane.pop(lane, None)


async def _hear_out(receive: ASGIReceiveCallable, seconds: float) -> None:
    """Read on and drop, as long as more comes: who writes all before reading would meet a reset in place of our answer,
    and send it all again."""
    try:
        async with asyncio.timeout(seconds):
            more = True
            while more:
                async with asyncio.timeout(LINGER):
                    message = await receive()
                if message["type"] != "http.request":
                    raise SenderLeft
                more = message.get("more_body", False)
    except TimeoutError:
        return
