"""Views let refusals pass; here they become answers."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from common import pages
from common.errors import DomainError

log = logging.getLogger(__name__)


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
