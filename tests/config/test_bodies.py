"""What a process holds of bodies is shared fairly: no lane takes so much of it that nothing is left for another."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AsyncExitStack

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGIReceiveEvent

from config.bodies import Bodies, BodyRefused, Bound, Owner

BOUND = Bound("", size=1000, seconds=5)


class Day:
    """Bodies that are held until it ends."""

    def __init__(self, ceiling: int) -> None:
        self.bodies = Bodies(ceiling)
        self.held = AsyncExitStack()

    async def __aenter__(self) -> "Day":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.held.aclose()
        assert self.bodies.held == 0
        assert not self.bodies._by_lane

    async def takes(self, size: int, lane: Hashable, ask: Callable[[], Awaitable[Hashable]] | None = None) -> bool:
        """Whether one that comes in pieces of ten bytes is taken."""
        pieces = [*(min(10, size - at) for at in range(0, size, 10)), 0]
        reading = self.bodies.read(said(pieces), declared=size, bound=BOUND, owner=Owner(lane, ask))
        try:
            await self.held.enter_async_context(reading)
        except BodyRefused:
            return False
        return True


def said(pieces: Sequence[int]) -> ASGIReceiveCallable:
    left = list(pieces)

    async def receive() -> ASGIReceiveEvent:
        size = left.pop(0)
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(left)}

    return receive


def test_one_lane_alone_holds_half_and_the_next_finds_as_much_as_it_left() -> None:
    async def day() -> None:
        async with Day(1200) as its:
            assert await its.takes(600, "noisy")
            assert not await its.takes(10, "noisy")
            assert await its.takes(300, "quiet")
            assert not await its.takes(10, "quiet")
            assert await its.takes(150, "another")
            assert its.bodies.held == 1050

    asyncio.run(day())


def test_lanes_that_fill_up_side_by_side_get_the_same_and_leave_as_much() -> None:
    async def day() -> None:
        async with Day(1200) as its:
            while any([await its.takes(10, lane) for lane in ("a", "b", "c")]):
                pass
            assert its.bodies._by_lane == {"a": 300, "b": 300, "c": 300}
            assert await its.takes(150, "quiet")

    asyncio.run(day())


def test_what_has_no_body_needs_no_room() -> None:
    async def day() -> None:
        async with Day(1200) as its:
            assert await its.takes(600, "pages")
            assert await its.takes(300, "noisy")
            assert await its.takes(0, "pages")
            assert not await its.takes(10, "pages")

    asyncio.run(day())


def test_what_is_refused_or_let_go_leaves_its_room() -> None:
    async def day() -> None:
        async with Day(1200) as its:
            assert not await its.takes(700, "noisy")
            assert its.bodies.held == 0
            assert await its.takes(600, "noisy")
            await its.held.aclose()
            assert await its.takes(600, "noisy")

    asyncio.run(day())


def test_a_stranger_is_asked_only_where_strangers_have_no_room() -> None:
    questions: list[str] = []

    async def day() -> None:
        async def is_known() -> str:
            questions.append("known")
            return "known"

        async def is_nobody() -> None:
            questions.append("nobody")

        async with Day(1200) as its:
            assert await its.takes(500, "strangers", is_nobody)
            assert questions == []
            assert not await its.takes(200, "strangers", is_nobody)
            assert questions == ["nobody"]
            assert await its.takes(200, "strangers", is_known)
            assert questions == ["nobody", "known"]
            assert its.bodies._by_lane == {"strangers": 500, "known": 200}
            assert await its.takes(50, "known")

    asyncio.run(day())


def test_who_is_known_after_all_has_the_room_of_its_own_lane_and_no_more() -> None:
    async def day() -> None:
        async def is_known() -> str:
            return "known"

        async with Day(1200) as its:
            assert await its.takes(600, "known")
            assert await its.takes(300, "strangers")
            assert not await its.takes(100, "strangers", is_known)
            assert its.bodies._by_lane == {"known": 600, "strangers": 300}

    asyncio.run(day())


def test_a_question_that_fails_keeps_nothing() -> None:
    async def day() -> None:
        async def fails() -> None:
            raise RuntimeError

        async with Day(100) as its:
            with pytest.raises(RuntimeError):
                await its.takes(100, "strangers", fails)

    asyncio.run(day())
