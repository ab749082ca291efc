"""Pages that concern every room."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from alerts import integrations, testing
from alerts.models import Integration
from home import first_steps, workload
from incidents import stream
from people.actors import SignedInRequest


def front_door(request: SignedInRequest) -> HttpResponse:
    """The incidents; where there is nothing yet, the first steps."""
    return redirect("first-steps" if first_steps.is_untouched(request.actor) else "incident-list")


def first_steps_page(request: SignedInRequest) -> HttpResponse:
    live_version = stream.version(request.actor)  # before what it is the version of
    progress = first_steps.progress(request.actor)
    integration = Integration.objects.filter(kind=Integration.Kind.ALERTMANAGER).order_by("id").first()
    context = {
        "section": "",
        "now": timezone.now(),
        "progress": progress,
        "integration": integration,
        "receiver_yaml": integrations.receiver_yaml(integration, None) if integration else "",
        "heard_at": first_steps.deliveries_of_alertmanager().values_list("received_at", flat=True).first(),
        "mails": bool(settings.ENV.smtp_url),
        "live_version": live_version,
    }
    return render(request, "home/first_steps.html", context)


@require_POST
def first_steps_hide(request: SignedInRequest) -> HttpResponse:
    """`hidden=0` brings them back."""
    if request.POST.get("hidden") == "0":
        first_steps.bring_back(request.actor)
        request.session.pop(first_steps.OVER, None)
        return redirect("first-steps")
    first_steps.hide(request.actor, now=timezone.now())
    messages.info(request, _("The first steps are hidden. They stay under your name, in the menu."))
    return redirect("incident-list")


@require_POST
def first_steps_drill(request: SignedInRequest) -> HttpResponse:
    return redirect(first_steps.run_drill(by=request.actor, now=timezone.now()))


@require_POST
def first_steps_test_alert(request: SignedInRequest) -> HttpResponse:
    integration = get_object_or_404(Integration, slug=request.POST.get("integration", ""))
    tested = testing.send(integration, by=request.actor, now=timezone.now())
    words = _("The test alert was taken in, and opened {incident}, which is marked as a drill.")
    messages.success(request, words.format(incident=tested.incident))
    return redirect("first-steps")


def quarantine_list(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    kinds = workload.of_all_kinds(now)
    context = {
        "section": "settings",
        "tab": "work",
        "now": now,
        "kinds": kinds,
        "stuck_kinds": [kind for kind in kinds if kind.stuck],
    }
    return render(request, "home/work.html", context)


@require_POST
def quarantine_retry(request: SignedInRequest) -> HttpResponse:
    kind, pk = request.POST.get("kind", ""), request.POST.get("pk", "")
    again = workload.retry(kind, pk, by=request.actor, now=timezone.now())
    if again:
        messages.success(
            request,
            ngettext(
                "{n} will be tried again within seconds.", "{n} will be tried again within seconds.", again
            ).format(n=again),
        )
    else:
        messages.info(request, _("Somebody had it tried again already."))
    return redirect("quarantine-list")
