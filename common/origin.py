"""From where what happens now was asked for: the request that is being answered; nothing where no request asked."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from structlog.contextvars import get_contextvars

from common.addresses import address_of
from common.text import shortened, storable


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, as far as the request itself tells; all empty for the engine, workers and commands."""

    address: str = ""
    user_agent: str = ""
    request_id: str = ""


NOWHERE = Origin()

_current: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def current() -> Origin:
    """Where the running request came from."""
    return _current.get()


def remembered(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: know it while the request is answered, and forget it after. Webhooks are answered before."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        token = _current.set(_of(request))
        try:
            return get_response(request)
        finally:
            _current.reset(token)

    return answer


def _of(request: HttpRequest) -> Origin:
    return Origin(
        address=shortened(storable(address_of(request)), 64),
        user_agent=shortened(storable(request.META.get("HTTP_USER_AGENT", "")), 300),
        request_id=str(get_contextvars().get("http.request.id", "")),
    )
