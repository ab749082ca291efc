"""The matrix, asked by every REST view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission

from common.errors import Forbidden
from people import access, second_factor, stepup
from people.actors import Actor

if TYPE_CHECKING:  # REST framework reads this module while it loads its own
    from rest_framework.request import Request
    from rest_framework.views import APIView


class SecondFactorMissing(Forbidden):
    """This installation asks for a second factor, and the person in this browser has none yet."""

    code = "second_factor_missing"


class ByMatrix(BasePermission):
    """Allow what the matrix allows this actor; a refusal becomes 401 or 403, a method without a line 405."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        match = request.resolver_match
        actor = request.auth if isinstance(request.auth, Actor) else None
        verdict = access.judge(actor, match.view_name if match else "", request.method or "")
        if verdict is access.Verdict.NO_SUCH_METHOD:
            raise MethodNotAllowed(request.method or "")
        if verdict is access.Verdict.ALLOWED and actor is not None and actor.token is None:
            if actor.user is not None and second_factor.is_missing(actor.user):
                raise SecondFactorMissing("First add a second factor to your account, on its page.")
            self._ask_for_confirmation(request, match.view_name if match else "")
        return verdict is access.Verdict.ALLOWED

    def _ask_for_confirmation(self, request: Request, route: str) -> None:
        """A browser changes people, tokens and settings only shortly after its person has shown who they are, as on the
        pages; programs have tokens. Raises ConfirmFirst."""
        act = access.act_of(route, request.method or "")
        weighty = act in (access.Act.ADMINISTER, access.Act.SELF) and request.method not in ("GET", "HEAD")
        if weighty and not stepup.is_recent(request._request, now=timezone.now()):
            stepup.asked_to_confirm(request._request)
            raise stepup.ConfirmFirst("Your sign-in is a while ago: confirm on a page that it is you, and ask again.")
