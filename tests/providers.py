"""Providers on this machine that speak the real wire formats and behave as they are told: HTTP and SMTP.

    with providers.http() as provider:
        provider.behave(providers.too_many("7"), providers.fine)      # the last one stays
        outside.post(provider.url("/hooks/abc"), ...)
        provider.requests[0].json["text"]

What they get is logged before it is answered. Ports are the system's choice, on loopback.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Request:
    """What one request brought. Names of headers are in small letters."""

    at: float  # Unix time
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        """The key that every copy of a message carries."""
        return self.headers.get("webhook-id") or self.headers.get("x-burnline-key", "")


class Handler(BaseHTTPRequestHandler):
    """One connection. A behaviour is given this, and answers as it likes."""

    protocol_version = "HTTP/1.1"
    server: _Server
    request_seen: Request

    def do_POST(self) -> None:
        provider = self.server.provider
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_seen = Request(time.time(), self.command, self.path, headers, body)
        self.close_connection = True
        provider.take(self.request_seen)(self)

    do_GET = do_PUT = do_POST

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)

    def wait(self, seconds: float) -> bool:
        """Let time pass; true when the provider closes meanwhile."""
        return self.server.provider.closing.wait(seconds)

    def log_message(self, *args: object) -> None:
        """The log is `requests`."""


Behaviour = Callable[[Handler], object]


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False
    provider: HttpProvider

    def get_request(self) -> tuple[socket.socket, Any]:
        line, address = super().get_request()
        self.provider.connections += 1
        return line, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are expected here."""


