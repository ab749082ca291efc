"""Many listeners to event streams at once, and readers of pages beside them; needs nothing of the product."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Ear:
    """One of many that listen: what it heard, and when."""

    names: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    refusal: str = ""


class Crowd:
    """Many that listen at once, from one thread."""

    def __init__(self, port: int) -> None:
        self.ears: list[Ear] = []
        self._port = port
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def listen(self, who: Sequence[tuple[str, Mapping[str, str]]], seconds: float) -> None:
        """Let them all listen, each at a path and with what it sends."""
        self.ears = [Ear() for _ in who]
        for ear, (path, headers) in zip(self.ears, who, strict=True):
            self._tasks.append(asyncio.ensure_future(self._hear(ear, path, headers)))
        await self._until(lambda: all(ear.names or ear.refusal for ear in self.ears), seconds)
        assert not (refused := {ear.refusal for ear in self.ears if ear.refusal}), refused

    async def all_hear(self, happen: Callable[[], Awaitable[object]], seconds: float) -> float:
        """How long it took from when something had happened until the last of them had heard of it."""
        before = [len(ear.names) for ear in self.ears]
        await happen()
        happened = time.monotonic()
        await self._until(
            lambda: all(len(ear.names) > count for ear, count in zip(self.ears, before, strict=True)), seconds
        )
        return max(ear.moments[count] for ear, count in zip(self.ears, before, strict=True)) - happened

    async def ask(
        self, path: str, headers: Mapping[str, str], seconds: float, pause: float = 0.05
    ) -> list[tuple[int, float]]:
        """Ask for a page again and again: the statuses, and how long each took."""
        asked = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            reader, writer = await self._request(path, {**headers, "Connection": "close"})
            answer = await reader.read()
            writer.close()
            asked.append((int(answer.split()[1]), time.monotonic() - began))
            await asyncio.sleep(pause)
        return asked

    async def has_ended(self, seconds: float) -> None:
        """Until all of their streams have ended."""
        await asyncio.wait(self._tasks, timeout=seconds)

    async def _hear(self, ear: Ear, path: str, headers: Mapping[str, str]) -> None:
        reader, writer = await self._request(path, headers)
        try:
            status = (await reader.readline()).decode().strip()
            if " 200 " not in status:
                ear.refusal = status
                return
            async for line in reader:
                if line.startswith(b"event: "):
                    ear.names.append(line[7:].decode().strip())
                    ear.moments.append(time.monotonic())
        finally:
            writer.close()

    async def _request(
        self, path: str, headers: Mapping[str, str]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{said}\r\n".encode())
        return reader, writer

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            await asyncio.sleep(0.01)
