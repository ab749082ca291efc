"""The pages of incidents: the list, the page of one, and every form on it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from common.errors import Invalid
from common.forms import Form
from incidents import fields, impact, lifecycle, queries, responding, steps, stream
from incidents.access import incident_for
from incidents.forms import (
    DeclareForm,
    EditForm,
    JoinForm,
    ListForm,
    MomentsForm,
    NoteForm,
    ResponderForm,
    RoleForm,
    SeverityForm,
    SloForm,
    StatusForm,
)
from incidents.models import Entry, Incident, SloLink
from people import access
from people.actors import SignedInRequest

SECTION = "incidents"
Status = Incident.Status


def incident_list(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    tab = request.GET.get("tab", "open")
    if tab not in queries.TABS:
        raise Http404("There is no such tab.")
    live_version = stream.version(request.actor)  # before what it is the version of
    page = queries.list_page(request.actor, tab, request.GET, request.GET.get("cursor"), now)
    form = ListForm(request.GET, auto_id="filter_%s")
    context = {"section": SECTION, "now": now, "tab": tab, "tabs": queries.TABS, "page": page, "form": form}
    context |= {"asked": form.asked(), "sentence": form.sentence(tab), "live_version": live_version}
    context["acts"] = page.has_waiting and access.can(request.actor, access.Act.RESPOND)
    return render(request, "incidents/list.html", context)


def incident_new(request: SignedInRequest) -> HttpResponse:
    form = DeclareForm(request.POST or None)
    if form.is_valid():
        with form.telling():
            incident = lifecycle.declare(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, f"{incident} is declared, and you are in it.")
            return redirect(incident)
    return render(request, "incidents/new.html", {"section": SECTION, "form": form}, status=form.http_status)


def incident_detail(request: SignedInRequest, number: int) -> HttpResponse:
    before = request.GET.get("before", "")
    seq = int(before[:9]) if before.isascii() and before.isdigit() else None
    return _page(request, incident_for(request.actor, number), timezone.now(), before=seq)


def incident_edit(request: SignedInRequest, number: int) -> HttpResponse:
    incident = incident_for(request.actor, number)
    form = EditForm(request.POST or None, incident=incident, by=request.actor)
    if form.is_valid():
        with form.telling():
            changes, version = form.changes()
            fields.change(incident, changes, by=request.actor, now=timezone.now(), version=version)
            return redirect(incident)
    context = {"section": SECTION, "form": form, "incident": incident_for(request.actor, number)}
    return render(request, "incidents/edit.html", context, status=form.http_status)


def incident_moments(request: SignedInRequest, number: int) -> HttpResponse:
    incident = incident_for(request.actor, number)
    access.require(request.actor, access.Act.MANAGE, incident.team)
    form = MomentsForm(request.POST or None, incident=incident)
    if form.is_valid():
        with form.telling():
            reason = form.cleaned_data["reason"]
            fields.change(incident, form.changes(), by=request.actor, now=timezone.now(), reason=reason)
            return redirect(incident)
    context = {"section": SECTION, "form": form, "incident": incident_for(request.actor, number)}
    return render(request, "incidents/moments.html", context, status=form.http_status)


@require_POST
def incident_acknowledge(request: SignedInRequest, number: int) -> HttpResponse:
    incident = incident_for(request.actor, number)
    try:
        lifecycle.acknowledge(incident, by=request.actor, now=timezone.now())
    except lifecycle.AlreadyHandled as first:
        messages.warning(request, first.message)
    else:
        messages.success(request, f"{incident} is yours.")
    return redirect(incident)


@require_POST
def incident_status(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    incident = incident_for(request.actor, number)
    form = StatusForm(request.POST, auto_id="status_%s")
    if form.is_valid():
        to = Status(form.cleaned_data["status"])
        with form.telling():
            moved = lifecycle.move(
                incident,
                to,
                by=request.actor,
                now=now,
                note=form.cleaned_data["note"],
                reason=form.cleaned_data["reason"],
                merged_into=_target(request, form),
            )
            state = "is" if moved else "was already"
            messages.success(request, f"{incident} {state} {to.label.lower()}.")
            if moved and to == Status.RESOLVED and (firing := queries.firing(incident)):
                messages.warning(
                    request, f"{firing} alert{'s' if firing > 1 else ''} of it still fire{'' if firing > 1 else 's'}."
                )
            return redirect(incident)
    return _page(request, incident_for(request.actor, number), now, status=form)


def _target(request: SignedInRequest, form: StatusForm) -> Incident | None:
    """The incident that this one is merged into: one that the reader may see."""
    number = form.cleaned_data["merged_into"]
    if number is None or form.cleaned_data["status"] != Status.MERGED:
        return None
    try:
        return incident_for(request.actor, number)
    except Http404 as exc:
        raise Invalid(str(exc), errors=[("merged_into", str(exc))]) from exc


@require_POST
def incident_severity(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    incident = incident_for(request.actor, number)
    form = SeverityForm(request.POST, auto_id="severity_%s")
    if form.is_valid():
        with form.telling():
            fields.change(incident, form.cleaned_data, by=request.actor, now=now)
            return redirect(incident)
    return _page(request, incident, now, severity=form)


@require_POST
def incident_note(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    incident = incident_for(request.actor, number)
    form = NoteForm(request.POST, auto_id="note_%s")
    if form.is_valid():
        with form.telling():
            kind = Entry.Kind(form.cleaned_data["kind"])
            responding.speak(incident, kind, form.cleaned_data["text"], by=request.actor, now=now)
            return redirect(incident)
    return _page(request, incident, now, note=form)


@require_POST
def incident_role(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    incident = incident_for(request.actor, number)
    form = RoleForm(request.POST, auto_id="role_%s")
    if form.is_valid():
        with form.telling():
            responding.assign_role(incident, **form.cleaned_data, by=request.actor, now=now)
            return redirect(incident)
    return _page(request, incident, now, role=form)


@require_POST
def incident_role_end(request: SignedInRequest, number: int, assignment_id: int) -> HttpResponse:
    incident = incident_for(request.actor, number)
    held = incident.role_assignments.select_related("incident", "role", "user")
    responding.end_role(get_object_or_404(held, pk=assignment_id), by=request.actor, now=timezone.now())
    return redirect(incident)


@require_POST
def incident_responder(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    incident = incident_for(request.actor, number)
    form = ResponderForm(request.POST, auto_id="responder_%s")
    if form.is_valid():
        with form.telling():
            responding.ask(incident, **form.cleaned_data, by=request.actor, now=now)
            return redirect(incident)
    return _page(request, incident, now, responder=form)


@require_POST
def incident_responder_leave(request: SignedInRequest, number: int, responder_id: int) -> HttpResponse:
    incident = incident_for(request.actor, number)
    found = incident.responders.select_related("incident", "user", "discipline")
    responding.leave(get_object_or_404(found, pk=responder_id), by=request.actor, now=timezone.now())
    return redirect(incident)


@require_POST
def incident_join(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    incident = incident_for(request.actor, number)
    form = JoinForm(request.POST, auto_id="join_%s")
    if form.is_valid():
        with form.telling():
            responding.join(incident, request.user, **form.cleaned_data, now=now)
            return redirect(incident)
    return _page(request, incident, now, join=form)


@require_POST
def incident_slo(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    incident = incident_for(request.actor, number)
    form = SloForm(request.POST, auto_id="slo_%s")
    if form.is_valid():
        with form.telling():
            slo = form.cleaned_data["slo"]
            impact.link(incident, slo, origin=SloLink.Origin.PERSON, by=request.actor, now=now)
            return redirect(incident)
    return _page(request, incident, now, slo=form)


def _page(
    request: SignedInRequest, incident: Incident, now: datetime, *, before: int | None = None, **sent: Form
) -> HttpResponse:
    """The page of an incident; `sent` is the form that came, to be shown again with what is wrong in it."""
    page = queries.page_of(incident, request.actor, now, before)
    context: dict[str, Any] = {"section": SECTION, "now": now, "incident": incident, "page": page}
    context["dismiss"] = steps.may_become(incident, Status.DISMISSED)
    context["merge"] = steps.may_become(incident, Status.MERGED) and page.may_manage
    if page.may_respond:
        own = request.user.discipline_id
        context["forms"] = {
            "note": NoteForm(auto_id="note_%s"),
            "status": StatusForm(auto_id="status_%s"),
            "severity": SeverityForm(auto_id="severity_%s", initial={"severity": incident.severity}),
            "role": RoleForm(auto_id="role_%s"),
            "responder": ResponderForm(auto_id="responder_%s"),
            "join": JoinForm(auto_id="join_%s", initial={"discipline": own}),
            "slo": SloForm(auto_id="slo_%s"),
            **sent,
        }
    status = max((form.http_status for form in sent.values()), default=200)
    return render(request, "incidents/detail.html", context, status=status)
