"""Versions over HTTP: `"<version>"` as the ETag, If-Match before a change, If-None-Match before an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework import status as http
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import DomainError, VersionMoved

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_NEVER = -1


class IfMatchRequired(DomainError):
    """A change that could lose somebody's words must say which version it began from."""

    code = "if_match_required"
    status = 428
    title = "Say which version you have seen"


def answer(
    request: Request, data: Any, version: int | str, *, status: int = http.HTTP_200_OK, is_whole: bool = True
) -> Response:
    """The object with its ETag; 304 where the sender of a GET has this version already.

    `is_whole`: the version tells all that the answer shows. Where it does not, nobody is told that nothing changed.
    """
    tag = f'"{version}"'
    headers = {"ETag": tag}
    if is_whole and request.method in ("GET", "HEAD"):
        known = request.headers.get("If-None-Match", "")
        if known.strip() == "*" or str(version) in _TAG.findall(known):
            return Response(status=http.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(data, status=status, headers=headers)


def expected(request: Request, current: int) -> int | None:
    """The version that If-Match names; None where it does not ask. Of several, the current one if it is among them."""
    header = request.headers.get("If-Match", "").strip()
    if not header or header == "*":
        return None
    versions = [
        int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 10 else _NEVER for tag in _TAG.findall(header)
    ]
    return current if current in versions else next(iter(versions), _NEVER)


def required(request: Request, current: int) -> int:
    """The same where If-Match must be sent. Raises IfMatchRequired."""
    if not request.headers.get("If-Match", "").strip():
        raise IfMatchRequired("Send If-Match with the version that you have seen.")
    version = expected(request, current)
    return current if version is None else version


@contextmanager
def moved_tells(current: Callable[[], Any]) -> Iterator[None]:
    """Add what stands now to a VersionMoved that passes, so that the sender can compare."""
    try:
        yield
    except VersionMoved as exc:
        exc.extra.setdefault("current", current())
        raise
