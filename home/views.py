"""Pages that concern every room."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from home import workload
from people.actors import SignedInRequest


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
        messages.success(request, f"{again} will be tried again within seconds.")
    else:
        messages.info(request, "Somebody had it tried again already.")
    return redirect("quarantine-list")
