"""Confirming that it is still oneself at the keyboard, before what must not be done by whoever found a browser open.

Put the decorator on a view, below `require_POST` where that is, and nothing else is needed:

    @require_POST
    @recently_authenticated
    def token_revoke(request: SignedInRequest, token_id: int) -> HttpResponse: ...

    path("settings/export/", recently_authenticated(views.export), name="...")

Signing in counts, for fifteen minutes; then the password, a code or a passkey is asked for. A page is opened again
then. A form is answered (403) by a page that carries what was typed and sends it on with the confirmation; nothing
is lost, and nothing kept on the server. `recently_authenticated(on="POST")` lets a page be read, and asks
before it changes something; what htmx sends is led to the page that confirms.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar, cast, overload
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common.errors import DomainError
from people import guesses, second_factor, sessions, single_sign_on
from people.actors import SignedInRequest
from people.models import User

WINDOW = timedelta(minutes=15)

_CONFIRMED_AT = "_confirmed_at"  # in a session's data
_FIELDS = ("confirm_password", "confirm_code", "confirm_credential")

V = TypeVar("V", bound=Callable[..., HttpResponseBase])


class ConfirmFirst(DomainError):
    """The sign-in is too long ago for this."""

    code = "confirm_first"
    status = 403
    title = _lazy("Confirm that it is you")


def on_sign_in(sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Django's signal: a session begins, and whoever began it has just shown who they are."""
    now = timezone.now()
    sessions.begin(request, now=now)
    confirmed(request, now=now)


def confirmed(request: HttpRequest, *, now: datetime) -> None:
    """Who sits there has shown that it is them."""
    request.session[_CONFIRMED_AT] = now.timestamp()


def is_recent(request: HttpRequest, *, now: datetime) -> bool:
    """Whether they showed it within the last quarter of an hour."""
    at = request.session.get(_CONFIRMED_AT)
    return isinstance(at, float) and now.timestamp() - at < WINDOW.total_seconds()


@overload
def recently_authenticated(view: V) -> V: ...
@overload
def recently_authenticated(*, on: str) -> Callable[[V], V]: ...
def recently_authenticated(view: V | None = None, *, on: str = "") -> V | Callable[[V], V]:
    """See above. `on` is the one method that asks, where not all do."""
    return _guarded(view, "") if view is not None else lambda decorated: _guarded(decorated, on)


def _guarded(decorated: V, on: str) -> V:
    @wraps(decorated)
    def guarded(request: SignedInRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        now = timezone.now()
        if (on and request.method != on) or is_recent(request, now=now):
            request.POST = without_confirmation(request.POST)  # type: ignore[assignment]
            return decorated(request, *args, **kwargs)
        if request.headers.get("HX-Request"):
            here = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
            return HttpResponse(status=204, headers={"HX-Redirect": confirm_url(here)})
        if request.method in ("GET", "HEAD"):
            return redirect(confirm_url(request.get_full_path()))
        error = ""
        if any(name in request.POST for name in _FIELDS):
            error, status = attempt(request, now=now)
            if not error:
                request.POST = without_confirmation(request.POST)  # type: ignore[assignment]
                return decorated(request, *args, **kwargs)
            return page(request, error=error, status=status)
        return page(request, status=403)

    return cast(V, guarded)


def attempt(request: SignedInRequest, *, now: datetime) -> tuple[str, int]:
    """Look at what was shown. What is wrong with it, and the status of the page that says so; "" when it is them."""
    user = request.user
    password, code, credential = (request.POST.get(name, "") for name in _FIELDS)
    try:
        if credential:
            was_right = second_factor.check_passkey(request, user, credential, now=now)
            error = _("This passkey was not accepted.")
        elif code:
            was_right = second_factor.check_code(request, user, code, now=now)
            error = _("This code was not accepted. Each code works once.")
        else:
            guess = guesses.begin("password", request, account=user.email, now=now)
            was_right = user.check_password(password)
            if was_right:
                guess.was_right()
            error = _("This is not your password.")
    except guesses.TooManyGuesses as refusal:
        return refusal.message, refusal.status
    if not was_right:
        return error, 422
    confirmed(request, now=now)
    return "", 200


def page(request: SignedInRequest, *, error: str = "", status: int = 200, then: str = "") -> HttpResponse:
    """Ask who it is. A form that was sent is carried along."""
    asked_to_confirm(request)
    carried = [] if then else list(_carried(request.POST))
    ways = second_factor.ways(request.user)
    context = {
        "section": "settings",
        "error": error,
        "next": then,
        "carried": carried,
        "is_form": not then,
        "ways": ways,
        "single_sign_on": single_sign_on.name() if then and single_sign_on.identity_of(request.user) else "",
        "passkey_options": second_factor.passkey_options(request, request.user) if ways.passkeys else None,
    }
    return render(request, "people/confirm.html", context, status=status)


def asked_to_confirm(request: HttpRequest) -> None:
    """Remember that this is a question, which nobody takes for a refusal."""
    request.is_asked_to_confirm = True  # type: ignore[attr-defined]


def safe_next(request: HttpRequest, *, otherwise: str = "/") -> str:
    """Where the request says that one was going, if that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours and wanted.startswith(("/", "http")) else otherwise


def without_confirmation(sent: QueryDict) -> QueryDict:
    """The form alone."""
    if not any(name in sent for name in _FIELDS):
        return sent
    form = sent.copy()
    for name in _FIELDS:
        form.pop(name, None)
    return form


def _carried(sent: QueryDict) -> list[tuple[str, str]]:
    skipped = {*_FIELDS, "csrfmiddlewaretoken"}
    return [(name, value) for name, values in sent.lists() if name not in skipped for value in values]


def confirm_url(then: str) -> str:
    return f"{reverse('confirm')}?{urlencode({'next': then})}"