@dataclass
class HttpProvider:
    """A provider that got `requests` and answers each by the next behaviour; the last behaviour stays."""

    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._script: list[Behaviour] = [fine]
        self._lock = threading.Lock()
        self._server = _Server((self.host, 0), Handler)
        self._server.provider = self
        if self.tls is not None:  # the handshake is for the connection's own thread
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/") -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{path}"

    def behave(self, *behaviours: Behaviour) -> None:
        with self._lock:
            self._script = list(behaviours)

    def take(self, request: Request) -> Behaviour:
        with self._lock:
            self.requests.append(request)
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@contextmanager
def http(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[HttpProvider]:
    provider = HttpProvider(host, tls)
    try:
        yield provider
    finally:
        provider.close()


# Behaviours


def fine(handler: Handler) -> None:
    """What the provider that this path belongs to says to a good message, and to a bad one."""
    path = handler.request_seen.path.partition("?")[0]
    if path.startswith(("/services/", "/hooks/")):
        _slack(handler)
    elif path.startswith("/workflows/"):
        _teams(handler)
    elif path == "/":
        _ntfy(handler)
    else:
        handler.answer(204)


def status(code: int, body: bytes = b"", **headers: str) -> Behaviour:
    return lambda handler: handler.answer(code, body, **headers)


def too_many(retry_after: str, code: int = 429) -> Behaviour:
    """Asks for patience, in seconds or until an HTTP date."""
    return status(code, b"slow down", Retry_After=retry_after)


def too_many_until(seconds: float) -> Behaviour:
    """Asks for patience until a date that many seconds from now."""
    return lambda handler: handler.answer(429, Retry_After=formatdate(time.time() + seconds, usegmt=True))


def hang(seconds: float = 60) -> Behaviour:
    """Takes the request and says nothing."""
    return lambda handler: handler.wait(seconds)


def rubbish(handler: Handler) -> None:
    """Bytes that are no HTTP."""
    handler.raw(b"\x00\xff\x16\x03SSH-2.0-nonsense\r\n\r\n" * 3)


def rubbish_body(code: int = 200) -> Behaviour:
    """HTTP, with a body that no provider of ours would send."""
    return status(code, b"\xff\xfe<html>\x00Welcome to the guest network", Content_Type="application/json")


def closed(handler: Handler) -> None:
    """Reads the request and hangs up, with a reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def cut_short(handler: Handler) -> None:
    """Promises a body, and hangs up in the middle of it."""
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")


def redirect(to: str, code: int = 302) -> Behaviour:
    return status(code, Location=to)


def huge(size: int = 8 << 20, code: int = 200) -> Behaviour:
    """Says yes, and then more than anybody wants to hear."""

    def behaviour(handler: Handler) -> None:
        handler.raw(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (code, size))
        for _ in range(0, size, 1 << 16):
            handler.raw(b"x" * (1 << 16))

    return behaviour


def huge_head(handler: Handler) -> None:
    """Headers without end."""
    handler.raw(b"HTTP/1.1 200 OK\r\n")
    for number in range(1 << 16):
        handler.raw(b"X-%d: %s\r\n" % (number, b"y" * 100))


def drip(pause: float = 0.2, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n") -> Behaviour:
    """A byte now and then, so that no single read takes long."""

    def behaviour(handler: Handler) -> None:
        for byte in head + b"." * 1000:
            handler.raw(bytes([byte]))
            if handler.wait(pause):
                return

    return behaviour


def drip_body(pause: float = 0.2) -> Behaviour:
    """The head at once, the body by and by."""

    def behaviour(handler: Handler) -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        drip(pause, head=b"")(handler)

    return behaviour


def continues(handler: Handler) -> None:
    """Informational answers without end, and never the answer."""
    while not handler.wait(0.02):
        handler.raw(b"HTTP/1.1 102 Processing\r\n\r\n")


def _slack(handler: Handler) -> None:
    """An incoming webhook of Slack or Mattermost: "ok", or a word for what is wrong."""
    try:
        message = handler.request_seen.json
    except ValueError:
        return handler.answer(400, b"invalid_payload")
    if not isinstance(message, dict) or not (message.get("text") or message.get("blocks")):
        return handler.answer(400, b"no_text")
    for block in message.get("blocks", []):
        text = block.get("text", {}).get("text", "")
        limit = {"header": 150, "section": 3000}.get(block["type"], 0)
        buttons = block.get("elements", [])
        wrong = len(text) > limit or (limit and not text) or len(buttons) > 25
        if wrong or any(len(b["text"]["text"]) > 75 or len(b["url"]) > 3000 for b in buttons):
            return handler.answer(400, b"invalid_blocks")
    return handler.answer(200, b"ok", Content_Type="text/html")


def _teams(handler: Handler) -> None:
    """A workflow of Teams: it takes the card, and says nothing."""
    body = handler.request_seen.body
    if len(body) > 28 << 10:
        return handler.answer(413)
    try:
        message = json.loads(body)
        cards = [one["content"] for one in message["attachments"]]
        kinds = {one["contentType"] for one in message["attachments"]}
        good = kinds == {"application/vnd.microsoft.card.adaptive"} and message["type"] == "message"
        good = good and all(card["type"] == "AdaptiveCard" and card["version"] and card["body"] for card in cards)
    except (ValueError, KeyError, TypeError):
        good = False
    return handler.answer(202 if good else 400)


def _ntfy(handler: Handler) -> None:
    """The root of an ntfy server: it answers with the message as it published it."""

    def wrong(code: int, error: str) -> None:
        fault = {"code": code, "http": 400, "error": f"invalid request: {error}"}
        handler.answer(400, json.dumps(fault).encode(), Content_Type="application/json")

    try:
        message = handler.request_seen.json
    except ValueError:
        return wrong(40024, "request body must be valid JSON")
    if not re.fullmatch(r"[-_A-Za-z0-9]{1,64}", message.get("topic", "")):
        return wrong(40009, "topic invalid")
    if message.get("priority", 3) not in (1, 2, 3, 4, 5):
        return wrong(40007, "priority invalid")
    actions = message.get("actions", [])
    if len(actions) > 3 or not all(one["action"] == "view" and one["label"] and one["url"] for one in actions):
        return wrong(40018, "actions invalid")
    if len(message.get("message", "").encode()) > 4096:
        return wrong(40011, "message too long")
    published = {"id": "hwQ2YpKdmg", "time": int(time.time()), "event": "message", **message}
    return handler.answer(200, json.dumps(published).encode(), Content_Type="application/json")


# SMTP


@dataclass(frozen=True)
class Mail:
    at: float
    sender: str
    to: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        message = BytesParser(policy=policy.default).parsebytes(self.raw)
        assert isinstance(message, EmailMessage)
        return message


@dataclass
class MailProvider:
    """A mail server that got `mails`. `refusals` are what it says at a step ("MAIL", "RCPT", "DATA") instead of yes."""

    mails: list[Mail] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    hang_at: str = ""
    close_at: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        self.connections = 0
        self._controller = _Controller(self)
        self._controller.start()
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def url(self, query: str = "") -> str:
        return f"smtp://127.0.0.1:{self.port}{query}"

    async def _step(self, name: str, server: SMTP) -> str | None:
        if self.hang_at == name:
            await asyncio.sleep(60)
        if self.close_at == name:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return self.refusals.get(name)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._step("MAIL", server):
            return refusal
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._step("RCPT", server):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if refusal := await self._step("DATA", server):
            return refusal
        assert isinstance(envelope.content, bytes)
        self.mails.append(Mail(time.time(), envelope.mail_from or "", tuple(envelope.rcpt_tos), envelope.content))
        return "250 OK"

    def close(self) -> None:
        self._controller.stop()


class _Controller(Controller):
    """On a port of the system's choice."""

    def __init__(self, provider: MailProvider) -> None:
        super().__init__(provider, hostname="127.0.0.1", port=0, ready_timeout=10)
        self.provider = provider

    def factory(self) -> SMTP:
        self.provider.connections += 1
        return SMTP(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def smtp() -> Iterator[MailProvider]:
    provider = MailProvider()
    try:
        yield provider
    finally:
        provider.close()


# Canaries


class Canary:
    """Listens where nothing of ours may ever connect, and counts who does."""

    def __init__(self, host: str, port: int = 0) -> None:
        self.host = host
        self.connections = 0
        self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            line.close()

    def settled(self) -> int:
        """How many came, once every connection made so far has been counted."""
        before = self.connections
        with socket.create_connection((self.host, self.port), timeout=5) as line:
            line.recv(1)  # accepted in order: whoever came before us has been counted
        self.connections -= 1
        assert self.connections >= before
        return self.connections

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
