"""REST of postmortems, their sections, revisions and export, and of action items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers as drf
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from common import etags, problems, rest
from incidents.access import incident_for
from people.authentication import actor_of
from postmortems import access, assigning, drafting, editing, export, filters, items, publishing, queries
from postmortems import serializers as shapes
from postmortems.models import ActionItem, Postmortem, Revision, Section

_IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="The version that you have seen.")
_IF_MATCH_REQUIRED = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description="The section's version that you have seen."
)


class _Documents(rest.Resource[Postmortem]):
    serializer_class: type[drf.Serializer[Any]] = shapes.PostmortemOut
    queryset = Postmortem.objects.none()

    def whole(self, request: Request, number: int, *, status: int = 200) -> Response:
        """The document as it is now. Its version says nothing of the record below it, so nobody is told 304."""
        postmortem = access.postmortem_for(actor_of(request), number)
        document = queries.document(postmortem, timezone.now())
        data = shapes.PostmortemOut(document, context=self.get_serializer_context()).data
        return etags.answer(request, data, postmortem.version, status=status, is_whole=False)


class OfIncident(_Documents):
    """An incident's postmortem: begun where there is none."""

    @extend_schema(request=None, responses={200: shapes.PostmortemOut, 201: shapes.PostmortemOut})
    def post(self, request: Request, number: int) -> Response:
        actor = actor_of(request)
        _, created = drafting.draft(incident_for(actor, number), by=actor, now=timezone.now())
        return self.whole(request, number, status=201 if created else 200)


class Postmortems(rest.Resource[Postmortem]):
    serializer_class = shapes.PostmortemOutline
    filterset_class = filters.PostmortemFilter
    queryset = Postmortem.objects.none()

    def get_queryset(self) -> QuerySet[Postmortem]:
        return queries.listed(actor_of(self.request))

    @extend_schema(responses=shapes.PostmortemOutline(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None, "every list is paginated"
        outlines = queries.outlines(page, timezone.now())
        return self.get_paginated_response(self.get_serializer(outlines, many=True).data)


class OnePostmortem(_Documents):
    @extend_schema(responses=shapes.PostmortemOut)
    def get(self, request: Request, number: int) -> Response:
        return self.whole(request, number)

    @extend_schema(request=shapes.PostmortemChange, responses=shapes.PostmortemOut, parameters=[_IF_MATCH])
    def patch(self, request: Request, number: int) -> Response:
        actor = actor_of(request)
        postmortem = access.postmortem_for(actor, number)
        given = self.taken(shapes.PostmortemChange)
        version = etags.expected(request, postmortem.version)
        with etags.moved_tells(lambda: self.whole(request, number).data):
            assigning.assign(postmortem, given, by=actor, now=timezone.now(), version=version)
        return self.whole(request, number)


class PostmortemStatus(_Documents):
    """Bring the postmortem to a status. The one that it has already: nothing is written."""

    @extend_schema(request=shapes.PostmortemStatusIn, responses=shapes.PostmortemOut)
    def post(self, request: Request, number: int) -> Response:
        """Publishing needs every required gap closed: else 409, `gaps_remain`, with `gaps`."""
        actor = actor_of(request)
        postmortem = access.postmortem_for(actor, number)
        to = Postmortem.Status(self.taken(shapes.PostmortemStatusIn)["status"])
        publishing.move(postmortem, to, by=actor, now=timezone.now())
        return self.whole(request, number)


class OneSection(rest.Resource[Section]):
    serializer_class = shapes.SectionOut
    queryset = Section.objects.none()

    @extend_schema(responses=shapes.SectionOut)
    def get(self, request: Request, number: int, key: str) -> Response:
        section = access.section_for(actor_of(request), number, key)
        queries.document(section.postmortem, timezone.now())
        section.refresh_from_db()
        return etags.answer(request, self.get_serializer(section).data, section.version)

    @extend_schema(
        request=shapes.SectionChange,
        responses={
            200: shapes.SectionOut,
            (428, problems.CONTENT_TYPE): {"$ref": "#/components/schemas/Problem"},
        },
        parameters=[_IF_MATCH_REQUIRED],
    )
    def patch(self, request: Request, number: int, key: str) -> Response:
        actor = actor_of(request)
        section = access.section_for(actor, number, key)
        version = etags.required(request, section.version)
        markdown = self.taken(shapes.SectionChange)["markdown"]
        editing.edit_section(section, markdown, version=version, by=actor, now=timezone.now())
        return etags.answer(request, self.get_serializer(section).data, section.version)


class Revisions(rest.Resource[Revision]):
    """Every text that stood, and every text that lost a race; the newest first."""

    serializer_class = shapes.RevisionOut
    filterset_class = filters.RevisionFilter
    queryset = Revision.objects.none()

    def get_queryset(self) -> QuerySet[Revision]:
        return queries.revisions(access.postmortem_for(actor_of(self.request), self.kwargs["number"]))

    @extend_schema(responses=shapes.RevisionOut(many=True))
    def get(self, request: Request, number: int) -> Response:
        return self.listed(request)


class _AsItIs(BaseRenderer):
    """An export's own type; its text is made before."""

    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return str(data).encode()


class MarkdownRenderer(_AsItIs):
    media_type = "text/markdown"
    format = "md"


class HtmlRenderer(_AsItIs):
    media_type = "text/html"
    format = "html"


class _Export(rest.Resource[Postmortem]):
    queryset = Postmortem.objects.none()

    def document(self, request: Request, number: int) -> queries.Document:
        return queries.document(access.postmortem_for(actor_of(request), number), timezone.now())


class Export(_Export):
    renderer_classes: Sequence[type[BaseRenderer]] = (MarkdownRenderer,)

    @extend_schema(responses={(200, "text/markdown"): OpenApiTypes.STR})
    def get(self, request: Request, number: int) -> HttpResponse:
        """The whole document as Markdown, to keep."""
        return export.as_markdown(self.document(request, number), now=timezone.now())


class ExportHtml(_Export):
    renderer_classes: Sequence[type[BaseRenderer]] = (HtmlRenderer,)

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR})
    def get(self, request: Request, number: int) -> HttpResponse:
        """The whole document as one HTML file, to keep."""
        return export.as_html(self.document(request, number), now=timezone.now())


