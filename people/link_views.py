"""Setting a password by a link, and asking for one."""

from __future__ import annotations

import time
from datetime import datetime

from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from people import directory, guesses, links, second_factor, tidings
from people.actors import SignedInRequest
from people.forms import NewPasswordForm, ResetForm
from people.models import PasswordLink, User
from people.sign_in_views import enter
from people.stepup import recently_authenticated

SECTION = "settings"
_TOKEN = "_password_link"  # in the session of who came by it
_AS_LONG = 0.15  # seconds that an answer takes, whether there is such an account or not


def password_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the token out of the address, so that no page, history or referrer has it. GET uses nothing up."""
    request.session[_TOKEN] = token
    answer = redirect("password-set")
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def password_set(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    try:
        link = links.found(request.session.get(_TOKEN, ""), now=now)
    except links.Over as over:
        return render(request, "account/link_over.html", {"message": over.message}, status=over.status)
    if link.kind == PasswordLink.Kind.ADDRESS:
        return _address(request, link, now)
    form = NewPasswordForm(request.POST or None, user=link.user)
    if form.is_valid():
        with form.telling():
            user = links.use(link, form.cleaned_data["new_password"], now=now)
            logout(request)  # of whoever else was signed in here
            record_authentication(request, user, "password")
            is_invitation = link.kind == PasswordLink.Kind.INVITATION
            welcome = f"{reverse('second-factor')}?welcome"
            return enter(request, user, welcome if is_invitation else settings.LOGIN_REDIRECT_URL)
    context = {"form": form, "link": link}
    answer = render(request, "account/password_set.html", context, status=form.http_status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _address(request: HttpRequest, link: PasswordLink, now: datetime) -> HttpResponse:
    if request.method != "POST":
        return render(request, "account/address.html", {"link": link})
    try:
        links.use_address(link, now=now)
    except directory.EmailTaken as taken:
        return render(request, "account/link_over.html", {"message": taken.message}, status=taken.status)
    messages.success(request, _("The address is yours."))
    return redirect("account")


def password_reset(request: HttpRequest) -> HttpResponse:
    """The same answer, after the same while, whether there is such an account or not."""
    form = ResetForm(request.POST or None)
    context = {"form": form, "can_mail": tidings.can_mail()}
    status = form.http_status
    if form.is_valid() and tidings.can_mail():
        began = time.monotonic()
        try:
            links.ask_reset(form.cleaned_data["email"], request, now=timezone.now())
            context["is_sent"] = True
        except guesses.TooManyGuesses as refusal:
            form.add_error(None, refusal.message)
            status = refusal.status
        time.sleep(max(0.0, _AS_LONG - (time.monotonic() - began)))
    return render(request, "account/password_reset.html", context, status=max(status, form.http_status))


@require_POST
@recently_authenticated
def person_invite(request: SignedInRequest, user_id: int) -> HttpResponse:
    """Once more, by another link."""
    user = get_object_or_404(User, pk=user_id, is_active=True)
    return link_shown(request, links.invite(user, by=request.actor, now=timezone.now()))


@require_POST
@recently_authenticated
def person_reset(request: SignedInRequest, user_id: int) -> HttpResponse:
    """A link for the administrator to pass on; and where they have lost it, without the second factor."""
    now = timezone.now()
    user = get_object_or_404(User, pk=user_id, is_active=True)
    if "second_factor" in request.POST:
        if second_factor.remove_all(user, by=request.actor, now=now):
            messages.success(request, _("Their second factors are removed."))
        else:
            messages.info(request, _("They had no second factor."))
        return redirect("person-edit", user.pk)
    return link_shown(request, links.hand_over(user, by=request.actor, now=now))


def link_shown(request: SignedInRequest, link: PasswordLink) -> HttpResponse:
    is_mailed = tidings.can_mail() and link.kind == PasswordLink.Kind.INVITATION
    context = {"section": SECTION, "link": link, "url": links.url_of(link), "is_mailed": is_mailed}
    return render(request, "people/link_made.html", context, status=201)
