"""The front door under uvicorn: event streams are answered natively, every other request by Django over the bridge."""

from collections.abc import Awaitable, Callable

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, LifespanScope, Scope

from config import wsgi  # first: Django must be set up before what follows reads models

# isort: split
from config import door, senders
from config.bridge import Bridge
from config.live import Streams
from config.settings import ENV

HttpApplication = Callable[[HTTPScope, ASGIReceiveCallable, ASGISendCallable], Awaitable[None]]

DRAIN_SECONDS = 2.0
READING = ("GET", "HEAD")

bridge = Bridge(wsgi.application, threads=ENV.threads, short_way=door.take, senders=senders)
streams = Streams(wsgi.application)

# Exact path -> what answers its readers on the event loop, holding no thread of the bridge.
NATIVE_ROUTES: dict[str, HttpApplication] = {"/api/v1/events/": streams}
if ENV.live == "stream":
    NATIVE_ROUTES["/live/"] = streams


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    if scope["type"] == "http":
        answer = NATIVE_ROUTES.get(scope["path"]) if scope["method"] in READING else None
        await (answer or bridge)(scope, receive, send)
    elif scope["type"] == "websocket":
        # There are none here; closed before it is accepted, the server answers 403.
        await receive()
        await send({"type": "websocket.close", "code": 1000, "reason": None})
    else:
        await _live(scope, receive, send)


async def _live(scope: LifespanScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Say that we are up, and how to close the streams; at the end let the threads finish, DRAIN_SECONDS at most."""
    await receive()
    scope.get("state", {})["close"] = streams.close
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await streams.stop()
    await bridge.drain(DRAIN_SECONDS)
    await send({"type": "lifespan.shutdown.complete"})
