"""Where more come at once than there are threads, each sender has its turn, and what waits is bounded."""

import asyncio
import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from config.bodies import Bound
from config.bridge import Bridge
from config.turns import Crowded, Turns
from tests.serving import served

BOUNDS = (Bound("/webhooks/", size=1000, seconds=5, view_refuses=True), Bound("", size=1000, seconds=5))


def test_lanes_take_turns_however_much_one_of_them_brings() -> None:
    async def day() -> list[str]:
        turns, order = Turns(1, waiting=100), []

        async def come(name: str) -> None:
            async with turns.of(name.rstrip("0123456789").encode()):
                order.append(name)
                await asyncio.sleep(0)

        tasks = [asyncio.ensure_future(come(name)) for name in ("a1", "a2", "a3", "a4", "b1", "a5", "c1", "b2")]
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(day()) == ["a1", "a2", "b1", "c1", "a3", "b2", "a4", "a5"]


def test_who_leaves_while_waiting_keeps_no_slot() -> None:
    async def day() -> bool:
        turns = Turns(1, waiting=10)
        async with turns.of(b"a"):
            waiting = [asyncio.ensure_future(_pass(turns)) for _ in range(3)]
            await asyncio.sleep(0)
            for each in waiting[:2]:
                each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        async with asyncio.timeout(1), turns.of(b"b"):
            return True

    assert asyncio.run(day())


def test_a_full_lane_takes_no_more_and_others_do() -> None:
    async def day() -> None:
        turns = Turns(1, waiting=2)
        async with turns.of(b"a"):
            waiting = [asyncio.ensure_future(_pass(turns)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(Crowded):
                await _pass(turns)
            other = asyncio.ensure_future(_pass(turns, b"b"))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting, other)

    asyncio.run(day())


async def _pass(turns: Turns, lane: bytes = b"a") -> None:
    async with turns.of(lane):
        pass


def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    time.sleep(0.05)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


async def status_and_seconds(port: int, path: str, token: str) -> tuple[int, float, str]:
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 1\r\n"
    writer.write(f"{head}Connection: close\r\n\r\nx".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), time.monotonic() - began, answer.lower()


def test_a_noisy_integration_is_told_to_come_again_and_starves_nobody() -> None:
    async def day(port: int) -> tuple[list[tuple[int, float, str]], list[tuple[int, float, str]]]:
        noise = [asyncio.ensure_future(status_and_seconds(port, "/webhooks/x", "noisy")) for _ in range(100)]
        await asyncio.sleep(0.3)
        quiet = [await status_and_seconds(port, path, "quiet") for path in ("/webhooks/x", "/page", "/webhooks/x")]
        return await asyncio.gather(*noise), quiet

    with served(Bridge(slow, threads=2, bounds=BOUNDS, waiting=40)) as port:
        noisy, quiet = asyncio.run(day(port))

    statuses = [status for status, _, _ in noisy]
    assert statuses.count(200) == 42  # those that ran, and those that waited
    assert statuses.count(503) == 58
    assert all("retry-after:" in answer for status, _, answer in noisy if status == 503)
    assert [status for status, _, _ in quiet] == [200, 200, 200]
    assert max(seconds for _, seconds, _ in quiet) < 0.6  # behind all of the noise it would be a second
