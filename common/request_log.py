"""Around every request: its id, the line in the log that tells of it, and its place among the figures."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject
from structlog.contextvars import bind_contextvars, clear_contextvars

from common import metrics
from common.addresses import address_in

logger = logging.getLogger("burnline.requests")

_numbers = random.Random()  # to tell requests apart: nobody is kept from guessing them
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What probes and open pages ask again and again. Also these are in the log where they break.
_QUIET = ("/livez", "/readyz", "/metrics", "/live/", settings.STATIC_URL)
_OF_INCIDENTS = re.compile(r"(api-)?(incident|postmortem)-")  # the names of routes whose number is an incident's


class RequestLog:
    """The outermost middleware. Of an address it logs the path alone; links that are secrets are cut by the log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(_QUIET):
            return self.get_response(request)
        began = time.perf_counter_ns()
        request_id = begin(request.META)
        try:
            response = self.get_response(request)
            response.headers["X-Request-ID"] = request_id
            tell(request.META, response.status_code, time.perf_counter_ns() - began, _user_id(request))
            return response
        finally:
            clear_contextvars()

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        match = request.resolver_match
        if match and "number" in kwargs and _OF_INCIDENTS.match(match.view_name):
            bind_contextvars(**{"labels.incident": kwargs["number"]})


def begin(environ: Mapping[str, Any]) -> str:
    """The id of a request, its sender's or a new one. All that is logged from here on in this context has it."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id: str = given if _SANE.fullmatch(given) else f"{_numbers.getrandbits(64):016x}"
    bind_contextvars(**{"http.request.id": request_id})
    return request_id


def tell(environ: Mapping[str, Any], status: int, took: int, user_id: int | None = None) -> None:
    """Count a request that was answered after so many nanoseconds, and log it."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    metrics.answered(_kind(path), status, took / 1e9)
    if not logger.isEnabledFor(logging.INFO):
        return
    fields = {
        "http.request.method": method,
        "url.path": path,
        "http.response.status_code": status,
        "event.duration": took,
        "client.ip": address_in(environ),
    }
    if user_id:
        fields["user.id"] = str(user_id)
    # Of every request there is one: spared is the search for the line of code that writes it, which is this.
    words = f"{method} {path} {status}"
    logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, words, (), None, extra=fields))


def _kind(path: str) -> str:
    return "api" if path.startswith("/api/") else "webhook" if path.startswith("/webhooks/") else "page"


def _user_id(request: HttpRequest) -> int | None:
    """Who it was, where the request came far enough to know; asks nothing of the database."""
    user = request.__dict__.get("user")
    if isinstance(user, SimpleLazyObject):  # the session's, and perhaps looked at by nobody
        user = getattr(request, "_cached_user", None)
    return user.pk if user is not None and user.is_authenticated else None
