"""What is done to the incidents that were picked in the list."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from common.errors import Invalid
from incidents import bulk
from incidents.forms import RoleForm
from people.actors import SignedInRequest

SECTION = "incidents"


@require_POST
def incident_bulk(request: SignedInRequest) -> HttpResponse:
    """The first press of "Assign" asks for the role and the person; all else is done at once."""
    numbers = _numbers(request)
    if request.POST.get("act") == "assign":
        return _assign(request, numbers)
    outcome = bulk.acknowledge(numbers, by=request.actor, now=timezone.now())
    done = ngettext("%(n)s incident is yours.", "%(n)s incidents are yours.", len(outcome.done))
    return _told(request, outcome, done % {"n": len(outcome.done)})


def _assign(request: SignedInRequest, numbers: list[int]) -> HttpResponse:
    form = RoleForm(request.POST if "role" in request.POST else None, auto_id="role_%s")
    if form.is_valid():
        role, user = form.cleaned_data["role"], form.cleaned_data["user"]
        outcome = bulk.assign(numbers, role, user, by=request.actor, now=timezone.now())
        done = ngettext(
            "%(who)s is %(role)s of %(n)s incident.", "%(who)s is %(role)s of %(n)s incidents.", len(outcome.done)
        )
        return _told(request, outcome, done % {"who": user.name, "role": role.name, "n": len(outcome.done)})
    context = {
        "section": SECTION,
        "form": form,
        "incidents": bulk.chosen(numbers, request.actor),
        "back": request.POST.get("back", ""),
    }
    return render(request, "incidents/bulk_assign.html", context, status=form.http_status)


def _told(request: SignedInRequest, outcome: bulk.Outcome, done: str) -> HttpResponse:
    """Back to the list where all went well, else a page that names what did not."""
    back = f"{reverse('incident-list')}?{request.POST.get('back', '')}"
    if not outcome.refused:
        messages.success(request, done)
        return redirect(back)
    context = {"section": SECTION, "outcome": outcome, "back": back}
    return render(request, "incidents/bulk_done.html", context)


def _numbers(request: SignedInRequest) -> list[int]:
    given = request.POST.getlist("incident")
    if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in given):
        raise Invalid(_("An incident is named by its number."), errors=[("incident", _("Not a number."))])
    return [int(text) for text in given]
