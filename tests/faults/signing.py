"""Every answer says which process gave it, so that one is killed once it is at work."""

import os
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "Answered-By"


def signed(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers[HEADER] = str(os.getpid())
        return response

    return answer
