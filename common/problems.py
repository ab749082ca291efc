"""Refusals for programs: application/problem+json (RFC 9457), whoever refuses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from common.errors import DomainError
from common.text import storable_json

CONTENT_TYPE = "application/problem+json"
BUSY_RETRY_AFTER = 1  # seconds

_TITLES = {
    400: "Not understood",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not there",
    405: "Not a method of this resource",
    406: "Not available in this form",
    409: "Not possible",
    412: "Somebody changed it first",
    413: "Too large",
    415: "Send JSON",
    422: "Invalid",
    428: "Say which version you have seen",
    429: "Too often",
    500: "Something broke on our side",
    503: "Busy",
}
_CODES = {
    exceptions.ParseError: "malformed",
    exceptions.NotAuthenticated: "unauthenticated",
    exceptions.AuthenticationFailed: "unauthenticated",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "too_often",
}


def response(
    status: int,
    code: str,
    detail: str,
    title: str | None = None,
    errors: Iterable[tuple[str, str]] = (),
    extra: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """A problem document. `errors` are faults by field, `extra` further members, such as what would be allowed."""
    document: dict[str, Any] = {
        "type": f"urn:burnline:problem:{code}",
        "title": title or _TITLES.get(status, "Refused"),
        "status": status,
        "detail": detail,
        "code": code,
        **(extra or {}),
    }
    if faults := [{"field": field, "message": message} for field, message in errors]:
        document["errors"] = faults
    answer = HttpResponse(_dumped(document), status=status, content_type=CONTENT_TYPE)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="burnline"'
    if status == 503:
        answer.headers["Retry-After"] = str(BUSY_RETRY_AFTER)
    return answer


def refusal(error: DomainError) -> HttpResponse:
    """The problem document of what the product said no to."""
    return response(error.status, error.code, error.message, str(error.title), error.errors, error.extra)


def busy() -> HttpResponse:
    """The database could not be reached, or was locked for too long."""
    return response(503, "busy", "The database is busy or away. Nothing was changed: try again.")


def handle(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """What the REST API answers to an exception; None for what nobody expected, which becomes a 500."""
    answer = _answer(exc)
    if answer is not None:
        set_rollback()
    return answer


def about(request: HttpRequest) -> bool:
    """Whether a program asks, who is answered by a problem document rather than by a page."""
    return request.path.startswith(("/api/", "/webhooks/"))


def _answer(exc: Exception) -> HttpResponse | None:
    match exc:
        case DomainError():
            return refusal(exc)
        case exceptions.ValidationError():
            faults = list(_faults(exc.detail))
            return response(422, "invalid", _summary(faults), errors=faults)
        case Http404() | exceptions.NotFound():
            return response(404, "not_found", _words(exc, "There is nothing here, or nothing that you may see."))
        case PermissionDenied():
            return response(403, "forbidden", _words(exc, "Your role or your token's scope does not allow this."))
        case exceptions.PermissionDenied():
            return response(403, "forbidden", "Your role or your token's scope does not allow this.")
        case exceptions.APIException():
            answer = response(exc.status_code, _CODES.get(type(exc), str(exc.default_code)), str(exc.detail))
            if (wait := getattr(exc, "wait", None)) is not None:
                answer.headers["Retry-After"] = str(int(wait) + 1)
            return answer
        case OperationalError() | InterfaceError():
            return busy()
    return None


def _words(exc: Exception, otherwise: str) -> str:
    """What a raiser of ours said; not the frameworks' own, which name classes."""
    said = str(exc.args[0]) if exc.args else ""
    return otherwise if not said or "matches the given query" in said else said


def _faults(detail: Any, field: str = "") -> Iterator[tuple[str, str]]:
    match detail:
        case dict():
            for name, inner in detail.items():
                own = "" if name == "non_field_errors" else str(name)
                yield from _faults(inner, ".".join(filter(None, (field, own))))
        case list():
            for position, inner in enumerate(detail):
                yield from _faults(inner, f"{field}.{position}" if isinstance(inner, dict) and inner else field)
        case _:
            yield field, str(detail)


def _summary(faults: list[tuple[str, str]]) -> str:
    if not faults:
        return "What was sent is not valid."
    field, message = faults[0]
    return f"{field}: {message}" if field else message


def _dumped(document: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(document, default=str, option=orjson.OPT_UTC_Z)
    except TypeError:  # a lone surrogate
        return orjson.dumps(storable_json(document), default=str, option=orjson.OPT_UTC_Z)