class ExportJson(_Export):
    @extend_schema(responses=shapes.PostmortemOut)
    def get(self, request: Request, number: int) -> HttpResponse:
        """The same as the postmortem itself, as a file to keep."""
        data = shapes.PostmortemOut(self.document(request, number), context=self.get_serializer_context()).data
        return export.as_json(number, data)


class ActionItems(rest.Resource[ActionItem]):
    serializer_class = shapes.ActionItemOut
    filterset_class = filters.ActionItemFilter
    queryset = ActionItem.objects.none()

    def get_queryset(self) -> QuerySet[ActionItem]:
        return queries.items_visible(actor_of(self.request)).order_by("-id")

    @extend_schema(responses=shapes.ActionItemOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.ActionItemIn, responses={201: shapes.ActionItemOut})
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        given = self.taken(shapes.ActionItemIn)
        number = given.pop("postmortem")
        postmortem = queries.visible(actor).filter(incident__number=number).first()
        if postmortem is None:
            raise drf.ValidationError({"postmortem": [f"There is no postmortem {number} that you can see."]})
        item = items.create(postmortem, **given, by=actor, now=timezone.now())
        return etags.answer(request, self.get_serializer(item).data, item.version, status=201)


class OneActionItem(rest.Resource[ActionItem]):
    serializer_class = shapes.ActionItemOut
    queryset = ActionItem.objects.none()

    @extend_schema(responses=shapes.ActionItemOut)
    def get(self, request: Request, pk: int) -> Response:
        item = access.action_item_for(actor_of(request), pk)
        return etags.answer(request, self.get_serializer(item).data, item.version)

    @extend_schema(request=shapes.ActionItemChange, responses=shapes.ActionItemOut, parameters=[_IF_MATCH])
    def patch(self, request: Request, pk: int) -> Response:
        actor = actor_of(request)
        item = access.action_item_for(actor, pk)
        given = self.taken(shapes.ActionItemChange)
        version = etags.expected(request, item.version)
        with etags.moved_tells(lambda: self.get_serializer(access.action_item_for(actor, pk)).data):
            items.change(item, given, by=actor, now=timezone.now(), version=version)
        item = access.action_item_for(actor, pk)
        return etags.answer(request, self.get_serializer(item).data, item.version)
