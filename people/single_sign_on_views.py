"""To the provider and back: to sign in, to connect one's account, to confirm that it is oneself."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from people import actors, single_sign_on, stepup
from people.actors import SignedInRequest
from people.models import User
from people.sign_in_views import enter, sign_in_page
from people.stepup import recently_authenticated

_FOR_WHO_IS_IN = ("connect", "confirm")


def go(request: HttpRequest) -> HttpResponse:
    if not single_sign_on.name():
        raise Http404(_("There is no single sign-on here."))
    purpose = request.GET.get("for", "")
    if purpose not in _FOR_WHO_IS_IN or not request.user.is_authenticated:
        purpose = "sign-in"
    if purpose == "connect" and not stepup.is_recent(request, now=timezone.now()):
        purpose = "confirm"
    try:
        return redirect(single_sign_on.begin(request, purpose=purpose, then=stepup.safe_next(request)))
    except single_sign_on.NotLetIn as refusal:
        return _refused(request, refusal)


def back(request: HttpRequest) -> HttpResponse:
    """What came with the address is used up, and in no page that follows."""
    if not single_sign_on.name():
        raise Http404(_("There is no single sign-on here."))
    now = timezone.now()
    try:
        identity = single_sign_on.finish(request)
        user = request.user
        if identity.purpose in _FOR_WHO_IS_IN and isinstance(user, User):
            if identity.purpose == "connect":
                single_sign_on.connect(user, identity, by=actors.person(user), now=now)
                messages.success(request, _("Connected: you can sign in with it."))
                return redirect("account-password")
            if not single_sign_on.confirms(identity, user, now=now):
                raise single_sign_on.NotLetIn(_("That did not show that it is you."))
            stepup.confirmed(request, now=now)
            return redirect(identity.then)
        person = single_sign_on.person_of(identity, now=now)
    except single_sign_on.NotLetIn as refusal:
        return _refused(request, refusal)
    record_authentication(request, person, "socialaccount", provider=single_sign_on.PROVIDER)
    return enter(request, person, identity.then)


@require_POST
@recently_authenticated
def disconnect(request: SignedInRequest) -> HttpResponse:
    if single_sign_on.disconnect(request.user, by=request.actor, now=timezone.now()):
        messages.success(request, _("Disconnected. You sign in with your password."))
    return redirect("account-password")


def _refused(request: HttpRequest, refusal: single_sign_on.NotLetIn) -> HttpResponse:
    messages.error(request, refusal.message)
    if request.user.is_authenticated:
        return redirect("account-password")
    return sign_in_page(request, status=refusal.status)
