"""Pages of an integration's routes: their order, each of them, and what they would make of alerts."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from alerts import forms, integrations, payload, queries, routes, trial
from alerts.models import Integration
from common import undo
from common.errors import DomainError, Invalid
from people.actors import SignedInRequest

_PAGE = {"section": "settings", "tab": "integrations"}


def route_list(request: SignedInRequest, slug: str) -> HttpResponse:
    return _listed(request, queries.integration_for(slug, timezone.now()))


def route_try(request: SignedInRequest, slug: str) -> HttpResponse:
    """What the routes make of a payload that is pasted."""
    integration = queries.integration_for(slug, timezone.now())
    form = forms.TryForm(request.POST or None)
    answer = _answered(integration, integration.table, form)
    return _listed(request, integration, form=form, answer=answer, status=form.http_status)


def route_new(request: SignedInRequest, slug: str) -> HttpResponse:
    integration = queries.integration_for(slug, timezone.now())
    return _edited(request, integration, place=len(integration.routes), form=forms.RouteForm(request.POST or None))


def route_edit(request: SignedInRequest, slug: str, place: int) -> HttpResponse:
    integration = queries.integration_for(slug, timezone.now())
    form = forms.RouteForm(request.POST or None, initial=forms.RouteForm.of(_at(integration, place)))
    return _edited(request, integration, place=place - 1, form=form)


@require_POST
def route_move(request: SignedInRequest, slug: str, place: int) -> HttpResponse:
    """One place up, or down."""
    integration = queries.integration_for(slug, timezone.now())
    route = _at(integration, place)
    kept = [each for each in integration.routes if each is not route]
    to = place - 2 if request.POST.get("to") == "up" else place
    kept.insert(max(0, min(to, len(kept))), route)
    integrations.set_routes(integration, kept, by=request.actor, now=timezone.now())
    return redirect("route-list", slug)


@require_POST
def route_delete(request: SignedInRequest, slug: str, place: int) -> HttpResponse:
    integration = queries.integration_for(slug, timezone.now())
    route = _at(integration, place)
    kept = [each for each in integration.routes if each is not route]
    integrations.set_routes(integration, kept, by=request.actor, now=timezone.now())
    done = _("The route “{name}” is deleted.").format(name=route["name"])
    fields = {"place": str(place), "route": json.dumps(route)}
    undo.offer(request, done, url=reverse("route-restore", args=[slug]), fields=fields)
    return redirect("route-list", slug)


@require_POST
def route_restore(request: SignedInRequest, slug: str) -> HttpResponse:
    """Put a route that was deleted back to its place."""
    integration = queries.integration_for(slug, timezone.now())
    try:
        route, place = json.loads(request.POST.get("route", "")), int(request.POST.get("place", ""))
    except ValueError as exc:
        raise Invalid(_("This is no route.")) from exc
    kept = list(integration.routes)
    kept.insert(max(0, min(place - 1, len(kept))), route)
    if integrations.set_routes(integration, kept, by=request.actor, now=timezone.now()):
        messages.success(request, _("The route is back."))
    return redirect("route-list", slug)


def _edited(request: SignedInRequest, integration: Integration, *, place: int, form: forms.RouteForm) -> HttpResponse:
    """A route that is typed: kept, or tried as it is, on what was delivered or on a payload, without being kept."""
    tried = answer = None
    pasted = forms.TryForm(request.POST or None)
    if form.is_valid():
        kept = list(integration.routes)
        kept[place : place + 1] = [form.route()]
        version = form.cleaned_data["version"]
        try:
            if request.POST.get("try") == "payload":
                answer = _answered(integration, routes.Table(routes.read(kept)), pasted)
            elif "try" in request.POST:
                tried = trial.of_deliveries(integration, routes.Table(routes.read(kept)), now=timezone.now())
            else:
                integrations.set_routes(integration, kept, by=request.actor, now=timezone.now(), version=version)
                messages.success(request, _("The route counts from now on."))
                return redirect("route-list", integration.slug)
        except Invalid as refusal:
            form.tell(place, refusal)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
            form.http_status = refusal.status
    is_new = place == len(integration.routes)
    context = {
        **_PAGE,
        "integration": queries.integration_for(integration.slug, timezone.now()),
        "form": form,
        "about": [form[name] for name in form.ABOUT],
        "which": [form[name] for name in form.WHICH],
        "how": [form[name] for name in form.HOW],
        "place": None if is_new else place + 1,
        "title": _("New route") if is_new else integration.routes[place]["name"],
        "pasted": pasted,
        "trial": tried,
        "answer": answer,
    }
    return render(request, "alerts/route.html", context, status=max(form.http_status, pasted.http_status))


def _answered(integration: Integration, table: routes.Table, pasted: forms.TryForm) -> trial.Answer | None:
    """What these routes make of the payload that was pasted; where it cannot be read, the form says so."""
    if not pasted.is_valid():
        return None
    try:
        return trial.of_payload(integration, table, pasted.cleaned_data["payload"].encode(), now=timezone.now())
    except (payload.BadPayload, Invalid) as exc:
        unread = _("This cannot be read as the body of such a webhook.")
        pasted.add_error("payload", exc.message if isinstance(exc, Invalid) else unread)
        pasted.http_status = 422
        return None


def _listed(
    request: SignedInRequest,
    integration: Integration,
    *,
    form: forms.TryForm | None = None,
    answer: trial.Answer | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        **_PAGE,
        "integration": integration,
        "routes": integration.table.routes,
        "form": form or forms.TryForm(),
        "answer": answer,
    }
    return render(request, "alerts/routes.html", context, status=status)


def _at(integration: Integration, place: int) -> dict[str, Any]:
    """The route at this place, counted from 1; Http404 where there is none."""
    if not 1 <= place <= len(integration.routes):
        raise Http404(_("There is no such route."))
    route: dict[str, Any] = integration.routes[place - 1]
    return route
