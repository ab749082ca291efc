"""Pages of postmortems: the list, reading, editing a section, its revisions, the download; and of action items."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common import keyset, language, markdown
from common.errors import Invalid, VersionMoved
from incidents.access import incident_for
from people import access as rights
from people.actors import SignedInRequest
from postmortems import (
    access,
    assigning,
    comparing,
    drafting,
    editing,
    export,
    forms,
    items,
    publishing,
    queries,
    reading,
    steps,
)
from postmortems.filters import ActionItemFilter, PostmortemFilter, RevisionFilter
from postmortems.models import ActionItem, Postmortem, Revision, Section
from postmortems.serializers import PostmortemOut

SECTION = "postmortems"
ITEMS = "action-items"
REVISIONS = 15

_UNFINISHED = (ActionItem.Status.OPEN, ActionItem.Status.IN_PROGRESS)


@require_POST
def incident_postmortem(request: SignedInRequest, number: int) -> HttpResponse:
    """Begin an incident's postmortem, or go to the one that there is."""
    incident = incident_for(request.actor, number)
    postmortem, created = drafting.draft(incident, by=request.actor, now=timezone.now())
    if created:
        messages.success(
            request, _("The postmortem is drafted from the record. What only people know is listed as gaps.")
        )
    return redirect(postmortem)


