"""REST of incidents, their status, timeline and responders."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common import etags, rest
from common.errors import Invalid, VersionMoved
from incidents import fields, filters, lifecycle, marking, overview, responding
from incidents import serializers as shapes
from incidents.access import incident_for
from incidents.models import Entry, Incident, Responder
from people.actors import Actor
from people.authentication import actor_of


class Incidents(rest.Resource[Incident]):
    serializer_class = shapes.IncidentOut
    filterset_class = filters.IncidentFilter
    queryset = Incident.objects.none()

    def get_queryset(self) -> QuerySet[Incident]:
        return overview.rows().for_actor(actor_of(self.request)).order_by(*filters.ORDERS["-opened"])

    @extend_schema(responses=shapes.IncidentOut(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        shown = overview.of(page or [], now=timezone.now())
        return self.get_paginated_response(self.get_serializer(shown, many=True).data)

    @extend_schema(request=shapes.IncidentIn, responses={201: shapes.IncidentOut})
    def post(self, request: Request) -> Response:
        given = shapes.own_names(self.taken(shapes.IncidentIn))
        incident = lifecycle.declare(given.pop("title"), by=actor_of(request), now=timezone.now(), **given)
        return _answer(self, request, incident, status=201)


class OneIncident(rest.Resource[Incident]):
    serializer_class = shapes.IncidentOut
    queryset = Incident.objects.none()

    @extend_schema(responses=shapes.IncidentOut)
    def get(self, request: Request, number: int) -> Response:
        return _answer(self, request, incident_for(actor_of(request), number))

    @extend_schema(request=shapes.IncidentChange, responses=shapes.IncidentOut)
    def patch(self, request: Request, number: int) -> Response:
        incident = incident_for(actor_of(request), number)
        given = shapes.own_names(self.taken(shapes.IncidentChange))
        if given.get("summary", "") is None:
            given["summary"] = ""
        reason = given.pop("reason", "")
        with etags.moved_tells(lambda: _shown(self, incident)):
            fields.change(
                incident,
                given,
                by=actor_of(request),
                now=timezone.now(),
                reason=reason,
                version=etags.expected(request, incident.version),
            )
        return _answer(self, request, incident)


class IncidentStatus(rest.Resource[Incident]):
    """Bring the incident to a status. The one that it has already: nothing is written."""

    serializer_class = shapes.IncidentOut
    queryset = Incident.objects.none()

    @extend_schema(request=shapes.StatusIn, responses=shapes.IncidentOut)
    def post(self, request: Request, number: int) -> Response:
        actor = actor_of(request)
        incident = incident_for(actor, number)
        given = self.taken(shapes.StatusIn)
        with etags.moved_tells(lambda: _shown(self, incident)), transaction.atomic():
            _unless_moved(request, incident)
            lifecycle.move(
                incident,
                Incident.Status(given["status"]),
                by=actor,
                now=timezone.now(),
                note=given.get("note", ""),
                reason=given.get("reason", ""),
                merged_into=_merge_target(actor, given.get("merged_into")),
            )
        return _answer(self, request, incident)


class Timeline(rest.Resource[Entry]):
    serializer_class = shapes.EntryOut
    filterset_class = filters.EntryFilter
    queryset = Entry.objects.none()

    def get_queryset(self) -> QuerySet[Entry]:
        incident = incident_for(actor_of(self.request), self.kwargs["number"])
        return Entry.objects.filter(incident=incident).order_by("seq")

    @extend_schema(responses=shapes.EntryOut(many=True))
    def get(self, request: Request, number: int) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.EntryIn, responses={201: shapes.EntryOut, 200: shapes.EntryOut})
    def post(self, request: Request, number: int) -> Response:
        """201 for an entry that is new, 200 with the one that was written under the same key before."""
        actor = actor_of(request)
        incident = incident_for(actor, number)
        given = self.taken(shapes.EntryIn)
        entry, is_new = responding.speak(
            incident,
            Entry.Kind(given["kind"]),
            given["text"],
            by=actor,
            now=timezone.now(),
            at=given.get("at"),
            key=given.get("key") or "",
            amends=given.get("amends"),
        )
        return Response(self.get_serializer(entry).data, status=201 if is_new else 200)


class MarkEntry(rest.Resource[Entry]):
    """Put a star on an entry, for the postmortem, or take it away. Harmless where it is so already."""

    serializer_class = shapes.EntryOut
    queryset = Entry.objects.none()

    @extend_schema(request=shapes.MarkIn, responses=shapes.EntryOut)
    def post(self, request: Request, number: int, seq: int) -> Response:
        actor = actor_of(request)
        incident = incident_for(actor, number)
        entry = get_object_or_404(incident.entries.exclude(kind=Entry.Kind.MARKED), seq=min(seq, 2**31 - 1))
        is_marked = self.taken(shapes.MarkIn)["marked"]
        marking.mark(incident, entry.seq, by=actor, now=timezone.now(), is_marked=is_marked)
        return Response(self.get_serializer(entry).data)


class Responders(rest.Resource[Responder]):
    serializer_class = shapes.ResponderOut
    queryset = Responder.objects.none()

    @extend_schema(responses=shapes.ResponderOut(many=True))
    def get(self, request: Request, number: int) -> Response:
        incident = incident_for(actor_of(request), number)
        page = self.paginate_queryset(_responders(incident).order_by("id"))
        context = {**self.get_serializer_context(), "roles": _roles(incident)}
        return self.get_paginated_response(shapes.ResponderOut(page, many=True, context=context).data)

    @extend_schema(request=shapes.ResponderIn, responses={201: shapes.ResponderOut, 200: shapes.ResponderOut})
    def post(self, request: Request, number: int) -> Response:
        """Ask somebody, or join oneself; with a role, they hold it from now on. 200 for who was asked or in already."""
        actor = actor_of(request)
        incident = incident_for(actor, number)
        given = self.taken(shapes.ResponderIn)
        user, now = given["user"], timezone.now()
        with transaction.atomic():
            known = incident.responders.filter(user=user).exclude(state=Responder.State.LEFT).exists()
            discipline, role = given.get("discipline"), given.get("role")
            if user == actor.user:
                responding.join(incident, user, now=now, discipline=discipline)
            elif role is None:
                responding.ask(incident, user, by=actor, now=now, discipline=discipline)
            if role is not None:
                responding.assign_role(incident, role, user, by=actor, now=now, discipline=discipline)
            responder = _responders(incident).get(user=user)
        return Response(_told(self, incident, responder), status=200 if known else 201)


class LeaveIncident(rest.Resource[Responder]):
    """Go, or be sent home; roles end with it. Harmless for who has gone."""

    serializer_class = shapes.ResponderOut
    queryset = Responder.objects.none()

    @extend_schema(request=None, responses=shapes.ResponderOut)
    def post(self, request: Request, number: int, pk: int) -> Response:
        actor = actor_of(request)
        incident = incident_for(actor, number)
        responder = get_object_or_404(_responders(incident), pk=pk)
        responding.leave(responder, by=actor, now=timezone.now())
        return Response(_told(self, incident, responder))


def _answer(view: rest.Resource[Incident], request: Request, incident: Incident, *, status: int = 200) -> Response:
    found = overview.of_one(incident, now=timezone.now())
    incident = found.incident
    # Entries, alerts and budgets do not move the version, so it tells all only as long as nothing came after it.
    is_whole = not found.impacts and (incident.last_entry_at or incident.updated_at) <= incident.updated_at
    return etags.answer(request, view.get_serializer(found).data, incident.version, status=status, is_whole=is_whole)


def _shown(view: rest.Resource[Incident], incident: Incident) -> Any:
    return view.get_serializer(overview.of_one(incident, now=timezone.now())).data


def _unless_moved(request: Request, incident: Incident) -> None:
    """Raise VersionMoved unless the version is the one of If-Match. Holds the row's lock until the transaction ends."""
    incident.version = Incident.objects.select_for_update().values_list("version", flat=True).get(pk=incident.pk)
    version = etags.expected(request, incident.version)
    if version is not None and version != incident.version:
        raise VersionMoved(f"{incident} was changed by somebody else.")


def _merge_target(actor: Actor, number: int | None) -> Incident | None:
    if number is None:
        return None
    try:
        return incident_for(actor, number)
    except Http404 as exc:
        raise Invalid("There is no such incident.", errors=[("merged_into", "No incident that you can see.")]) from exc


def _responders(incident: Incident) -> QuerySet[Responder]:
    return Responder.objects.filter(incident=incident).select_related("user", "discipline", "incident")


def _roles(incident: Incident) -> dict[int, str]:
    """User id -> the first of the roles that they hold."""
    held = incident.role_assignments.filter(ended_at=None).order_by("-role__position", "-since")
    return dict(held.values_list("user_id", "role__slug"))


def _told(view: rest.Resource[Responder], incident: Incident, responder: Responder) -> Any:
    responder = _responders(incident).get(pk=responder.pk)
    context = {**view.get_serializer_context(), "roles": _roles(incident)}
    return shapes.ResponderOut(responder, context=context).data
