"""Every page passes here: who is it, and does the matrix let them."""

from __future__ import annotations

import logging
import zoneinfo
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from rest_framework.views import APIView

from common import language
from common.pages import tried_on
from people import access, actors, audit, second_factor, sessions
from people.models import User

logger = logging.getLogger(__name__)

_BY_ITSELF = "/live/"  # what open pages ask for without anybody there

Handler = Callable[[HttpRequest], HttpResponseBase]


def known_actor(get_response: Handler) -> Handler:
    """Set `request.actor` from the session (None when nobody is signed in), the person's time zone and language."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        user = request.user
        request.actor = actors.person(user) if user.is_authenticated else None  # type: ignore[attr-defined]
        translation.activate(language.of(request, user.language if user.is_authenticated else ""))
        if user.is_authenticated:
            if not request.path_info.startswith(_BY_ITSELF):
                sessions.touch(request, now=timezone.now())
            try:
                timezone.activate(zoneinfo.ZoneInfo(user.time_zone or "UTC"))
            except (KeyError, ValueError):  # a zone that this machine does not know
                timezone.deactivate()
        try:
            response = get_response(request)
        finally:
            timezone.deactivate()
            translation.deactivate()
        if not user.is_authenticated:
            patch_vary_headers(response, ("Accept-Language",))
        if user.is_authenticated and not response.has_header("Cache-Control"):
            response.headers["Cache-Control"] = "no-store"
        return response

    return middleware


def refusals_are_recorded(get_response: Handler) -> Handler:
    """Tell the audit log of whoever is known and asked for what they may not do, by a page or by the API."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code == 403 and not getattr(request, "is_asked_to_confirm", False):
            shown = getattr(request, "auth", None)  # what REST framework found
            actor = shown if isinstance(shown, actors.Actor) else getattr(request, "actor", None)
            match = request.resolver_match
            if actor is not None and match is not None:
                try:
                    audit.refused(f"{request.method} {match.view_name}", by=actor, now=timezone.now())
                except (OperationalError, InterfaceError) as exc:
                    logger.warning("a refusal could not be recorded: %s", str(exc).strip())
        return response

    return middleware


class ByMatrix:
    """Refuse what the matrix does not allow. REST views ask the same matrix by their permission class, as their
    actor is known only after authentication there."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if issubclass(getattr(view, "cls", object), APIView):
            return None
        match = request.resolver_match
        route = match.view_name if match else ""
        verdict = access.judge(request.actor, route, request.method or "")  # type: ignore[attr-defined]
        if verdict is access.Verdict.ALLOWED:
            return _enrolment_first(request, route)
        if verdict is access.Verdict.UNKNOWN_ACTOR:
            if request.method in ("GET", "HEAD"):
                return redirect_to_login(request.get_full_path())
            messages.warning(request, _("You were no longer signed in, so nothing was changed."))
            return redirect_to_login(tried_on(request) or "/")
        if verdict is access.Verdict.NO_SUCH_METHOD:
            return HttpResponseNotAllowed(access.methods_of(route))
        raise PermissionDenied(_("Your role does not allow this."))


# Where somebody can go who must have a second factor, and has none yet.
_WITHOUT = frozenset({"second-factor", "second-factor-app", "second-factor-passkey", "confirm", "sign-out"})


def _enrolment_first(request: HttpRequest, route: str) -> HttpResponse | None:
    user = request.user
    if not isinstance(user, User) or settings.ENV.require_second_factor == "none" or route in _WITHOUT:
        return None
    is_public = access.act_of(route, request.method or "") is access.Act.PUBLIC
    return redirect("second-factor") if not is_public and second_factor.is_missing(user) else None
