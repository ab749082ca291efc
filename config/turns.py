"""Who is answered next, where more come at once than there are threads: each sender in turn, however many it sends."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Crowded(Exception):
    """So many of this sender wait already that one more would wait too long."""


class Turns:
    """Hands out `slots` to whoever comes; while all are taken, what waits is served lane by lane, so that one lane
    cannot starve another. A lane in which `waiting` wait takes no more: Crowded. For one event loop."""

    def __init__(self, slots: int, *, waiting: int) -> None:
        self._free = slots
        self._waiting = waiting
        self._lanes: OrderedDict[bytes, deque[asyncio.Future[None]]] = OrderedDict()  # the next one first

    @asynccontextmanager
    async def of(self, lane: bytes) -> AsyncIterator[None]:
        """A slot, for as long as the block lasts."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(lane)
        try:
            yield
        finally:
            self._give_back()

    async def _wait(self, lane: bytes) -> None:
        queue = self._lanes.setdefault(lane, deque())
        if len(queue) >= self._waiting:
            raise Crowded
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # it was given a slot in the same moment
            raise

    def _give_back(self) -> None:
        while self._lanes:
            lane, queue = self._lanes.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._lanes[lane] = queue  # behind the others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
