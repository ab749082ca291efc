"""One's second factor: an app that shows codes, passkeys, and codes for the day these are lost."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from people import guesses, second_factor
from people.actors import SignedInRequest
from people.forms import CodeForm, PasskeyForm
from people.stepup import recently_authenticated

SECTION = "account"


def overview(request: SignedInRequest) -> HttpResponse:
    user = request.user
    context = {
        "section": SECTION,
        "app": second_factor.app_of(user),
        "passkeys": second_factor.passkeys_of(user),
        "codes_left": second_factor.recovery_codes_left(user),
        "codes_made": second_factor.RECOVERY_CODES,
        "is_missing": second_factor.is_missing(user),
    }
    return render(request, "mfa/overview.html", context)


@recently_authenticated
def app_new(request: SignedInRequest) -> HttpResponse:
    """The secret is shown until the app's first code has arrived, and never again."""
    if second_factor.app_of(request.user):
        return redirect("second-factor")
    form = CodeForm(request.POST or None)
    secret = second_factor.offered_secret(request, again=request.method == "POST")
    status = 200
    if form.is_valid():
        try:
            codes = second_factor.add_app(request, form.cleaned_data["code"], by=request.actor, now=timezone.now())
        except second_factor.WrongCode as refusal:
            form.add_error("code", refusal.message)
        except guesses.TooManyGuesses as refusal:
            form.add_error("code", refusal.message)
            status = refusal.status
        else:
            return _added(request, _("Your app shows the codes that you sign in with."), codes)
    if form.errors and status == 200:
        status = 422
    context = {"section": SECTION, "form": form, "secret": secret, **second_factor.picture_of(request.user, secret)}
    return render(request, "mfa/app_new.html", context, status=status)


@recently_authenticated
def passkey_new(request: SignedInRequest) -> HttpResponse:
    form = PasskeyForm(request.POST or None)
    if form.is_valid():
        name, credential = form.cleaned_data["name"], form.cleaned_data["credential"]
        try:
            codes = second_factor.add_passkey(request, name, credential, by=request.actor, now=timezone.now())
        except second_factor.WrongCode as refusal:
            form.add_error(None, refusal.message)
        else:
            return _added(request, _("The passkey is added: you can sign in with it."), codes)
    context = {
        "section": SECTION,
        "form": form,
        "passkey_options": second_factor.registration_options(request),
    }
    return render(request, "mfa/passkey_new.html", context, status=422 if form.errors else 200)


@require_POST
@recently_authenticated
def passkey_rename(request: SignedInRequest, pk: int) -> HttpResponse:
    if not second_factor.rename_passkey(request.user, pk, request.POST.get("name", "")):
        raise Http404(_("There is no such passkey of yours."))
    messages.success(request, _("The passkey has its new name."))
    return redirect("second-factor")


@recently_authenticated
def remove(request: SignedInRequest, pk: int) -> HttpResponse:
    """The app or a passkey. Asks first, and says what is left then."""
    one = second_factor.one_of(request.user, pk)
    if one is None:
        raise Http404(_("There is no such second factor of yours."))
    if request.method == "POST":
        second_factor.remove(request, one, by=request.actor, now=timezone.now())
        messages.success(request, _("It is removed. Your other sessions have ended."))
        return redirect("second-factor")
    context = {"section": SECTION, "one": one, "is_last": second_factor.is_last(one)}
    return render(request, "mfa/remove.html", context)


@require_POST
@recently_authenticated
def recovery_codes_new(request: SignedInRequest) -> HttpResponse:
    if not second_factor.has_one(request.user):
        return redirect("second-factor")
    codes = second_factor.renew_recovery_codes(request.user, by=request.actor, now=timezone.now())
    return _codes(request, codes)


def _added(request: SignedInRequest, words: str, codes: list[str]) -> HttpResponse:
    messages.success(request, words)
    return _codes(request, codes) if codes else redirect("second-factor")


def _codes(request: SignedInRequest, codes: list[str]) -> HttpResponse:
    """Shown in the answer to their making, and nowhere else."""
    lines = ["Burnline", request.user.email, "", *codes, ""]
    context: dict[str, Any] = {"section": SECTION, "codes": codes, "text": json.dumps("\n".join(lines))}
    return render(request, "mfa/recovery_codes.html", context, status=201)
