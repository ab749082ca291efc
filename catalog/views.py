"""Pages of services and the models that they serve."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog import access, forms, inventory, queries
from catalog.models import Model, Service
from people import access as rights
from people.actors import SignedInRequest

SECTION = "services"


def service_list(request: SignedInRequest) -> HttpResponse:
    context = {
        "section": SECTION,
        "services": queries.services(),
        "models": queries.models_without_service(),
        "may_manage": rights.can(request.actor, rights.Act.MANAGE),
        "managed": {None, *access.managed_teams(request.actor).values_list("pk", flat=True)},
    }
    return render(request, "catalog/list.html", context)


def service_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    service = access.service_for(slug)
    context = {
        **_of_one(request, service),
        "models": service.models.all(),
        "depends_on": service.depends_on.all(),
        "dependents": service.dependents.all(),
    }
    return render(request, "catalog/service.html", context)


def model_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    return render(request, "catalog/model.html", _of_one(request, access.model_for(slug)))


def _of_one(request: SignedInRequest, thing: Service | Model) -> dict[str, object]:
    return {
        "section": SECTION,
        "now": timezone.now(),
        "thing": thing,
        "incidents": queries.incidents(thing, request.actor),
        "may_manage": rights.can(request.actor, rights.Act.MANAGE, thing.team),
        "may_respond": rights.can(request.actor, rights.Act.RESPOND),
    }


def service_new(request: SignedInRequest) -> HttpResponse:
    form = forms.NewServiceForm(request.POST or None, by=request.actor)
    if form.is_valid():
        with form.telling():
            service = inventory.add_service(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, _("{service} is written down.").format(service=service))
            return redirect("service-list")
    context = {"section": SECTION, "form": form, "title": _("New service"), "action": _("Add the service")}
    return render(request, "catalog/edit.html", context, status=form.http_status)


def service_edit(request: SignedInRequest, slug: str) -> HttpResponse:
    service = access.service_for(slug)
    rights.require(request.actor, rights.Act.MANAGE, service.team)
    form = forms.ServiceForm(request.POST or None, by=request.actor, service=service)
    if form.is_valid():
        with form.telling():
            changes, version = form.changes()
            if inventory.change(service, changes, by=request.actor, now=timezone.now(), version=version):
                messages.success(request, _("{service} is changed.").format(service=service))
            return redirect(service)
    context = {"section": SECTION, "form": form, "thing": service, "title": service.name, "action": _("Save")}
    return render(request, "catalog/edit.html", context, status=form.http_status)


def model_new(request: SignedInRequest) -> HttpResponse:
    form = forms.NewModelForm(request.POST or None, by=request.actor)
    if form.is_valid():
        with form.telling():
            model = inventory.add_model(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, _("{model} is written down.").format(model=model))
            return redirect("service-list")
    context = {"section": SECTION, "form": form, "title": _("New model"), "action": _("Add the model")}
    return render(request, "catalog/edit.html", context, status=form.http_status)


def model_edit(request: SignedInRequest, slug: str) -> HttpResponse:
    model = access.model_for(slug)
    rights.require(request.actor, rights.Act.MANAGE, model.team)
    form = forms.ModelForm(request.POST or None, by=request.actor, model=model)
    if form.is_valid():
        with form.telling():
            changes, version = form.changes()
            if inventory.change(model, changes, by=request.actor, now=timezone.now(), version=version):
                messages.success(request, _("{model} is changed.").format(model=model))
            return redirect(model)
    context = {"section": SECTION, "form": form, "thing": model, "title": model.name, "action": _("Save")}
    return render(request, "catalog/edit.html", context, status=form.http_status)
