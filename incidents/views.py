"""The pages of incidents: the list, the page of one, and every form on it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from common import language, undo
from common.errors import Invalid
from common.forms import Form
from incidents import (
    fields,
    impact,
    lifecycle,
    listing,
    marking,
    narrowing,
    queries,
    reading,
    responding,
    steps,
)
from incidents import page as pages
from incidents.access import incident_for
from incidents.forms import (
    AskForm,
    DeclareForm,
    EditForm,
    JoinForm,
    MarkForm,
    MomentsForm,
    NoteForm,
    ResolveForm,
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
    tab = listing.tab_of(request.GET)
    wanted = listing.asked(tab, request.GET)
    page = listing.page(request.actor, wanted, request.GET.get("cursor"), now)
    may_respond = access.can(request.actor, access.Act.RESPOND)
    context = {
        "section": SECTION,
        "now": now,
        "tab": tab,
        "asked": wanted,
        "page": page,
        "tabs": narrowing.tabs(wanted, page.counts),
        "chips": narrowing.chips(wanted, page.counts),
        "facets": narrowing.menu(wanted, page.counts),
        "sentence": narrowing.sentence(wanted, page.counts),
        "live_version": page.version,
        "acts": page.has_waiting and may_respond,
        "picks": bool(page.rows) and may_respond,
    }
    return render(request, "incidents/list.html", context)


def incident_new(request: SignedInRequest) -> HttpResponse:
    form = DeclareForm(request.POST or None)
    if form.is_valid():
        with form.telling():
            incident = lifecycle.declare(**form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, _("%(incident)s is declared, and you are in it.") % {"incident": incident})
            return redirect(incident)
    return render(request, "incidents/new.html", {"section": SECTION, "form": form}, status=form.http_status)


def incident_detail(request: SignedInRequest, number: int) -> HttpResponse:
    return _page(request, incident_for(request.actor, number), timezone.now())


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
        done = _("%(incident)s is yours.") % {"incident": incident}
        url, back = reverse("incident-status", args=[incident.number]), {"status": Status.TRIGGERED.value}
        undo.offer(request, done, url=url, fields=back)
    return redirect(incident)


@require_POST
def incident_confirm(request: SignedInRequest, number: int) -> HttpResponse:
    """A candidate counts from now on."""
    incident = incident_for(request.actor, number)
    if fields.change(incident, {"is_candidate": False}, by=request.actor, now=timezone.now()):
        messages.success(request, _("%(incident)s is confirmed.") % {"incident": incident})
    return redirect(incident)


@require_POST
def incident_status(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    incident = incident_for(request.actor, number)
    before = Status(incident.status)
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
            _tell_moved(request, incident, to, moved=moved, before=before)
            return redirect(incident)
    return _page(request, incident_for(request.actor, number), now, status=form)


def incident_resolve(request: SignedInRequest, number: int) -> HttpResponse:
    """Asks when the impact ended, and says what still fires and whether a postmortem is due."""
    now = timezone.now()
    incident = incident_for(request.actor, number)
    before = Status(incident.status)
    form = ResolveForm(request.POST or None, incident=incident, now=now)
    if request.method == "POST" and form.is_valid():
        with form.telling():
            moved = lifecycle.move(incident, Status.RESOLVED, by=request.actor, now=now, **form.cleaned_data)
            _tell_moved(request, incident, Status.RESOLVED, moved=moved, before=before)
            return redirect(incident)
    context = {"section": SECTION, "now": now, "incident": incident_for(request.actor, number), "form": form}
    context |= {"firing": queries.firing(incident), "can": steps.may_become(incident, Status.RESOLVED)}
    context["due"] = pages.postmortem_is_due(incident, impact.postmortem_required(impact.impacts(incident, now)))
    return render(request, "incidents/resolve.html", context, status=form.http_status)


def _tell_moved(request: SignedInRequest, incident: Incident, to: Status, *, moved: bool, before: Status) -> None:
    """What was done, with the way back where there is one."""
    about = {"incident": incident, "status": language.within_a_sentence(to.label)}
    if not moved:
        messages.info(request, _("%(incident)s was already %(status)s.") % about)
        return
    done = _("%(incident)s is %(status)s.") % about
    url = reverse("incident-status", args=[incident.number])
    if before in (Status.DISMISSED, Status.MERGED):
        messages.success(request, done)
    elif before in lifecycle.MOVES[to]:
        undo.offer(request, done, url=url, fields={"status": before.value})
    else:
        opened = lifecycle.MOVES[to][0]  # what was mitigated does not become so again: work on it goes on
        undo.offer(request, done, url=url, act=_("Reopen"), fields={"status": opened.value})
    if to == Status.RESOLVED and (firing := queries.firing(incident)):
        still = ngettext("%(count)s alert of it still fires.", "%(count)s alerts of it still fire.", firing)
        messages.warning(request, still % {"count": firing})


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
        before = incident.severity
        with form.telling():
            if fields.change(incident, form.cleaned_data, by=request.actor, now=now):
                done = _("It is %(severity)s now.") % {"severity": incident.get_severity_display()}
                url = reverse("incident-severity", args=[incident.number])
                undo.offer(request, done, url=url, fields={"severity": before})
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
            text, amends = form.cleaned_data["text"], form.cleaned_data["amends"]
            responding.speak(incident, kind, text, by=request.actor, now=now, amends=amends)
            return redirect(
                incident if amends is None else f"{incident.get_absolute_url()}?entry={amends}#entry-{amends}"
            )
    return _page(request, incident, now, note=form)


@require_POST
def incident_mark(request: SignedInRequest, number: int) -> HttpResponse:
    """The star of an entry: what the postmortem should not miss."""
    incident = incident_for(request.actor, number)
    form = MarkForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Which entry?"))
    seq, is_marked = form.cleaned_data["seq"], form.cleaned_data["marked"]
    marking.mark(incident, seq, by=request.actor, now=timezone.now(), is_marked=is_marked)
    return redirect(_at(incident, seq))


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
    form = AskForm(request.POST, auto_id="ask_%s")
    if form.is_valid():
        with form.telling():
            user, role, discipline = (form.cleaned_data[name] for name in ("user", "role", "discipline"))
            if role is not None:
                responding.assign_role(incident, role, user, by=request.actor, now=now, discipline=discipline)
            else:
                responding.ask(incident, user, by=request.actor, now=now, discipline=discipline)
            messages.success(request, _("%(name)s is asked to come.") % {"name": user.name})
            return redirect(f"{incident.get_absolute_url()}#people")
    return _page(request, incident_for(request.actor, number), now, ask=form)


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


def _page(request: SignedInRequest, incident: Incident, now: datetime, **sent: Form) -> HttpResponse:
    """The page of an incident, with what its address asks for; `sent` is the form that came, to be shown again with
    what is wrong in it."""
    show = request.GET.get("show", "")
    page = pages.page_of(
        incident,
        request.actor,
        now,
        show=show if show in reading.SHOWS else "all",
        before=_seq(request, "before"),
        around=_seq(request, "entry"),
    )
    context: dict[str, Any] = {"section": SECTION, "now": now, "incident": incident, "page": page}
    context |= {"shows": reading.SHOWS, "today": timezone.localdate()}
    context["dismiss"] = steps.may_become(incident, Status.DISMISSED)
    context["merge"] = steps.may_become(incident, Status.MERGED) and page.may_manage
    context["due"] = pages.postmortem_is_due(incident, page.postmortem_required)
    if page.may_respond:
        context["forms"] = {
            "status": StatusForm(auto_id="status_%s"),
            "severity": SeverityForm(auto_id="severity_%s", initial={"severity": incident.severity}),
            "join": JoinForm(auto_id="join_%s", initial={"discipline": request.user.discipline_id}),
            **_opened(request, incident),
            **sent,
        }
        context["forms"].setdefault("note", NoteForm(auto_id="note_%s"))
    status = max((form.http_status for form in sent.values()), default=200)
    return render(request, "incidents/detail.html", context, status=status)


def _opened(request: SignedInRequest, incident: Incident) -> dict[str, Form]:
    """The forms that the address asks to be open: they hold lists of what there is, which few visits need."""
    opened: dict[str, Form] = {}
    if "ask" in request.GET:
        opened["ask"] = AskForm(auto_id="ask_%s", initial={"role": request.GET["ask"]})
    if "link" in request.GET:
        opened["slo"] = SloForm(auto_id="slo_%s")
    seq = _seq(request, "amend")
    amended = incident.entries.filter(seq=seq, kind__in=Entry.WRITTEN).first() if seq else None
    if amended is not None:
        last = incident.entries.filter(amends=amended.seq, kind__in=Entry.WRITTEN).order_by("seq").last() or amended
        said = {"text": last.text, "kind": last.kind, "amends": amended.seq}
        opened["note"] = NoteForm(auto_id="note_%s", initial=said)
    return opened


def _at(incident: Incident, seq: int) -> str:
    """Where an entry stands: on the page itself, or on one of older entries."""
    older = f"?entry={seq}" if seq <= incident.last_seq - reading.ENTRIES else ""
    return f"{incident.get_absolute_url()}{older}#entry-{seq}"


def _seq(request: SignedInRequest, name: str) -> int | None:
    """A number of an entry that the address names; what is none counts as not said."""
    given = request.GET.get(name, "")
    return int(given[:9]) if given.isascii() and given.isdigit() else None
