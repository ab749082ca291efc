"""Two hundred connections that send their bodies a byte at a time, while people look at pages."""

import asyncio
import threading
import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from config import wsgi
from config.bodies import Bound
from config.bridge import Bridge
from tests.serving import served

SENDERS = 200
READERS = 4
THREADS = 4
SECONDS = 3.0
PATHS = ("/webhooks/alertmanager/", "/incidents/")
BOUNDS = (
    Bound("/webhooks/", size=100_000, seconds=SECONDS, view_refuses=True),
    Bound("", size=100_000, seconds=SECONDS),
)


class Site:
    """Pages, and a webhook that refuses what did not arrive."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.most_threads = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.most_threads = max(self.most_threads, threading.active_count())
        if fault := environ.get("burnline.body_fault"):
            self.faults.append(fault)
            start_response("408 Request Timeout", [])
            return [b""]
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [])
        return [b"a page"]


async def status_for_a_slow_sender(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n".encode())
    answer = asyncio.ensure_future(reader.readline())
    while not answer.done():
        writer.write(b"x")
        await asyncio.wait([answer], timeout=0.25)
    writer.close()
    return int(answer.result().split()[1])


async def pages_meanwhile(port: int, page: str, until: float) -> list[tuple[int, float]]:
    """Status and seconds of each page asked for until then."""
    seen = []
    while time.monotonic() < until:
        asked_at = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {page} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        seen.append((int(answer.split()[1]), time.monotonic() - asked_at))
        await asyncio.sleep(0.02)
    return seen


def dripped_on(application: WSGIApplication, page: str) -> tuple[set[int], set[int], float]:
    """The statuses of the senders and of the pages, and the 95th percentile of the seconds that a page took."""

    async def day(port: int) -> tuple[list[int], list[tuple[int, float]]]:
        senders = [asyncio.ensure_future(status_for_a_slow_sender(port, PATHS[n % 2])) for n in range(SENDERS)]
        await asyncio.sleep(0.5)
        until = time.monotonic() + SECONDS - 1
        readers = [pages_meanwhile(port, page, until) for _ in range(READERS)]
        visits = await asyncio.wait_for(asyncio.gather(*readers), SECONDS)
        assert not any(sender.done() for sender in senders), "the bodies were to drip all the while"
        return await asyncio.wait_for(asyncio.gather(*senders), 6), [page for visit in visits for page in visit]

    with served(Bridge(application, threads=THREADS, bounds=BOUNDS)) as port:
        statuses, pages = asyncio.run(day(port))

    assert len(statuses) == SENDERS
    assert len(pages) > READERS * 10
    seconds = sorted(seconds for _, seconds in pages)
    return set(statuses), {status for status, _ in pages}, seconds[int(len(seconds) * 0.95)]


def test_pages_answer_at_once_while_two_hundred_bodies_drip() -> None:
    site = Site()
    threads_before = threading.active_count()

    senders_heard, readers_heard, p95 = dripped_on(site, "/")

    assert readers_heard == {200}
    assert p95 <= 1
    assert senders_heard == {408}
    assert site.faults == ["too_slow"] * (SENDERS // 2)
    assert site.most_threads <= threads_before + 1 + THREADS  # uvicorn's, and the pool


def test_the_product_answers_at_once_while_two_hundred_bodies_drip() -> None:
    senders_heard, readers_heard, p95 = dripped_on(wsgi.application, "/livez")

    assert readers_heard == {200}
    assert p95 <= 1
    assert senders_heard == {401, 408}  # the webhook asks for a token first
