"""Refusals: what the product says no to, in words for people and a code for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _lazy

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


class DomainError(Exception):
    """A refusal. The transaction around it is undone; pages show the message, the API answers problem+json.

    `code` is stable and for machines, `status` the HTTP status, `extra` further members of the problem document,
    `errors` faults by field: [(field, message), ...].
    """

    code = "refused"
    status = 409
    title: StrOrPromise = _lazy("Not possible")

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        errors: Sequence[tuple[str, str]] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.errors = list(errors)
        self.extra = dict(extra or {})


class Invalid(DomainError):
    """What was sent cannot be used as it is."""

    code = "invalid"
    status = 422
    title = _lazy("Invalid")


class Forbidden(DomainError):
    """The actor is known and may not do this."""

    code = "forbidden"
    status = 403
    title = _lazy("Not allowed")


class VersionMoved(DomainError):
    """Somebody else changed it first. `extra["current"]` is what stands now."""

    code = "version_moved"
    status = 412
    title = _lazy("Somebody changed it first")
