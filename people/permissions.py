"""The matrix, asked by every REST view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission

from people import access
from people.actors import Actor

if TYPE_CHECKING:  # REST framework reads this module while it loads its own
    from rest_framework.request import Request
    from rest_framework.views import APIView


class ByMatrix(BasePermission):
    """Allow what the matrix allows this actor; a refusal becomes 401 or 403, a method without a line 405."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        match = request.resolver_match
        actor = request.auth if isinstance(request.auth, Actor) else None
        verdict = access.judge(actor, match.view_name if match else "", request.method or "")
        if verdict is access.Verdict.NO_SUCH_METHOD:
            raise MethodNotAllowed(request.method or "")
        return verdict is access.Verdict.ALLOWED
