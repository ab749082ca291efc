"""Runs a WSGI application under an ASGI server: the event loop reads the body, then one thread does the rest.

A thread is taken once there is nothing left to wait for from the sender, and is free again before an answer that fits
in memory is sent: neither slow senders nor slow readers of pages hold one. The bounds are kept by `bodies.py`, the
turns by `turns.py`: each token of an integration has a lane of its own, and all pages share one. So have bodies, but
there a lane is an integration, and whoever cannot show that it is one shares a lane with all the others who cannot.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import itertools
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from io import BytesIO
from types import TracebackType
from typing import Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPResponseStartEvent, HTTPScope

from common import metrics
from config import messages
from config.bodies import MIB, Bodies, BodyRefused, Bound, Owner, SenderLeft
from config.turns import Crowded, Turns

logger = logging.getLogger(__name__)

# The first whose prefix fits rules. The webhooks' view refuses by itself: it knows whose refusal to count.
BOUNDS = (
    # Its threads wait for a commit that they share, and hold no connection while they do.
    Bound("/webhooks/", size=32 * MIB, seconds=10, view_refuses=True, threads=16),
    Bound("", size=4 * MIB, seconds=30),
)
WAITING = 256  # requests of one lane, which are answered within a second or two
# A stream that says it is no longer than this, as static files do, is collected: its reader holds no thread.
COLLECTED = 2 * MIB
# With two of one of these, we and the proxy before us could each believe another one.
SINGLE = frozenset({b"authorization", b"content-length", b"content-type", b"host"})

OptionalExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


# Answers some requests in place of the application, from the environ and the body; None to what it leaves to it.
ShortWay = Callable[[WSGIEnvironment, bytes], Awaitable[messages.Answer | None]]


class Senders(Protocol):
    """Knows who sends a webhook; None where that is nobody. The one is quick, the other may take a while."""

    def remembered(self, environ: WSGIEnvironment, /) -> Hashable: ...

    async def asked(self, environ: WSGIEnvironment, /) -> Hashable: ...


class ReaderLeft(Exception):
    """The client hung up before the end of its answer."""


class ReaderTooSlow(Exception):
    """The client did not take a chunk of its answer in time."""


class _Room:
    """Threads, and who is next to have one."""

    def __init__(self, threads: int, waiting: int, name: str) -> None:
        self.turns = Turns(threads, waiting=waiting)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)


class Bridge:
    """An ASGI application for `http` scopes that answers with a WSGI application.

    Where a bound says `view_refuses`, the application is called for a body over it too, with an empty `wsgi.input` and
    the fault ("too_large", "too_slow") in `environ["burnline.body_fault"]` and its declared length, or 0, in
    `environ["burnline.body_declared"]`. `patience` is how many seconds the reader
    of a stream may take for one chunk, `ceiling` how many bytes of bodies the process holds at once.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int = 16,
        bounds: Sequence[Bound] = BOUNDS,
        ceiling: int = 256 * MIB,
        patience: float = 60,
        waiting: int = WAITING,
        short_way: ShortWay | None = None,
        senders: Senders | None = None,
    ) -> None:
        self._application = application
        self._short_way = short_way
        self._senders = senders
        self._bounds = bounds
        self._patience = patience
        self._bodies = Bodies(ceiling)
        self._pages = _Room(threads, waiting, "bridge")
        self._rooms = {each: _Room(each.threads, waiting, "door") for each in bounds if each.threads}
        self._running: set[Future[messages.Answer | None]] = set()

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        headers = list(scope["headers"])
        names = [name for name, _ in headers]
        if any(names.count(name) > 1 for name in SINGLE):
            detail = "A header that may come once came twice."
            await messages.send_whole(messages.problem(400, "repeated_header", "Not understood", detail), send)
            return

        environ = messages.environ(scope, headers)
        bound = next(bound for bound in self._bounds if environ["PATH_INFO"].startswith(bound.prefix))
        try:
            declared, asks_first = messages.declared_length(headers), b"expect" in names
            owner = self._owner(bound, environ)
            async with self._bodies.read(
                receive, declared=declared, bound=bound, owner=owner, asks_first=asks_first
            ) as body:
                short_way = self._short_way if bound.view_refuses else None
                if short_way and (answer := await short_way(environ, body.getvalue())):
                    await messages.send_whole(answer, send)
                    return
                environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(len(body.getbuffer()))}
                await self._in_turn(bound, environ, receive, send)
                return
        except SenderLeft:
            return
        except BodyRefused as refused:
            fault = refused.fault

        if bound.view_refuses and fault != "no_room":
            environ |= {"wsgi.input": BytesIO(), "CONTENT_LENGTH": "0", "burnline.body_fault": fault}
            environ["burnline.body_declared"] = messages.declared_length(headers) or 0
            await self._in_turn(bound, environ, receive, send)
        else:
            metrics.refused(fault)
            await messages.send_whole(messages.refusal(fault), send)

    @property
    def bytes_held(self) -> int:
        """How much of requests' bodies is in memory now."""
        return self._bodies.held

    async def drain(self, seconds: float) -> None:
        """Take no more requests, and give those that run this long to end."""
        for room in (self._pages, *self._rooms.values()):
            room.pool.shutdown(wait=False, cancel_futures=True)
        calls = [asyncio.wrap_future(call) for call in list(self._running)]
        if calls:
            await asyncio.wait(calls, timeout=seconds)

    def _owner(self, bound: Bound, environ: WSGIEnvironment) -> Owner:
        if not (self._senders and bound.view_refuses):
            return Owner(bound.prefix)
        sender = self._senders.remembered(environ)
        if sender is not None:
            return Owner(sender)
        return Owner(bound.prefix, functools.partial(self._senders.asked, environ))

    async def _in_turn(
        self, bound: Bound, environ: WSGIEnvironment, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        room = self._rooms.get(bound, self._pages)
        try:
            async with room.turns.of(_lane(bound, environ)):
                answer = await self._answered(room, environ, receive, send)
        except Crowded:
            metrics.refused("crowded")
            answer = messages.refusal("no_room")
        if answer:
            await messages.send_whole(answer, send)

    async def _answered(
        self, room: _Room, environ: WSGIEnvironment, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> messages.Answer | None:
        """Its answer, to be sent; None where it went out, or nobody hears it any more."""
        outlet = Outlet(receive, send, self._patience)
        # A context of its own, so that nothing that a request sets is met by the next one in the same thread.
        call = room.pool.submit(contextvars.copy_context().run, _run, self._application, environ, outlet)
        self._running.add(call)
        call.add_done_callback(self._running.discard)
        try:
            answer = await asyncio.wrap_future(call)
        except ReaderLeft:
            return None
        except ReaderTooSlow:
            logger.warning("%s did not read on for %s s; dropped.", environ["REMOTE_ADDR"], self._patience)
            return None  # an unfinished answer: the server cuts the connection
        except Exception:
            if outlet.started:
                raise  # half an answer is out: the server logs it and cuts the connection
            logger.exception("%s %r failed.", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            answer = messages.problem(500, "broken", "Something broke on our side", "The log has it.")
        finally:
            outlet.close()
        return answer


def _lane(bound: Bound, environ: WSGIEnvironment) -> bytes:
    return str(environ.get("HTTP_AUTHORIZATION", "")).encode("latin-1", "replace") if bound.view_refuses else b""


class Outlet:
    """Hands a stream from its thread to the event loop, chunk by chunk, at the pace of the reader."""

    def __init__(self, receive: ASGIReceiveCallable, send: ASGISendCallable, patience: float) -> None:
        self.started = False
        self._receive = receive
        self._send = send
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.Task[None] | None = None
        self._handed: Future[None] | None = None
        self._closed = False

    def put(self, head: HTTPResponseStartEvent, body: bytes, *, more: bool) -> None:
        """From the thread: send one chunk, and the head of the answer before the first; wait until there is room."""
        self._handed = asyncio.run_coroutine_threadsafe(self._pass_on(head, body, more), self._loop)
        if self._closed:
            self._handed.cancel()
        try:
            self._handed.result(self._patience)
        except TimeoutError:
            self._handed.cancel()
            raise ReaderTooSlow from None
        except (CancelledError, OSError):
            raise ReaderLeft from None

    def close(self) -> None:
        """From the loop: nothing goes out any more; a thread that waits in `put` wakes."""
        self._closed = True
        if self._handed:
            self._handed.cancel()
        if self._watch:
            self._watch.cancel()

    async def _pass_on(self, head: HTTPResponseStartEvent, body: bytes, more: bool) -> None:
        if not self.started:
            self.started = True
            await self._send(head)
            self._watch = self._loop.create_task(self._close_when_reader_leaves())
        await self._send(messages.chunk(body, more=more))

    async def _close_when_reader_leaves(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.close()


def _run(application: WSGIApplication, environ: WSGIEnvironment, outlet: Outlet) -> messages.Answer | None:
    """In the thread: call the application; give its whole answer, or None once it went out as a stream."""
    heads: list[HTTPResponseStartEvent] = []  # the last one counts
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: OptionalExcInfo = None, /
    ) -> Callable[[bytes], object]:
        if exc_info and exc_info[1] and outlet.started:
            raise exc_info[1]
        closing = messages.CLOSING.items() if "burnline.body_fault" in environ else ()
        heads.append(messages.head(int(status[:3]), [*headers, *closing]))
        return written.append

    result = application(environ, start_response)
    try:
        if environ["REQUEST_METHOD"] == "HEAD":
            next(iter(result), b"")  # a generator calls start_response only now
            return messages.Answer(heads[-1], b"")
        chunks = itertools.chain(written, result)
        if _is_in_memory(result) or _is_short(heads):
            body = b"".join(chunks)
            return messages.whole(heads[-1], body)
        for chunk in chunks:
            if chunk:
                outlet.put(heads[-1], chunk, more=True)
        outlet.put(heads[-1], b"", more=False)
        return None
    finally:
        if close := getattr(result, "close", None):
            close()


def _is_in_memory(result: Iterable[bytes]) -> bool:
    """Whether it is a list, or a Django response that does not stream."""
    return isinstance(result, list | tuple) or not getattr(result, "streaming", True)


def _is_short(heads: Sequence[HTTPResponseStartEvent]) -> bool:
    length = messages.declared_length(heads[-1]["headers"]) if heads else None
    return length is not None and length <= COLLECTED
