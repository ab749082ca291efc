"""Coming in and going out: by password, by a second factor, by passkey."""

from __future__ import annotations

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import get_authentication_records, perform_login, record_authentication
from allauth.account.models import Login
from django.contrib import messages
from django.contrib.auth import authenticate, logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from people import audit, directory, guesses, second_factor, single_sign_on, stepup
from people.actors import SignedInRequest, person
from people.forms import CodeForm, SignInForm
from people.models import User

_ZONE = "_time_zone"  # in the session of who is about to sign in


def sign_in(request: HttpRequest) -> HttpResponse:
    """By e-mail and password. Guesses are counted by address and by account, whether the account exists or not; an
    unknown e-mail takes as long as a wrong password."""
    then = stepup.safe_next(request)
    if request.user.is_authenticated:
        return redirect(then)
    form = SignInForm(request.POST or None)
    if form.is_valid():
        email, password = form.cleaned_data["username"], form.cleaned_data["password"]
        try:
            guess = guesses.begin("password", request, account=email, now=timezone.now())
        except guesses.TooManyGuesses as refusal:
            return _too_many(request, form, refusal)
        user = authenticate(request, username=email, password=password)
        if isinstance(user, User):
            guess.was_right()
            request.session[_ZONE] = request.POST.get("time_zone", "")[:64]
            record_authentication(request, user, "password")
            return enter(request, user, then)
        _refused(email)
        form.add_error(None, _("This e-mail and password do not belong together."))
    return sign_in_page(request, form, status=422 if form.is_bound else 200)


@login_stage_required(stage=second_factor.Stage.key, redirect_urlname="sign-in")  # type: ignore[untyped-decorator]
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """The second factor, of whoever has shown the first one within a quarter of an hour."""
    stage = request._login_stage  # type: ignore[attr-defined]
    user: User = stage.login.user
    form = CodeForm(request.POST or None)
    status = 200
    if request.method == "POST":
        now = timezone.now()
        credential = request.POST.get("credential", "")
        try:
            if credential and second_factor.check_passkey(request, user, credential, now=now):
                return _left(request, stage)
            if not credential and form.is_valid():
                if second_factor.check_code(request, user, form.cleaned_data["code"], now=now):
                    return _left(request, stage)
                _refused(user.email)
                form.add_error("code", _("This code was not accepted. Each code works once."))
            elif credential:
                _refused(user.email)
                messages.error(request, _("This passkey was not accepted."))
            status = 422
        except guesses.TooManyGuesses as refusal:
            messages.error(request, refusal.message)
            status = refusal.status
    ways = second_factor.ways(user)
    context = {
        "form": form,
        "ways": ways,
        "passkey_options": second_factor.passkey_options(request, user) if ways.passkeys else None,
    }
    return render(request, "account/code.html", context, status=status)


def sign_in_passkey(request: HttpRequest) -> HttpResponse:
    """Without a password. GET gives what the browser is to have signed."""
    if request.method != "POST":
        answer = JsonResponse(second_factor.passkey_options(request, None))
        answer.headers["Cache-Control"] = "no-store"
        return answer
    now = timezone.now()
    passkey = None
    try:
        guess = guesses.begin("passkey", request, account="", now=now)
        passkey = second_factor.check_passkey(request, None, request.POST.get("credential", ""), now=now)
    except guesses.TooManyGuesses as refusal:
        return _too_many(request, SignInForm(), refusal)
    if passkey is None or not passkey.user.is_active:
        messages.error(request, _("This passkey was not accepted. Sign in with your password."))
        return sign_in_page(request, status=422)
    guess.was_right()
    return enter(request, passkey.user, stepup.safe_next(request))


@require_POST
def sign_out(request: SignedInRequest) -> HttpResponse:
    with transaction.atomic():
        logout(request)
        audit.record(audit.Action.SIGNED_OUT, by=request.actor, now=timezone.now())
    return redirect("sign-in")


def enter(request: HttpRequest, user: User, then: str) -> HttpResponse:
    """Go through what else is asked for, and in."""
    with transaction.atomic():
        answer: HttpResponse = perform_login(request, Login(user=user, redirect_url=then))
        _came_in(request)
    return answer


def _left(request: HttpRequest, stage: second_factor.Stage) -> HttpResponse:
    with transaction.atomic():
        answer: HttpResponse = stage.exit()
        _came_in(request)
    return answer


def _came_in(request: HttpRequest) -> None:
    """Nothing where something is still asked for."""
    user = request.user
    if isinstance(user, User):
        directory.learn_time_zone(user, request.session.pop(_ZONE, ""))
        shown = [record.get("type") or record["method"] for record in get_authentication_records(request, user)]
        audit.record(audit.Action.SIGNED_IN, by=person(user), now=timezone.now(), after={"by": shown})


def _refused(email: str) -> None:
    """The log names whose account it is, and never what was typed: it may have been a password."""
    user = User.objects.filter(email__iexact=email).first()
    with transaction.atomic():
        audit.record(audit.Action.SIGN_IN_REFUSED, user, by=None, now=timezone.now())


def _too_many(request: HttpRequest, form: SignInForm, refusal: guesses.TooManyGuesses) -> HttpResponse:
    messages.error(request, refusal.message)
    answer = sign_in_page(
        request, SignInForm(initial={"username": form.data.get("username", "")}), status=refusal.status
    )
    answer.headers["Retry-After"] = str(refusal.seconds)
    return answer


def sign_in_page(request: HttpRequest, form: SignInForm | None = None, *, status: int) -> HttpResponse:
    context = {
        "form": form or SignInForm(),
        "next": stepup.safe_next(request, otherwise=""),
        "single_sign_on": single_sign_on.name(),
    }
    return render(request, "account/login.html", context, status=status)
