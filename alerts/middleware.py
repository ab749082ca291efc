"""The short way in for webhooks: no session, no CSRF, no redirect, no host check stands before them."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from alerts import views

PATHS = frozenset(f"/webhooks/{kind}{slash}" for kind in ("alertmanager", "grafana") for slash in ("/", ""))


def straight_to_ingest(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer webhooks here, before any other middleware sees them."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        return views.alertmanager(request) if request.path_info in PATHS else get_response(request)

    return answer
