"""The door for webhooks."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from alerts import group_commit, ingest, integrations
from common import metrics, problems
from common.errors import DomainError

log = logging.getLogger(__name__)

_FAULTS = {
    "too_large": (413, "The body is larger than 32 MiB."),
    "too_slow": (408, "The body did not arrive within 10 seconds."),
}


@csrf_exempt
def alertmanager(request: HttpRequest) -> HttpResponse:
    """Take an Alertmanager notification, or keep one of very many alerts for the engine. 2xx only after the commit;
    what is temporary is 503, never 429."""
    with metrics.ingesting() as counted:
        response = _answer(request, counted)
        counted.result = response.status_code
    return response


def _answer(request: HttpRequest, counted: metrics.Delivery) -> HttpResponse:
    if request.method != "POST":
        return _not_post()
    try:
        integration = integrations.by_authorization(request.META.get("HTTP_AUTHORIZATION", ""))
        if integration is None:
            return _unknown()
        counted.integration = integration.slug
        now = timezone.now()
        fault = request.META.get("burnline.body_fault")
        body = b"" if fault else request.read(settings.WEBHOOK_MAX_BYTES + 1)
        if len(body) > settings.WEBHOOK_MAX_BYTES:
            fault = "too_large"
        if fault:
            status, reason = _FAULTS[fault]
            size = int(request.META.get("burnline.body_declared") or len(body))
            ingest.refuse(integration, None, size=min(size, 2**31 - 1), status=status, reason=reason, now=now)
            return problems.response(status, fault, reason)
        receipt = group_commit.receive(integration, body, now=now)
    except DomainError as exc:
        return _later(exc.message) if exc.status == 503 else problems.response(exc.status, exc.code, exc.message)
    except (DatabaseError, InterfaceError):
        log.exception("a delivery could not be stored")
        return _later("The database could not take this now.")
    counted.alerts = receipt.counts["received"]
    return HttpResponse(receipt.document(), status=receipt.status, content_type="application/json")


def _not_post() -> HttpResponse:
    response = problems.response(405, "method_not_allowed", "Post notifications here.")
    response.headers["Allow"] = "POST"
    return response


def _unknown() -> HttpResponse:
    response = problems.response(401, "unauthenticated", "This needs the token of an integration.")
    response.headers["WWW-Authenticate"] = 'Bearer realm="burnline"'
    return response


def _later(reason: str) -> HttpResponse:
    response = problems.response(503, "try_again", reason)
    response.headers["Retry-After"] = "5"
    return response
