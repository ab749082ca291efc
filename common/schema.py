"""The OpenAPI document: what each operation may refuse, said once for all."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from common import problems

_TEXT = {"type": "string"}
PROBLEM = {
    "type": "object",
    "description": "A refusal, as RFC 9457 has it. Some carry more: `allowed` statuses, what is `current`.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": _TEXT, "message": _TEXT},
            },
        },
    },
}


_ALWAYS = {
    "401": "No credentials, or none that are known.",
    "403": "The actor's role or the token's scope does not allow it.",
    "503": "Busy: nothing was changed, try again after Retry-After.",
}
_ONE = {"404": "Not there, or not visible."}
_ASKED = {"422": "What is asked for, a filter or the cursor, is not valid."}
_CHANGE = {
    "400": "The body is not JSON.",
    "409": "The state does not allow it.",
    "412": "The version has moved on; `current` is what stands.",
    "413": "The body is too large.",
    "415": "The body is not JSON by its content type.",
    "422": "What was sent is not valid.",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


class Operations(AutoSchema):
    """Adds the problems that an operation may answer with, and 304 where an ETag is given."""

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if self.view.authentication_classes or self.view.permission_classes:
            refusals = dict(_ALWAYS)
            if "{" in self.path:
                refusals |= _ONE
            if self.method not in _SAFE:
                refusals |= _CHANGE
            elif any(parameter["in"] == "query" for parameter in self._get_parameters()):
                refusals |= _ASKED
            for code, description in refusals.items():
                bodies.setdefault(code, self._problem(description))
            if self.method == "GET" and "{" in self.path and not self._is_list_view():
                bodies.setdefault("304", {"description": "The version named by If-None-Match is the current one."})
        return dict(sorted(bodies.items()))

    def _problem(self, description: str) -> dict[str, Any]:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Problem", type=ResolvedComponent.SCHEMA, schema=PROBLEM, object="common.schema.PROBLEM"
        )
        self.registry.register_on_missing(component)
        return {"description": description, "content": {problems.CONTENT_TYPE: {"schema": component.ref}}}
