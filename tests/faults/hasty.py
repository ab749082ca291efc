"""A build that must be found out: it answers 200 first, and takes the delivery in on another thread a moment later.

Settings and their middleware, for processes that the fault tests start; nothing of the product knows of it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import MIDDLEWARE

HASTE = 0.1  # seconds between the answer and the rest

_afterwards = ThreadPoolExecutor(4)


def answering_first(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    from alerts import integrations  # once Django is set up

    integrations.remembered = lambda header: None  # nothing goes the short way

    def answer(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/webhooks/"):
            return get_response(request)
        _afterwards.submit(take_in, {**request.META, "wsgi.input": BytesIO(request.read())})
        return JsonResponse({"delivery": str(uuid.uuid4())})

    def take_in(environ: dict[str, Any]) -> None:
        time.sleep(HASTE)
        while get_response(WSGIRequest(environ)).status_code == 503:
            environ["wsgi.input"].seek(0)

    return answer


MIDDLEWARE = ["tests.faults.signing.signed", "tests.faults.hasty.answering_first", *MIDDLEWARE[1:]]
