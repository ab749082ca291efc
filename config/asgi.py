"""The front door under uvicorn: event streams are answered natively, every other request by Django over the bridge."""

from collections.abc import Awaitable, Callable

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from config.bridge import Bridge
from config.settings import ENV
from config.wsgi import application as django

HttpApplication = Callable[[HTTPScope, ASGIReceiveCallable, ASGISendCallable], Awaitable[None]]

DRAIN_SECONDS = 2.0

# Exact path -> what answers it on the event loop, holding no thread of the bridge.
NATIVE_ROUTES: dict[str, HttpApplication] = {}

bridge = Bridge(django, threads=ENV.web_threads)


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    if scope["type"] == "http":
        answer = NATIVE_ROUTES.get(scope["path"], bridge)
        await answer(scope, receive, send)
    elif scope["type"] == "websocket":
        # There are none here; closed before it is accepted, the server answers 403.
        await receive()
        await send({"type": "websocket.close", "code": 1000, "reason": None})
    else:
        await _live(receive, send)


async def _live(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Say that we are up; at the end let the threads finish, for DRAIN_SECONDS at most."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await bridge.drain(DRAIN_SECONDS)
    await send({"type": "lifespan.shutdown.complete"})
