"""What stands between every request and its view: the slash at the end, and refusals that become answers."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.common import CommonMiddleware

from common import pages
from common.errors import DomainError

log = logging.getLogger(__name__)


class SlashForReaders(CommonMiddleware):
    """Lead who reads to the address with its slash. Not who writes: of a redirected POST only a GET would arrive."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return request.method in ("GET", "HEAD") and super().should_redirect_with_slash(request)


class Refusals:
    """A DomainError becomes a page with its status, or a problem document below /api/ and /webhooks/."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DomainError):
            return pages.refusal(request, exception)
        if isinstance(exception, OperationalError | InterfaceError):
            log.warning("the database is busy or away: %s", str(exception).strip())
            return pages.busy(request)
        return None
