"""Every answer says which process gave it, so that one is killed once it is at work."""

import os
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "Answered-By"


def signed(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    from config import door  # once Django is set up

    door._HEADERS.append((HEADER.lower().encode(), str(os.getpid()).encode()))  # what never comes to Django, too

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers[HEADER] = str(os.getpid())
        return response

    return answer
