"""Reads request bodies on the event loop, bounded in size, in time, and in what the process holds of them at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

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


class Bodies:
    """The bodies that this process holds in memory; used from the event loop only."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.held = 0

    @asynccontextmanager
    async def read(
        self, receive: ASGIReceiveCallable, *, declared: int | None, bound: Bound, asks_first: bool = False
    ) -> AsyncIterator[BytesIO]:
        """Give the whole body, counted as held until the block ends; raise BodyRefused or SenderLeft before it begins.

        A body declared too large is refused with nothing of it kept. A client that asks first ("Expect: 100-continue")
        never sends it; another may still be writing, and is heard out so that it hears the refusal.
        """
        if declared is not None and declared > bound.size:
            if not asks_first:
                await _hear_out(receive, bound.seconds)
            raise BodyRefused("too_large")
        body = BytesIO()
        size = 0
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
                        if self.held + len(chunk) > self.ceiling:
                            raise BodyRefused("no_room")
                        body.write(chunk)
                        size += len(chunk)
                        self.held += len(chunk)
            except TimeoutError as exc:
                raise BodyRefused("too_slow") from exc
            except BodyRefused as refused:
                if refused.fault == "too_large" and more:
                    await _hear_out(receive, bound.seconds)
                raise
            body.seek(0)
            yield body
        finally:
            self.held -= size


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
