"""The pages of contact methods, which are everybody's own, and of messages, which are for administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages as notes
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common import keyset, undo
from notifications import forms, methods, outbox, probing, queries
from notifications.access import message_for, method_for
from notifications.channels import CHANNELS
from notifications.models import ContactMethod, Message
from people.actors import SignedInRequest

_ACCOUNT = {"section": "settings", "tab": "contact-methods"}
_MESSAGES = {"section": "settings", "tab": "messages"}


def contact_methods(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        **_ACCOUNT,
        "now": now,
        "ways": queries.ways(request.user, now),
        "routes": methods.routes(request.user),
        "to_account": queries.last_to_account(request.user),
        "channels": CHANNELS.values(),
        "is_full": request.user.contact_methods.count() >= methods.MOST,
    }
    return render(request, "notifications/methods.html", context)


def contact_method_new(request: SignedInRequest, kind: str) -> HttpResponse:
    """A secret that was made up is shown in the answer, this once."""
    channel = CHANNELS.get(kind)
    if channel is None:
        raise Http404(_("There is no such channel."))
    form = forms.MethodForm(request.POST or None, channel=channel)
    context: dict[str, Any] = {**_ACCOUNT, "channel": channel}
    if form.is_valid():
        with form.telling():
            method, secret = methods.add(request.user, kind, **form.cleaned_data, now=timezone.now())
            if not secret:
                notes.success(request, _("It is there. Send a test to see that it reaches you."))
                return _back(method)
            shown = {**context, "method": method, "secret": secret}
            return render(request, "notifications/method_secret.html", shown, status=201)
    context["form"] = form
    return render(request, "notifications/method_new.html", context, status=form.http_status)


def contact_method_edit(request: SignedInRequest, pk: int) -> HttpResponse:
    method = method_for(request.user, pk)
    form = forms.LabelForm(request.POST or None, initial={"label": method.label})
    if form.is_valid():
        methods.rename(method, form.cleaned_data["label"])
        return _back(method)
    context = {**_ACCOUNT, "form": form, "method": method, "channel": methods.label_of(method.kind)}
    return render(request, "notifications/method_edit.html", context, status=form.http_status)


@require_POST
def contact_method_move(request: SignedInRequest, pk: int) -> HttpResponse:
    method = method_for(request.user, pk)
    is_later = request.POST.get("to") == "later"
    methods.move(method, 1 if is_later else -1)
    done = _("“{method}” is tried later now.") if is_later else _("“{method}” is tried earlier now.")
    _offer_undo(request, done, method, to="earlier" if is_later else "later")
    return _back(method)


@require_POST
def contact_method_switch(request: SignedInRequest, pk: int) -> HttpResponse:
    method = method_for(request.user, pk)
    is_on = request.POST.get("on") == "yes"
    methods.switch(method, on=is_on, now=timezone.now())
    done = _("“{method}” is switched on.") if is_on else _("“{method}” is switched off.")
    _offer_undo(request, done, method, on="no" if is_on else "yes")
    return _back(method)


def contact_method_remove(request: SignedInRequest, pk: int) -> HttpResponse:
    """A question first: the address is forgotten, and cannot be brought back."""
    method = method_for(request.user, pk)
    if request.method == "POST":
        methods.remove(method, now=timezone.now())
        notes.success(request, _("“{method}” is removed.").format(method=method))
        return redirect("contact-methods")
    others = [route for route in methods.routes(request.user) if route.method != method]
    context = {**_ACCOUNT, "method": method, "channel": methods.label_of(method.kind), "others": others}
    return render(request, "notifications/method_remove.html", context)


def contact_method_test(request: SignedInRequest, pk: int) -> HttpResponse:
    """Send a test; or, asked for again and again, how the last one went."""
    method = method_for(request.user, pk)
    now = timezone.now()
    if request.method == "POST":
        probing.test(method, now=now)
        return _back(method)
    context = {"way": queries.way_of(method, now), "now": now}
    return render(request, "notifications/_test.html", context)


def _offer_undo(request: SignedInRequest, done: str, method: ContactMethod, **fields: str) -> None:
    """What takes it back goes where it came from."""
    undo.offer(request, done.format(method=method), url=request.path, fields=fields)


def _back(method: ContactMethod) -> HttpResponse:
    return redirect(f"{reverse('contact-methods')}#method-{method.pk}")


def message_list(request: SignedInRequest) -> HttpResponse:
    form = forms.MessageFilter(request.GET, auto_id="filter_%s")
    form.is_valid()
    state, channel, person = (form.cleaned_data.get(name) for name in ("state", "channel", "person"))
    found = queries.messages(state=state or "", channel=channel or "", person=person)
    page = keyset.page(found, ("-created_at", "-id"), request.GET.get("cursor"))
    context = {**_MESSAGES, "now": timezone.now(), "page": page, "rows": queries.rows(page.rows), "form": form}
    context["asked"] = bool(state or channel or person)
    return render(request, "notifications/messages.html", context)


def message_detail(request: SignedInRequest, pk: UUID) -> HttpResponse:
    message = message_for(pk)
    again = Message.objects.filter(key=outbox.again_key(message)).first()
    context: dict[str, Any] = {
        **_MESSAGES,
        "now": timezone.now(),
        "message": message,
        "legs": queries.legs(message),
        "again": again,
    }
    context["has_dead_actions"] = bool(message.actions) and not outbox.has_living_actions(message, context["now"])
    return render(request, "notifications/message.html", context)


@require_POST
def message_again(request: SignedInRequest, pk: UUID) -> HttpResponse:
    message = message_for(pk)
    again = outbox.send_again(message, by=request.actor, now=timezone.now())
    return redirect(again)