def postmortem_list(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    found = PostmortemFilter(request.GET, queryset=queries.listed(request.actor)).qs
    page = keyset.page(found, ("-id",), request.GET.get("cursor"))
    context = {
        "section": SECTION,
        "now": now,
        "page": page,
        "documents": queries.outlines(page.rows, now),
        "form": forms.PostmortemFilter(request.GET),
        "is_filtered": bool(request.GET.get("q") or request.GET.get("status")),
    }
    return render(request, "postmortems/list.html", context)


def postmortem_detail(request: SignedInRequest, number: int) -> HttpResponse:
    now = timezone.now()
    postmortem = access.postmortem_for(request.actor, number)
    document = queries.document(postmortem, now)
    context = {
        "section": SECTION,
        "now": now,
        "document": document,
        "postmortem": document.postmortem,
        "incident": document.record.incident,
        "reading": reading.read(document),
        "way": steps.way(document.postmortem),
        "moves": steps.moves(document.postmortem, request.actor),
        "reviewers": list(document.postmortem.reviewers.all()),
        "is_reading": "read" in request.GET,
        "today": timezone.localdate(),
        "unfinished": _UNFINISHED,
    }
    return render(request, "postmortems/detail.html", context)


@require_POST
def postmortem_status(request: SignedInRequest, number: int) -> HttpResponse:
    postmortem = access.postmortem_for(request.actor, number)
    form = forms.MoveForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Which status?"))
    to = Postmortem.Status(form.cleaned_data["status"])
    try:
        publishing.move(postmortem, to, by=request.actor, now=timezone.now())
    except publishing.GapsRemain as refusal:
        messages.error(request, refusal.message)
        return redirect(f"{postmortem.get_absolute_url()}#missing")
    messages.success(request, _("The postmortem is %(status)s.") % {"status": language.within_a_sentence(to.label)})
    return redirect(postmortem)


def postmortem_assign(request: SignedInRequest, number: int) -> HttpResponse:
    postmortem = access.postmortem_for(request.actor, number)
    form = forms.AssignForm(request.POST or None, postmortem=postmortem)
    if form.is_valid():
        with form.telling():
            changes = dict(form.cleaned_data)
            version = changes.pop("version")
            assigning.assign(postmortem, changes, by=request.actor, now=timezone.now(), version=version)
            return redirect(postmortem)
    context = {"section": SECTION, "form": form, "postmortem": postmortem, "incident": postmortem.incident}
    return render(request, "postmortems/assign.html", context, status=form.http_status)


@require_POST
def postmortem_preview(request: SignedInRequest, number: int) -> HttpResponse:
    """What a text will look like; nothing is kept of it."""
    access.postmortem_for(request.actor, number)
    form = forms.SectionForm(request.POST)
    text = form.cleaned_data["markdown"] if form.is_valid() else ""
    return HttpResponse(markdown.render(text))


def postmortem_section(request: SignedInRequest, number: int, key: str) -> HttpResponse:
    """The editor. Where somebody else was faster, both texts stand side by side, and nothing is lost."""
    now = timezone.now()
    section = access.section_for(request.actor, number, key)
    if request.method != "POST":
        queries.document(section.postmortem, now)  # what nobody has touched is drawn anew
        section.refresh_from_db()
        return _editor(request, section, forms.SectionForm(initial={"markdown": section.markdown}))
    form = forms.SectionForm(request.POST)
    if not form.is_valid():
        return _editor(request, section, form, version=form.cleaned_data.get("version"))
    text, version = form.cleaned_data["markdown"], form.cleaned_data["version"] or 0
    if "preview" in request.POST:
        return _editor(request, section, form, version=version, preview=markdown.render(text))
    with form.telling():
        editing.edit_section(section, text, version=version, by=request.actor, now=now)
    if "autosave" in request.POST:
        return _autosaved(section, form, now)
    if form.is_valid():
        messages.success(request, _("%(section)s is saved.") % {"section": section.heading})
        return redirect(f"{section.postmortem.get_absolute_url()}#{section.key}")
    if form.http_status == VersionMoved.status:
        standing = section.revisions.filter(is_conflict=False).first()
        return _editor(request, section, form, conflict=standing)
    return _editor(request, section, form, version=version)


def _autosaved(section: Section, form: forms.SectionForm, now: datetime) -> JsonResponse:
    """For the editor's script: the version that its next text is written upon, or that somebody else was faster."""
    if form.is_valid():
        return JsonResponse({"version": section.version, "saved_at": now})
    return JsonResponse({"errors": [str(error) for error in form.non_field_errors()]}, status=form.http_status)


def _editor(
    request: SignedInRequest,
    section: Section,
    form: forms.SectionForm,
    *,
    version: int | None = None,
    preview: str = "",
    conflict: Revision | None = None,
) -> HttpResponse:
    """`version` is what the text was begun upon, where that is not the one that stands."""
    context = {
        "section": SECTION,
        "part": section,
        "postmortem": section.postmortem,
        "incident": section.postmortem.incident,
        "question": reading.question(section.key),
        "form": form,
        "version": section.version if version is None else version,
        "preview": preview,
        "conflict": conflict,
        "differences": comparing.lines(section.markdown, str(form["markdown"].value() or "")) if conflict else [],
        "now": timezone.now(),
    }
    return render(request, "postmortems/section.html", context, status=form.http_status)


def postmortem_revisions(request: SignedInRequest, number: int) -> HttpResponse:
    postmortem = access.postmortem_for(request.actor, number)
    found = RevisionFilter(request.GET, queryset=queries.revisions(postmortem)).qs
    page = keyset.page(found, ("-id",), request.GET.get("cursor"), size=REVISIONS)
    changes = queries.changes(page.rows)
    context = {
        "section": SECTION,
        "now": timezone.now(),
        "postmortem": postmortem,
        "incident": postmortem.incident,
        "sections": postmortem.sections.defer("markdown", "html"),
        "asked": request.GET.get("section", ""),
        "page": page,
        "revisions": [(revision, changes[revision.pk]) for revision in page.rows],
    }
    return render(request, "postmortems/revisions.html", context)


def postmortem_export_md(request: SignedInRequest, number: int) -> HttpResponse:
    with language.of_what_is_kept():
        return export.as_markdown(_document(request, number), now=timezone.now())


def postmortem_export_html(request: SignedInRequest, number: int) -> HttpResponse:
    with language.of_what_is_kept():
        return export.as_html(_document(request, number), now=timezone.now())


def postmortem_export_json(request: SignedInRequest, number: int) -> HttpResponse:
    with language.of_what_is_kept():
        return export.as_json(number, PostmortemOut(_document(request, number), context={"request": request}).data)


def _document(request: SignedInRequest, number: int) -> queries.Document:
    return queries.document(access.postmortem_for(request.actor, number), timezone.now())


def action_item_list(request: SignedInRequest) -> HttpResponse:
    tab = request.GET.get("tab", "open")
    tabs = _tabs(request)
    if tab not in tabs:
        raise Http404(_("There is no such tab."))
    found = ActionItemFilter(request.GET, queryset=tabs[tab]).qs
    context = {
        "section": ITEMS,
        "tab": tab,
        "counts": {name: tabs[name].count() for name in ("mine", "open", "overdue")},
        "page": keyset.page(found, ("priority", "id"), request.GET.get("cursor")),
        "q": request.GET.get("q", ""),
        "today": timezone.localdate(),
        "unfinished": _UNFINISHED,
    }
    return render(request, "postmortems/items.html", context)


def items_of_tab(request: SignedInRequest) -> QuerySet[ActionItem]:
    """Those of the tab that the address names. Http404 where there is no such tab."""
    found = _tabs(request).get(request.GET.get("tab", "open"))
    if found is None:
        raise Http404(_("There is no such tab."))
    return found


def _tabs(request: SignedInRequest) -> dict[str, QuerySet[ActionItem]]:
    everything = queries.items_visible(request.actor)
    unfinished = everything.filter(status__in=_UNFINISHED)
    return {
        "mine": unfinished.filter(owner=request.user),
        "open": unfinished,
        "overdue": unfinished.filter(due_on__lt=timezone.localdate()),
        "all": everything,
    }


def action_item_new(request: SignedInRequest) -> HttpResponse:
    number = request.GET.get("postmortem", "")
    if not (number.isascii() and number.isdigit()):
        messages.info(request, _("An action item follows from a postmortem: choose which."))
        return redirect("postmortem-list")
    postmortem = access.postmortem_for(request.actor, int(number[:10]))
    form = forms.ItemForm(request.POST or None, initial={"team": postmortem.incident.team_id})
    if form.is_valid():
        with form.telling():
            item = items.create(postmortem, **form.cleaned_data, by=request.actor, now=timezone.now())
            messages.success(request, _("“%(item)s” is written down.") % {"item": item})
            return redirect(f"{postmortem.get_absolute_url()}#action_items")
    context = {"section": ITEMS, "form": form, "postmortem": postmortem, "may_change": True}
    return render(request, "postmortems/item.html", context, status=form.http_status)


def action_item_edit(request: SignedInRequest, pk: int) -> HttpResponse:
    item = access.action_item_for(request.actor, pk)
    postmortem = item.postmortem
    team = item.team or postmortem.incident.team
    form = forms.ItemChangeForm(request.POST or None, item=item)
    if form.is_valid():
        with form.telling():
            changes, version = form.changes()
            if items.change(item, changes, by=request.actor, now=timezone.now(), version=version):
                messages.success(request, _("“%(item)s” is changed.") % {"item": item})
            return redirect(f"{postmortem.get_absolute_url()}#action_items")
    context = {
        "section": ITEMS,
        "form": form,
        "postmortem": postmortem,
        "item": item,
        "may_change": items.is_own(item, request.user) or rights.can(request.actor, rights.Act.MANAGE, team),
    }
    return render(request, "postmortems/item.html", context, status=form.http_status)
