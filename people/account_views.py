"""One's own account: who one is, the password, and the browsers in which one is signed in."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from people import directory, guesses, links, passwords, sessions, single_sign_on, stepup, tidings
from people.actors import SignedInRequest
from people.forms import AccountForm, PasswordForm, ResetForm
from people.stepup import recently_authenticated

SECTION = "account"


def account(request: SignedInRequest) -> HttpResponse:
    form = AccountForm(request.POST or None, user=request.user)
    if form.is_valid():
        with form.telling():
            if directory.change_user(request.user, form.cleaned_data, by=request.actor, now=timezone.now()):
                messages.success(request, _("Your account is changed."))
            return redirect("account")
    context = {"section": SECTION, "form": form, "can_mail": tidings.can_mail()}
    return render(request, "account/profile.html", context, status=form.http_status)


@require_POST
@recently_authenticated
def address(request: SignedInRequest) -> HttpResponse:
    """A new one is theirs once they have opened the link that it gets."""
    form = ResetForm(request.POST)
    if form.is_valid():
        with form.telling():
            guesses.begin("address", request, account=request.user.email, now=timezone.now())
            links.ask_address(request.user, form.cleaned_data["email"], now=timezone.now())
            messages.success(request, _("A link is on its way to the new address. Open it within a day."))
            return redirect("account")
    messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return redirect("account")


def password(request: SignedInRequest) -> HttpResponse:
    """Guesses at the old one are counted with those at the door. Who has none yet confirms by other means."""
    user = request.user
    if not user.has_usable_password() and not stepup.is_recent(request, now=timezone.now()):
        return redirect(stepup.confirm_url(request.get_full_path()))
    form = PasswordForm(request.POST or None, user=user)
    status = 200
    if form.is_valid():
        try:
            guess = guesses.begin("password", request, account=user.email, now=timezone.now())
        except guesses.TooManyGuesses as refusal:
            form.add_error(None, refusal.message)
            status = refusal.status
        else:
            if not user.has_usable_password() or user.check_password(form.cleaned_data["old_password"]):
                guess.was_right()
                new = form.cleaned_data["new_password"]
                passwords.change(user, new, by=request.actor, now=timezone.now(), keep=request.session.session_key)
                update_session_auth_hash(request, user)
                messages.success(request, _("The password is changed. Your other sessions have ended."))
                return redirect("account-password")
            form.add_error("old_password", _("This is not your password."))
    if form.errors and status == 200:
        status = 422
    context = {
        "section": SECTION,
        "form": form,
        "single_sign_on": single_sign_on.name(),
        "identity": single_sign_on.identity_of(user),
    }
    return render(request, "account/password.html", context, status=status)


@require_POST
def password_keep(request: SignedInRequest) -> HttpResponse:
    passwords.keep(request.user)
    messages.info(request, _("Your password stays as it is. It can be changed here at any time."))
    return redirect("account-password")


def session_list(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    rows = [
        {
            "session": session,
            "device": sessions.device_of(session.agent),
            "is_this": session.session_key == request.session.session_key,
        }
        for session in sessions.of(request.user, now=now)
    ]
    rows.sort(key=lambda row: not row["is_this"])
    return render(request, "account/sessions.html", {"section": SECTION, "rows": rows})


@require_POST
def session_end(request: SignedInRequest) -> HttpResponse:
    """One that is told apart by the hash of its key: the key itself opens it, and is in no page."""
    for session in sessions.of(request.user, now=timezone.now()):
        if session.mark == request.POST.get("session", ""):
            sessions.end(request.user, session.session_key, by=request.actor, now=timezone.now())
            messages.success(request, _("That session has ended."))
            break
    else:
        messages.info(request, _("That session had ended already."))
    return redirect("session-list")


@require_POST
def sessions_end_others(request: SignedInRequest) -> HttpResponse:
    key = request.session.session_key
    ended = sessions.end_others(request.user, key, by=request.actor, now=timezone.now())
    words = ngettext("%(count)d other session has ended.", "%(count)d other sessions have ended.", ended)
    messages.success(request, words % {"count": ended})
    return redirect("session-list")


def confirm(request: SignedInRequest) -> HttpResponse:
    """That it is still oneself, and then on to where one was going."""
    then = stepup.safe_next(request)
    if request.method == "POST":
        error, status = stepup.attempt(request, now=timezone.now())
        if not error:
            return redirect(then)
        return stepup.page(request, error=error, status=status, then=then)
    return stepup.page(request, then=then)
