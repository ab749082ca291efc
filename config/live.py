"""The event streams of pages and programs, held on the event loop: a listener costs no thread and no connection.

Who may listen is decided by Django, as for every other request: it runs the route's view (`incidents/api_live.py`) in
the watcher's thread, and its answer is sent unless the view has let the listener in.
"""

from __future__ import annotations

import asyncio
import logging
from io import BytesIO
from typing import NamedTuple
from wsgiref.types import WSGIApplication, WSGIEnvironment

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, HTTPResponseStartEvent, HTTPScope

from common import sse, streams
from config import messages
from config.listeners import BYE, Listener
from config.watcher import Away, Pace, Watcher
from incidents import stream
from incidents.api_live import ADMIT
from people.standing import Pass

logger = logging.getLogger(__name__)

LIMIT = 2000  # in one process
LIMIT_EACH = 20  # with one session or token
IN_FULL = "api-events"  # the route of programs

_ENDING = messages.problem(503, "busy", "Busy", "This process ends: come again.", {"Retry-After": "1"})
_FULL = messages.problem(503, "busy", "Busy", "Too many listen already: come again later.", {"Retry-After": "10"})
_AWAY = messages.problem(503, "busy", "Busy", "The database is busy or away: come again.", {"Retry-After": "2"})
_TOO_MANY = messages.problem(
    429,
    "too_often",
    "Too often",
    f"At most {LIMIT_EACH} streams at once for each token or session.",
    {"Retry-After": "10"},
)


class Admission(NamedTuple):
    """What Django answers. Where it lets somebody in: what they showed, where they begin and where all others are."""

    answer: messages.Answer
    shown: Pass | None = None
    begin: stream.Cursor = stream.START
    now_at: stream.Cursor = stream.START


class Streams:
    """An ASGI application for GET and HEAD of the routes of streams."""

    def __init__(
        self, django: WSGIApplication, *, pace: Pace | None = None, limit: int = LIMIT, limit_each: int = LIMIT_EACH
    ) -> None:
        self._django = django
        self._pace = pace or Pace()
        self._watcher = Watcher(self._pace)
        self._limit = limit
        self._limit_each = limit_each
        self._requests = 0
        self._is_closing = False

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if self._is_closing:
            await messages.send_whole(_ENDING, send)
        elif self._requests >= self._limit:
            await messages.send_whole(_FULL, send)
        else:
            self._requests += 1
            try:
                await self._answer(scope, receive, send)
            finally:
                self._requests -= 1

    def close(self) -> None:
        """Tell all listeners to come again elsewhere, and let nobody in any more."""
        self._is_closing = True
        loop = asyncio.get_running_loop()
        for listener in self._watcher.listeners:
            listener.end(BYE)
            if listener.patience is not None:  # they do not read
                listener.patience.reschedule(loop.time() + self._pace.closing)

    async def stop(self) -> None:
        """The end: look for nothing any more."""
        await self._watcher.stop()

    async def _answer(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        environ = messages.environ(scope, list(scope["headers"]))
        try:
            answer, shown, begin, now_at = await self._watcher.errand(self._ask, environ)
        except Away as exc:
            logger.warning("nobody can be let in to the streams: %s", exc)
            answer, shown = _AWAY, None
        if shown is None or scope["method"] == "HEAD":
            await messages.send_whole(answer, send)
        elif self._is_closing:
            await messages.send_whole(_ENDING, send)
        elif sum(shown.shown == each.shown.shown for each in self._watcher.listeners) >= self._limit_each:
            await messages.send_whole(_TOO_MANY, send)
        else:
            listener = Listener(shown, begin, in_full=shown.route == IN_FULL)
            with streams.counted("api" if listener.in_full else "page"), self._watcher.listening(listener, now_at):
                await self._hold(listener, _endless(answer.head), receive, send)

    def _ask(self, environ: WSGIEnvironment) -> Admission:
        """In the thread: what Django says."""
        admitted: list[tuple[Pass, stream.Cursor | None]] = []
        heads: list[HTTPResponseStartEvent] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> object:
            heads.append(messages.head(int(status[:3]), headers))
            return lambda _: None

        environ |= {"wsgi.input": BytesIO(), "CONTENT_LENGTH": "0"}
        environ[ADMIT] = lambda shown, asked: admitted.append((shown, asked))
        response = self._django(environ, start_response)  # type: ignore[arg-type]
        try:
            body = b"".join(response)
        finally:
            response.close()  # type: ignore[attr-defined]
        answer = messages.whole(heads[-1], body)
        if not admitted or answer.head["status"] != 200:
            return Admission(answer)
        [(shown, asked)] = admitted
        now_at, begin = self._watcher.begin_of(asked)
        return Admission(answer, shown, begin, now_at)

    async def _hold(
        self, listener: Listener, head: HTTPResponseStartEvent, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Tell them all that is for them, until they leave or are let go."""
        leaving = asyncio.get_running_loop().create_task(_until_they_leave(receive, listener))
        try:
            await self._send(listener, head, send)
            await self._send(listener, messages.chunk(stream.ready(listener.sent), more=True), send)
            while not (listener.ending or listener.has_left):
                if listener.has_waiting:
                    await self._send(listener, messages.chunk(listener.taken(), more=True), send)
                elif listener.is_behind:
                    await self._watcher.catch_up(listener)
                elif not await listener.waits(self._pace.ping):
                    await self._send(listener, messages.chunk(sse.PING, more=True), send)
            if not listener.has_left:
                await self._send(listener, messages.chunk(listener.ending, more=False), send)
        except TimeoutError:
            # An unfinished answer: the server cuts the connection.
            logger.warning("A listener did not read on for %s s; dropped.", self._pace.patience)
        finally:
            leaving.cancel()

    async def _send(self, listener: Listener, event: ASGISendEvent, send: ASGISendCallable) -> None:
        """Raises TimeoutError where they do not take it in time."""
        async with asyncio.timeout(self._pace.closing if self._is_closing else self._pace.patience) as patience:
            listener.patience = patience
            await send(event)
        listener.patience = None


async def _until_they_leave(receive: ASGIReceiveCallable, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.leave()


def _endless(head: HTTPResponseStartEvent) -> HTTPResponseStartEvent:
    """Django's own, without a length."""
    headers = [(name, value) for name, value in head["headers"] if name != b"content-length"]
    return {"type": "http.response.start", "status": head["status"], "headers": headers, "trailers": False}
