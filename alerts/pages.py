"""Pages of alerts, of the integrations that send them, and of what was delivered."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from alerts import forms, heartbeats, integrations, listing, narrowing, queries, replay, testing
from alerts.models import Heartbeat, Integration
from common import keyset, undo
from people.actors import SignedInRequest
from people.stepup import recently_authenticated

_SETTINGS = {"section": "settings"}
_INTEGRATIONS = {**_SETTINGS, "tab": "integrations"}


def alert_list(request: SignedInRequest) -> HttpResponse:
    """Those that fire, unless others are asked for."""
    wanted = listing.asked(request.GET)
    page = listing.page(request.actor, wanted, request.GET.get("cursor"))
    context = {
        "section": "alerts",
        "now": timezone.now(),
        "asked": wanted,
        "page": page,
        "tabs": narrowing.tabs(wanted, page.counts),
        "chips": narrowing.chips(wanted, page.counts),
        "facets": narrowing.menu(wanted, page.counts),
        "sentence": narrowing.sentence(wanted, page.counts),
        "shown": narrowing.shown(wanted, page.counts) if page.rows else "",
        "clear_url": f"?{wanted.cleared()}",
        "last_delivery": queries.last_delivery(),
    }
    return render(request, "alerts/list.html", context, status=422 if page.fault else 200)


def integration_list(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    context = {**_INTEGRATIONS, "now": now, "integrations": queries.integrations(now)}
    return render(request, "alerts/integrations.html", context)


@recently_authenticated(on="POST")
def integration_new(request: SignedInRequest) -> HttpResponse:
    form = forms.IntegrationForm(request.POST or None)
    if form.is_valid():
        with form.telling():
            integration, token = integrations.create(**form.cleaned_data, by=request.actor, now=timezone.now())
            return _with_token(request, integration, token)
    context = {**_INTEGRATIONS, "form": form}
    return render(request, "alerts/integration_new.html", context, status=form.http_status)


@recently_authenticated(on="POST")
def integration_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    integration = queries.integration_for(slug, now)
    about = {
        "name": integration.name,
        "team": integration.team_id,
        "repeat_interval": forms.minutes(integration.repeat_interval),
        "stale_resolves_after": forms.minutes(integration.stale_resolves_after),
        "provisional_grace": forms.minutes(integration.provisional_grace),
    }
    form = forms.IntegrationChangeForm(request.POST or None, initial=about)
    if form.is_valid():
        changes, version = form.changes()
        with form.telling():
            if integrations.change(integration, changes, by=request.actor, now=now, version=version):
                messages.success(request, _("The integration is changed."))
            return redirect(integration)
    context = {
        **_INTEGRATIONS,
        "now": now,
        "integration": queries.integration_for(slug, now),
        "form": form,
        "rotating": forms.RotateForm(),
        "has_old_token": integration.old_token_until is not None and integration.old_token_until > now,
        "webhook_url": integrations.webhook_url(integration),
        "receiver_yaml": integrations.receiver_yaml(integration, None),
        "deliveries": queries.deliveries(integration=integration)[:10],
        "alerts": queries.alerts_by_status(integration),
        "tests": testing.firing(integration),
        "heartbeats": queries.heartbeats(integration, now),
        "interval": integration.repeats_every,
    }
    return render(request, "alerts/integration.html", context, status=form.http_status)


@require_POST
@recently_authenticated
def integration_rotate(request: SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    integration = queries.integration_for(slug, now)
    form = forms.RotateForm(request.POST)
    seconds = form.cleaned_data["keep_old_for"] if form.is_valid() else forms.DAY
    token = integrations.rotate(integration, by=request.actor, now=now, keep_old_for=timedelta(seconds=seconds))
    return _with_token(request, integration, token)


@require_POST
@recently_authenticated
def integration_end_old(request: SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    integration = queries.integration_for(slug, now)
    if integrations.end_old_token(integration, by=request.actor, now=now):
        messages.success(request, _("The old token no longer works."))
    return redirect(integration)


@require_POST
@recently_authenticated
def integration_switch(request: SignedInRequest, slug: str) -> HttpResponse:
    """Off, its deliveries are refused, and all that it brought stays; on again at any time."""
    now = timezone.now()
    integration = queries.integration_for(slug, now)
    on = request.POST.get("on") == "yes"
    if integrations.change(integration, {"is_active": on}, by=request.actor, now=now):
        if on:
            messages.success(request, _("“{name}” takes deliveries again.").format(name=integration.name))
        else:
            done = _("“{name}” is switched off. What is sent with its token is refused.").format(name=integration.name)
            undo.offer(request, done, url=reverse("integration-switch", args=[slug]), fields={"on": "yes"})
    return redirect(integration)


@require_POST
def heartbeat_remove(request: SignedInRequest, pk: int) -> HttpResponse:
    """It is not expected any more, until it is heard again."""
    heartbeat = get_object_or_404(Heartbeat.objects.select_related("integration"), pk=pk)
    if heartbeats.remove(heartbeat, by=request.actor, now=timezone.now()):
        messages.success(request, _("{heartbeat} is expected no more.").format(heartbeat=heartbeat))
    return redirect(heartbeat.integration)


@require_POST
def integration_test(request: SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    integration = queries.integration_for(slug, now)
    tested = testing.send(integration, by=request.actor, now=now)
    words = _("The test alert was taken in, and opened {incident}, which is marked as a drill.")
    messages.success(request, words.format(incident=tested.incident))
    return redirect(f"{integration.get_absolute_url()}#test")


@require_POST
def integration_test_end(request: SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    integration = queries.integration_for(slug, now)
    if testing.end(integration, by=request.actor, now=now):
        messages.success(request, _("The test alert is resolved. Its incident resolves by itself after a while."))
    return redirect(f"{integration.get_absolute_url()}#test")


def _with_token(request: SignedInRequest, integration: Integration, token: str) -> HttpResponse:
    """The one page that shows a token: the answer to the POST that made it, kept nowhere, not even by the browser."""
    context = {
        **_INTEGRATIONS,
        "integration": integration,
        "token": token,
        "receiver_yaml": integrations.receiver_yaml(integration, token),
    }
    response = render(request, "alerts/integration_token.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def delivery_list(request: SignedInRequest) -> HttpResponse:
    form = forms.DeliveryFilter(request.GET)
    form.is_valid()
    only_faulty, integration = form.cleaned_data.get("faulty", False), form.cleaned_data.get("integration")
    found = queries.deliveries(integration=integration, only_faulty=only_faulty)
    context = {
        **_SETTINGS,
        "tab": "deliveries",
        "now": timezone.now(),
        "page": keyset.page(found, ("-received_at", "-id"), request.GET.get("cursor")),
        "form": form,
        "only_faulty": only_faulty,
        "integration": integration,
    }
    return render(request, "alerts/deliveries.html", context)


@require_POST
@recently_authenticated
def delivery_replay(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Take it in once more."""
    delivery = queries.delivery_for(pk)
    receipt = replay.again(delivery, by=request.actor, now=timezone.now())
    messages.success(request, _("The delivery was taken in again. This page tells what became of it."))
    return redirect("delivery-detail", receipt.delivery)


def delivery_detail(request: SignedInRequest, pk: UUID) -> HttpResponse:
    delivery = queries.delivery_for(pk)
    context = {
        **_SETTINGS,
        "tab": "deliveries",
        "now": timezone.now(),
        "delivery": delivery,
        "content": queries.content(delivery),
    }
    return render(request, "alerts/delivery.html", context)
