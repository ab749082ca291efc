"""Pages of SLOs: how their budgets stand, what burned them, and what is promised."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from people import access
from people.actors import SignedInRequest
from slos import burndown, definitions, drawing, forms, ledger, queries, rows
from slos.filters import SloFilter
from slos.models import Slo

SECTION = "slos"
STEPS = 60  # of a chart: half a day each, where the window is 30 days


def slo_list(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    found = SloFilter(request.GET, queryset=Slo.objects.all()).qs
    context = {
        "section": SECTION,
        "now": now,
        "rows": rows.listed(found, now=now),
        "filtered": request.GET.getlist("service") + request.GET.getlist("model") + request.GET.getlist("kind"),
        "may_manage": access.can(request.actor, access.Act.MANAGE),
    }
    return render(request, "slos/list.html", context)


def slo_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    slo = _slo(slug)
    standing = ledger.budget(slo, now)
    [row], [steps] = rows.of([standing]), burndown.of([standing], STEPS)
    burners = queries.burners(slo, actor=request.actor, now=now)
    incidents = [(burner.link.incident, burner.burned.interval) for burner in burners]
    context = {
        "section": SECTION,
        "now": now,
        "slo": slo,
        "row": row,
        "burners": burners,
        "candidates": queries.candidates(slo, actor=request.actor),
        "steps": list(reversed(steps)),
        "chart": drawing.burndown(steps, drawing.WIDE, incidents),
        "burns": drawing.burns(steps),
        "samples_url": settings.ENV.public_url + reverse("api-slo-samples", args=[slo.slug]),
        "may_manage": access.can(request.actor, access.Act.MANAGE, slo.service.team),
    }
    return render(request, "slos/detail.html", context)


def slo_new(request: SignedInRequest) -> HttpResponse:
    form = forms.NewSloForm(request.POST or None, by=request.actor, initial={"service": request.GET.get("service")})
    if form.is_valid():
        with form.telling():
            slo = definitions.create(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, _("{slo} is promised. Push samples, and its budget shows here.").format(slo=slo))
            return redirect(slo)
    context = {"section": SECTION, "form": form, "title": _("New SLO"), "action": _("Add the SLO")}
    return render(request, "slos/edit.html", context, status=form.http_status)


def slo_edit(request: SignedInRequest, slug: str) -> HttpResponse:
    slo = _slo(slug)
    access.require(request.actor, access.Act.MANAGE, slo.service.team)
    form = forms.SloForm(request.POST or None, by=request.actor, slo=slo)
    if form.is_valid():
        with form.telling():
            changes, version = form.changes()
            if definitions.change(slo, changes, by=request.actor, now=timezone.now(), version=version):
                messages.success(request, _("{slo} is changed; past incidents are counted anew.").format(slo=slo))
            return redirect(slo)
    context = {"section": SECTION, "form": form, "slo": slo, "title": slo.name, "action": _("Save")}
    return render(request, "slos/edit.html", context, status=form.http_status)


def _slo(slug: str) -> Slo:
    found = Slo.objects.select_related("service__team", "model").filter(slug=slug).first()
    if found is None:
        raise Http404(_("There is no SLO {slug}.").format(slug=slug))
    return found
