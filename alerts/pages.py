"""Pages of alerts, of the integrations that send them, and of what was delivered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from alerts import forms, integrations, queries
from alerts.models import Alert, Integration
from common import keyset
from people.actors import SignedInRequest

_SETTINGS = {"section": "settings"}


def alert_list(request: SignedInRequest) -> HttpResponse:
    """Firing ones, unless another status is asked for."""
    found, form, asked_for = asked(request)
    context = {
        "section": "alerts",
        "now": timezone.now(),
        "page": keyset.page(found, ("-starts_at", "-id"), request.GET.get("cursor")),
        "form": form,
        "asked": asked_for,
        "firing": queries.firing(request.actor),
        "last_delivery": queries.last_delivery(),
    }
    return render(request, "alerts/list.html", context)


def asked(request: SignedInRequest) -> tuple[QuerySet[Alert], forms.AlertFilter, dict[str, Any]]:
    """The alerts that the address asks for, and what it says."""
    form = forms.AlertFilter(request.GET)
    form.is_valid()
    said = {"status": Alert.Status.FIRING.value, **{name: value for name, value in form.cleaned_data.items() if value}}
    status = "" if said["status"] == forms.ALL else said["status"]
    return queries.alerts(request.actor, **{**said, "status": status}), form, said


def integration_list(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    context = {**_SETTINGS, "tab": "integrations", "now": now, "integrations": queries.integrations(now)}
    return render(request, "alerts/integrations.html", context)


def integration_new(request: SignedInRequest) -> HttpResponse:
    form = forms.IntegrationForm(request.POST or None)
    if form.is_valid():
        with form.telling():
            integration, token = integrations.create(**form.cleaned_data, by=request.actor, now=timezone.now())
            return _with_token(request, integration, token)
    context = {**_SETTINGS, "form": form}
    return render(request, "alerts/integration_new.html", context, status=form.http_status)


def integration_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    integration = queries.integration_for(slug, now)
    context = {
        **_SETTINGS,
        "now": now,
        "integration": integration,
        "webhook_url": integrations.webhook_url(),
        "receiver_yaml": integrations.receiver_yaml(integration, None),
        "deliveries": queries.deliveries(integration=integration)[:10],
        "alerts": queries.alerts_by_status(integration),
    }
    return render(request, "alerts/integration.html", context)


@require_POST
def integration_rotate(request: SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    integration = queries.integration_for(slug, now)
    return _with_token(request, integration, integrations.rotate(integration, by=request.actor, now=now))


def _with_token(request: SignedInRequest, integration: Integration, token: str) -> HttpResponse:
    """The one page that shows a token: the answer to the POST that made it, kept nowhere, not even by the browser."""
    context = {
        **_SETTINGS,
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


def delivery_detail(request: SignedInRequest, pk: UUID) -> HttpResponse:
    delivery = queries.delivery_for(pk)
    context = {**_SETTINGS, "now": timezone.now(), "delivery": delivery, "content": queries.content(delivery)}
    return render(request, "alerts/delivery.html", context)
