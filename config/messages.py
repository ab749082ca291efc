"""What passes over the bridge: PEP 3333's environ from an ASGI scope, ASGI's events from a WSGI answer."""

import json
import sys
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from asgiref.typing import ASGISendCallable, HTTPResponseBodyEvent, HTTPResponseStartEvent, HTTPScope

from common.headers import SECURITY_HEADERS
from config.bodies import Fault

Headers = Iterable[tuple[bytes, bytes]]

BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
# With more to come from the sender, or in doubt about it, the connection cannot be used again.
CLOSING = MappingProxyType({"Connection": "close"})
RETRY_SOON = MappingProxyType({"Retry-After": "2"})


class Answer(NamedTuple):
    """An answer that lies in memory whole."""

    head: HTTPResponseStartEvent
    body: bytes


def environ(scope: HTTPScope, headers: Headers) -> WSGIEnvironment:
    """The request without its body; what the wire carries as bytes is here as latin-1."""
    path = unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    host, port = scope["server"] or ("localhost", None)
    request: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope["root_path"],
        "PATH_INFO": path.removeprefix(scope["root_path"]),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers:
        # An underscore would pass for a dash; the body's length and coding are now what we made of it.
        if b"_" in name or name in (b"content-length", b"transfer-encoding"):
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key != "CONTENT_TYPE":
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in request:
            text = request[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        request[key] = text
    return request


def declared_length(headers: Headers) -> int | None:
    """The Content-Length, where one is given."""
    value = dict(headers).get(b"content-length", b"")
    return int(value) if value.isdigit() else None


def head(status: int, headers: Iterable[tuple[str, str]]) -> HTTPResponseStartEvent:
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if status in BODILESS:
        fields = [(name, value) for name, value in fields if name != b"content-length"]
    return {"type": "http.response.start", "status": status, "headers": fields, "trailers": False}


def whole(head: HTTPResponseStartEvent, body: bytes) -> Answer:
    """The answer with its length said."""
    if head["status"] in BODILESS:
        return Answer(head, b"")
    if declared_length(head["headers"]) is None:
        head["headers"] = [*head["headers"], (b"content-length", str(len(body)).encode())]
    return Answer(head, body)


def chunk(body: bytes, *, more: bool) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}


def problem(status: int, code: str, title: str, detail: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
    """An answer of our own, in which the application had no part; it closes the connection."""
    document = {
        "type": f"urn:burnline:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    fields = {**SECURITY_HEADERS, **CLOSING, "Content-Type": "application/problem+json", **headers}
    return whole(head(status, fields.items()), json.dumps(document).encode())


def refusal(fault: Fault) -> Answer:
    """What the sender of a body hears that was not read to its end."""
    if fault == "too_large":
        return problem(413, fault, "Too large", "The body is larger than this address takes.")
    if fault == "too_slow":
        return problem(408, fault, "Too slow", "The body did not arrive in time.")
    return problem(503, "busy", "Busy", "Too much is arriving at once. Nothing was changed: try again.", RETRY_SOON)


async def send_whole(answer: Answer, send: ASGISendCallable) -> None:
    await send(answer.head)
    await send(chunk(answer.body, more=False))
