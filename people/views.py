"""One's tokens, and the settings of people, teams and words."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from people import directory, links, queries, second_factor, tokens
from people.actors import SignedInRequest
from people.forms import (
    DisciplineForm,
    PersonForm,
    RoleForm,
    TeamForm,
    TokenForm,
)
from people.link_views import link_shown
from people.models import Discipline, PasswordLink, Role, Team, User
from people.stepup import recently_authenticated

SECTION = "settings"


@recently_authenticated(on="POST")
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
@recently_authenticated
def token_revoke(request: SignedInRequest, token_id: int) -> HttpResponse:
    token = get_object_or_404(queries.tokens_for(request.actor), pk=token_id)
    if tokens.revoke(token, by=request.actor, now=timezone.now()):
        messages.success(request, f"“{token.name}” no longer works.")
    return redirect("token-list") if token.owner == request.user else redirect("person-edit", token.owner_id)


def people_list(request: SignedInRequest) -> HttpResponse:
    return render(request, "people/people.html", {"section": SECTION, "people": queries.people()})


@recently_authenticated(on="POST")
def person_new(request: SignedInRequest) -> HttpResponse:
    """Somebody is invited: the link by which they choose a password is shown in the answer, this once."""
    form = PersonForm(request.POST or None, teams=Team.objects.all())
    if form.is_valid():
        with form.telling():
            return link_shown(request, _invited(request, form))
    return render(request, "people/person_form.html", {"section": SECTION, "form": form}, status=form.http_status)


@transaction.atomic
def _invited(request: SignedInRequest, form: PersonForm) -> PasswordLink:
    now = timezone.now()
    person = directory.add_user(**form.about(), by=request.actor, now=now, memberships=form.memberships())
    return links.invite(person, by=request.actor, now=now)


@recently_authenticated(on="POST")
def person_edit(request: SignedInRequest, user_id: int) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    form = PersonForm(request.POST or None, user=person, teams=Team.objects.all())
    if form.is_valid():
        with form.telling():
            directory.change_user(
                person,
                form.about(),
                by=request.actor,
                now=timezone.now(),
                memberships=form.memberships(),
                version=form.cleaned_data["version"],
            )
            messages.success(request, f"{person.name} is changed.")
            return redirect("people-list")
    context = {
        "section": SECTION,
        "form": form,
        "person": User.objects.get(pk=person.pk),
        "tokens": queries.tokens_of(person),
        "now": timezone.now(),
        "has_second_factor": second_factor.has_one(person),
    }
    return render(request, "people/person_form.html", context, status=form.http_status)


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
