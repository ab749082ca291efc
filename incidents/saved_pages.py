"""Keeping a filter of the list under a name, renaming it, and doing without it."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common import undo
from incidents import listing, saving
from incidents.forms import SavedViewForm
from incidents.models import SavedView
from people.actors import SignedInRequest

SECTION = "incidents"


def saved_view_new(request: SignedInRequest) -> HttpResponse:
    """What is kept is what the address asks for, as the list understands it."""
    address = QueryDict(request.POST.get("query", "")) if request.method == "POST" else request.GET
    query = listing.asked(listing.tab_of(address), address).query
    form = SavedViewForm(request.POST or None, teams=saving.teams_of(request.user))
    if form.is_valid():
        with form.telling():
            view = saving.save(**form.cleaned_data, query=query, by=request.actor, now=timezone.now())
            messages.success(request, _("“%(name)s” is among your views.") % {"name": view.name})
            return redirect(_list(view))
    context = {"section": SECTION, "form": form, "query": query}
    return render(request, "incidents/saved_view.html", context, status=form.http_status)


def saved_view_edit(request: SignedInRequest, pk: int) -> HttpResponse:
    view = _one(saving.visible(request.actor), pk)
    saving.require_change(view, request.actor)
    initial = {"name": view.name, "team": view.team}
    form = SavedViewForm(request.POST or None, teams=saving.teams_of(request.user), of=view.team, initial=initial)
    if form.is_valid():
        with form.telling():
            saving.change(view, **form.cleaned_data, by=request.actor)
            return redirect(_list(view))
    context = {"section": SECTION, "form": form, "view": view, "query": view.query}
    return render(request, "incidents/saved_view.html", context, status=form.http_status)


@require_POST
def saved_view_delete(request: SignedInRequest, pk: int) -> HttpResponse:
    view = _one(saving.visible(request.actor), pk)
    saving.delete(view, by=request.actor, now=timezone.now())
    done = _("“%(name)s” is deleted.") % {"name": view.name}
    undo.offer(request, done, url=reverse("saved-view-restore", args=[view.pk]))
    return redirect("incident-list")


@require_POST
def saved_view_restore(request: SignedInRequest, pk: int) -> HttpResponse:
    view = _one(saving.deleted(request.actor), pk)
    saving.restore(view, by=request.actor)
    return redirect(_list(view))


def _one(views: QuerySet[SavedView], pk: int) -> SavedView:
    return get_object_or_404(views.select_related("owner", "team"), pk=pk)


def _list(view: SavedView) -> str:
    return f"{reverse('incident-list')}?{view.query}"
