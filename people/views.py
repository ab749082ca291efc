"""One's tokens, and the settings of people, teams and words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common import keyset, undo
from common.errors import Invalid
from people import access, directory, links, queries, second_factor, tokens
from people.actors import SignedInRequest
from people.forms import (
    DisciplineForm,
    MemberForm,
    PeopleFilter,
    PersonForm,
    RoleForm,
    TeamChangeForm,
    TeamForm,
    TokenFilter,
    TokenForm,
    WordForm,
)
from people.link_views import link_shown
from people.models import Discipline, Membership, PasswordLink, Role, Team, User
from people.stepup import recently_authenticated, safe_next

SECTION = "settings"
_SOON = timedelta(days=14)  # within which it is told that a token expires


@recently_authenticated(on="POST")
def token_list(request: SignedInRequest) -> HttpResponse:
    """One's own tokens. A new one's secret stands in the answer to its creation, and nowhere else."""
    now = timezone.now()
    offered = tokens.scopes_of(request.actor)
    form = TokenForm(request.POST or None, scopes=offered)
    context: dict[str, Any] = {"section": "account", "form": form, "now": now, "soon": now + _SOON}
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
        messages.success(request, _("“{name}” no longer works.").format(name=token.name))
    return redirect(safe_next(request, otherwise=reverse("token-list")))


def everybodys_tokens(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    form = TokenFilter(request.GET)
    form.is_valid()
    asked = {name: form.cleaned_data.get(name, "") for name in ("q", "state")}
    found = queries.everybodys_tokens(now, **asked)
    context = {
        "section": SECTION,
        "tab": "tokens",
        "now": now,
        "soon": now + _SOON,
        "form": form,
        "is_narrowed": any(asked.values()),
        "page": keyset.page(found, ("-created_at", "-id"), request.GET.get("cursor")),
    }
    return render(request, "people/everybodys_tokens.html", context)


def people_list(request: SignedInRequest) -> HttpResponse:
    """Everybody, or those whose name or e-mail has the words of `q`. Who has a second factor is for administrators."""
    form = PeopleFilter(request.GET, for_admin=access.can(request.actor, access.Act.ADMINISTER))
    form.is_valid()
    asked = {name: form.cleaned_data.get(name, "") for name in ("q", "who")}
    context = {
        "section": SECTION,
        "tab": "people",
        "now": timezone.now(),
        "form": form,
        "is_narrowed": any(asked.values()),
        "people": queries.people(**asked),
    }
    return render(request, "people/people.html", context)


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
            messages.success(request, _("{name} is changed.").format(name=person.name))
            return redirect("people-list")
    context = {
        "section": SECTION,
        "form": form,
        "person": User.objects.get(pk=person.pk),
        "tokens": queries.tokens_of(person),
        "now": timezone.now(),
        "soon": timezone.now() + _SOON,
        "has_second_factor": second_factor.has_one(person),
        "is_last_admin": queries.is_last_admin(User.objects.get(pk=person.pk)),
    }
    return render(request, "people/person_form.html", context, status=form.http_status)


@require_POST
@recently_authenticated
def person_switch(request: SignedInRequest, user_id: int) -> HttpResponse:
    """Let somebody in no longer, and all that they did stays; or let them in again."""
    person = get_object_or_404(User, pk=user_id)
    on = request.POST.get("on") == "yes"
    if directory.change_user(person, {"is_active": on}, by=request.actor, now=timezone.now()):
        if on:
            messages.success(request, _("{name} can sign in again.").format(name=person.name))
        else:
            done = _("{name} is deactivated: signed out everywhere, and their tokens stopped.").format(name=person.name)
            undo.offer(request, done, url=reverse("person-switch", args=[person.pk]), fields={"on": "yes"})
    return redirect("person-edit", person.pk)


def team_list(request: SignedInRequest) -> HttpResponse:
    return render(request, "people/teams.html", {"section": SECTION, "tab": "teams", "teams": queries.teams()})


def team_new(request: SignedInRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if form.is_valid():
        with form.telling():
            team = directory.add_team(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, _("The team {name} is there.").format(name=team.name))
            return redirect("team-list")
    return render(request, "people/team_form.html", {"section": SECTION, "form": form}, status=form.http_status)


@recently_authenticated(on="POST")
def team_edit(request: SignedInRequest, slug: str) -> HttpResponse:
    """Who is in it, for everybody to see; its name, and who may do what, for administrators to change."""
    team = get_object_or_404(Team, slug=slug)
    form = TeamChangeForm(request.POST or None, initial={"name": team.name})
    if form.is_valid():
        changes, version = form.changes()
        with form.telling():
            directory.change(team, changes, by=request.actor, now=timezone.now(), version=version)
            return redirect("team-edit", slug)
    members = team.memberships.select_related("user__discipline").order_by("-user__is_active", "user__name")
    context = {
        "section": SECTION,
        "tab": "teams",
        "team": Team.objects.get(pk=team.pk),
        "form": form,
        "members": members,
        "adding": MemberForm(),
        "roles": Membership.Role.choices,
    }
    return render(request, "people/team.html", context, status=form.http_status)


@require_POST
@recently_authenticated
def team_member(request: SignedInRequest, slug: str) -> HttpResponse:
    """Put somebody in, give them another role, or take them out; taking out can be undone."""
    team = get_object_or_404(Team, slug=slug)
    form = MemberForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Say who, and what they may do."))
    user, role = form.cleaned_data["user"], form.cleaned_data["role"]
    before = user.memberships.filter(team=team).values_list("role", flat=True).first()
    if directory.set_member(team, user, role, by=request.actor, now=timezone.now()):
        words = _("{name} is in {team} now.") if role else _("{name} is no longer in {team}.")
        done = words.format(name=user.name, team=team.name)
        if before:
            fields = {"user": str(user.pk), "role": before}
            undo.offer(request, done, url=reverse("team-member", args=[slug]), fields=fields)
        else:
            messages.success(request, done)
    return redirect("team-edit", slug)


@require_POST
def word(request: SignedInRequest, kind: str, slug: str) -> HttpResponse:
    """Rename a discipline or role, move it, retire it or offer it again."""
    model: Any = {"discipline": Discipline, "role": Role}.get(kind)
    if model is None:
        raise Http404(_("There are no such words."))
    found: Discipline | Role = get_object_or_404(model, slug=slug)
    now, act = timezone.now(), request.POST.get("act", "")
    if act in ("earlier", "later"):
        directory.move(found, -1 if act == "earlier" else 1, by=request.actor, now=now)
    elif act in ("retire", "offer"):
        directory.change(found, {"is_retired": act == "retire"}, by=request.actor, now=now)
        if act == "retire":
            done = _("“{name}” is offered no longer.").format(name=found.name)
            undo.offer(request, done, url=reverse("word", args=[kind, slug]), fields={"act": "offer"})
    else:
        form = WordForm(request.POST)
        if not form.is_valid():
            raise Invalid(_("It needs a name."))
        changes, version = form.changes()
        directory.change(found, changes, by=request.actor, now=now, version=version)
    return redirect(f"{reverse('vocabulary')}#{kind}-{slug}")


def vocabulary(request: SignedInRequest) -> HttpResponse:
    """The words for disciplines and roles; admins add further ones, each by a form of its own."""
    adds_role = "role-name" in request.POST
    discipline = DisciplineForm(None if adds_role else request.POST or None)
    role = RoleForm(request.POST if adds_role else None)
    form, add = (role, directory.add_role) if adds_role else (discipline, directory.add_discipline)
    if form.is_valid():
        with form.telling():
            added = add(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, _("“{name}” is one of the words now.").format(name=added))
            return redirect("vocabulary")
    context = {
        "section": SECTION,
        "disciplines": Discipline.objects.all(),
        "roles": Role.objects.all(),
        "discipline_form": discipline,
        "role_form": role,
    }
    return render(request, "people/vocabulary.html", context, status=form.http_status)
