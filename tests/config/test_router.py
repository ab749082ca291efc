"""What the front door does before, beside and after the bridge."""

import socket
from collections.abc import Iterable
from http.client import HTTPConnection
from typing import cast
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope

from common.headers import SECURITY_HEADERS
from config import asgi, wsgi
from config.bridge import Bridge
from tests.serving import served

application = cast(ASGI3Application, asgi.application)


def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"over the bridge"]


def got(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, content


def test_a_native_route_holds_no_thread_and_all_else_goes_over_the_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stream(scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"native", "more_body": False})

    monkeypatch.setattr(asgi, "bridge", Bridge(page))
    monkeypatch.setitem(asgi.NATIVE_ROUTES, "/api/v1/stream/", stream)

    with served(application) as port:
        answers = [got(port, path)[2] for path in ("/api/v1/stream/", "/api/v1/stream/more")]

    assert answers == [b"native", b"over the bridge"]


def test_a_websocket_is_refused() -> None:
    handshake = (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    with served(application) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(handshake)
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 403 ")


def test_a_server_that_stops_waits_for_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Drained(Bridge):
        async def drain(self, seconds: float) -> None:
            waited.append(seconds)

    monkeypatch.setattr(asgi, "bridge", Drained(page))

    with served(application, lifespan=True) as port:
        assert got(port, "/")[0] == 200
        assert waited == []

    assert waited == [asgi.DRAIN_SECONDS]


def test_the_product_answers_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "bridge", Bridge(wsgi.application))

    with served(application) as port:
        status, headers, content = got(port, "/livez")

    assert (status, content) == (200, b"ok\n")
    assert {name: headers[name.lower()] for name in SECURITY_HEADERS} == SECURITY_HEADERS
