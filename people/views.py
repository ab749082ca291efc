"""Signing in and out, one's account and tokens, and the settings of people, teams and words."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash, views
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from common.addresses import address_of
from people import directory, passwords, queries, throttling, tokens
from people.actors import SignedInRequest
from people.forms import (
    AccountForm,
    DisciplineForm,
    PasswordForm,
    PersonForm,
    RoleForm,
    SignInForm,
    TeamForm,
    TokenForm,
)
from people.models import Discipline, Role, Team, User

SECTION = "settings"
_HOUR = 3600


class SignIn(views.LoginView):
    """By e-mail and password. Guesses are counted by address and by account, whether the account exists or not."""

    form_class = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        now = timezone.now()
        limit = settings.ENV.login_attempts_per_hour
        keys = _sign_in_keys(request)
        within = [throttling.attempt(key, limit=limit, seconds=_HOUR, now=now) for key in keys]
        if not all(within):
            return self._too_many(max(throttling.wait(key, seconds=_HOUR, now=now) for key in keys))
        form = self.get_form()
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        for key in keys:
            throttling.give_back(key)
        directory.learn_time_zone(form.get_user(), request.POST.get("time_zone", ""))
        return self.form_valid(form)

    def _too_many(self, seconds: int) -> HttpResponse:
        minutes = max(1, -(-seconds // 60))
        messages.error(self.request, f"Too many attempts. Try again in {minutes} minute{'s' if minutes > 1 else ''}.")
        answer = self.render_to_response(self.get_context_data(form=SignInForm(self.request)), status=429)
        answer.headers["Retry-After"] = str(max(1, seconds))
        return answer


def _sign_in_keys(request: HttpRequest) -> list[str]:
    account = sha256(request.POST.get("username", "").strip().lower().encode()).hexdigest()
    return [f"sign-in:address:{address_of(request)}"[:200], f"sign-in:account:{account}"]


sign_in = SignIn.as_view()
sign_out = views.LogoutView.as_view(next_page="sign-in")


def account(request: SignedInRequest) -> HttpResponse:
    """Two forms on a page; which of them was sent is told by the button's name."""
    user = request.user
    changes_password = "change_password" in request.POST
    about = AccountForm(None if changes_password else request.POST or None, user=user)
    password = PasswordForm(user, request.POST if changes_password else None)
    if password.is_valid():
        passwords.change(user, password.cleaned_data["new_password1"], by=request.actor, now=timezone.now())
        update_session_auth_hash(request, user)
        messages.success(request, "The password is changed. Your other sessions have ended.")
        return redirect("account")
    if about.is_valid():
        with about.telling():
            if directory.change_user(user, about.cleaned_data, by=request.actor, now=timezone.now()):
                messages.success(request, "Your account is changed.")
            return redirect("account")
    context = {"section": SECTION, "about": about, "password": password}
    return render(request, "people/account.html", context, status=422 if changes_password else about.http_status)


def token_list(request: SignedInRequest) -> HttpResponse:
    """One's own tokens. A new one's secret stands in the answer to its creation, and nowhere else."""
    now = timezone.now()
    offered = tokens.scopes_of(request.actor)
    form = TokenForm(request.POST or None, scopes=offered)
    context: dict[str, Any] = {"section": SECTION, "form": form, "now": now}
    status = form.http_status
    if form.is_valid():
        with form.telling():
            issued, secret = tokens.issue(
                request.user,
                form.cleaned_data["name"],
                form.cleaned_data["scopes"],
                by=request.actor,
                now=now,
                expires_at=form.expires_at(),
            )
            context |= {"issued": issued, "secret": secret, "form": TokenForm(scopes=offered)}
            status = 201
    context["tokens"] = queries.tokens_of(request.user)
    return render(request, "people/tokens.html", context, status=max(status, form.http_status))


@require_POST
def token_revoke(request: SignedInRequest, token_id: int) -> HttpResponse:
    token = get_object_or_404(queries.tokens_for(request.actor), pk=token_id)
    if tokens.revoke(token, by=request.actor, now=timezone.now()):
        messages.success(request, f"“{token.name}” no longer works.")
    return redirect("token-list") if token.owner == request.user else redirect("person-edit", token.owner_id)


def people_list(request: SignedInRequest) -> HttpResponse:
    return render(request, "people/people.html", {"section": SECTION, "people": queries.people()})


def person_new(request: SignedInRequest) -> HttpResponse:
    """A password that was made up is shown in the answer, this once."""
    form = PersonForm(request.POST or None, teams=Team.objects.all())
    if form.is_valid():
        with form.telling():
            chosen = form.cleaned_data["password"]
            password = chosen or passwords.made_up()
            passwords.check(password)
            person = directory.add_user(
                **form.about(),
                by=request.actor,
                now=timezone.now(),
                password=password,
                memberships=form.memberships(),
            )
            if chosen:
                messages.success(request, f"{person.name} can sign in now.")
                return redirect("people-list")
            shown = {"section": SECTION, "person": person, "secret": password}
            return render(request, "people/person_added.html", shown, status=201)
    return render(request, "people/person_form.html", {"section": SECTION, "form": form}, status=form.http_status)


def person_edit(request: SignedInRequest, user_id: int) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    form = PersonForm(request.POST or None, user=person, teams=Team.objects.all())
    if form.is_valid():
        with form.telling():
            _change(request, person, form)
            messages.success(request, f"{person.name} is changed.")
            return redirect("people-list")
    context = {
        "section": SECTION,
        "form": form,
        "person": User.objects.get(pk=person.pk),
        "tokens": queries.tokens_of(person),
        "now": timezone.now(),
    }
    return render(request, "people/person_form.html", context, status=form.http_status)


@transaction.atomic
def _change(request: SignedInRequest, person: User, form: PersonForm) -> None:
    password = form.cleaned_data["password"]
    directory.change_user(
        person,
        form.about(),
        by=request.actor,
        now=timezone.now(),
        memberships=form.memberships(),
        version=form.cleaned_data["version"],
    )
    if password:
        passwords.change(person, password, by=request.actor, now=timezone.now())
        if person == request.user:
            update_session_auth_hash(request, person)


def team_list(request: SignedInRequest) -> HttpResponse:
    return render(request, "people/teams.html", {"section": SECTION, "teams": queries.teams()})


def team_new(request: SignedInRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if form.is_valid():
        with form.telling():
            team = directory.add_team(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, f"The team {team.name} is there.")
            return redirect("team-list")
    return render(request, "people/team_form.html", {"section": SECTION, "form": form}, status=form.http_status)


def vocabulary(request: SignedInRequest) -> HttpResponse:
    """The words for disciplines and roles; admins add further ones, each by a form of its own."""
    adds_role = "role-name" in request.POST
    discipline = DisciplineForm(None if adds_role else request.POST or None)
    role = RoleForm(request.POST if adds_role else None)
    form, add = (role, directory.add_role) if adds_role else (discipline, directory.add_discipline)
    if form.is_valid():
        with form.telling():
            added = add(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, f"“{added}” is one of the words now.")
            return redirect("vocabulary")
    context = {
        "section": SECTION,
        "disciplines": Discipline.objects.all(),
        "roles": Role.objects.all(),
        "discipline_form": discipline,
        "role_form": role,
    }
    return render(request, "people/vocabulary.html", context, status=form.http_status)
