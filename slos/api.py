"""REST of SLOs, their samples and their budgets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common import etags, rest
from common.errors import Invalid
from common.filters import InstantField
from people.authentication import actor_of
from slos import definitions, filters, ledger
from slos import serializers as shapes
from slos.models import Slo


class Slos(rest.Resource[Slo]):
    serializer_class = shapes.SloOut
    filterset_class = filters.SloFilter
    queryset = Slo.objects.select_related("service", "model").order_by("name", "id")

    @extend_schema(responses=shapes.SloOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.SloIn, responses={201: shapes.SloOut})
    def post(self, request: Request) -> Response:
        slo = definitions.create(**self.taken(shapes.SloIn), by=actor_of(request), now=timezone.now())
        return etags.answer(request, self.get_serializer(slo).data, slo.version, status=201)


class OneSlo(rest.Resource[Slo]):
    serializer_class = shapes.SloOut
    queryset = Slo.objects.all()

    @extend_schema(responses=shapes.SloOut)
    def get(self, request: Request, slug: str) -> Response:
        slo = _slo(slug)
        return etags.answer(request, self.get_serializer(slo).data, slo.version)

    @extend_schema(request=shapes.SloChange, responses=shapes.SloOut)
    def patch(self, request: Request, slug: str) -> Response:
        slo = _slo(slug)
        changes = self.taken(shapes.SloChange)
        version = etags.expected(request, slo.version)
        with etags.moved_tells(lambda: self.get_serializer(_slo(slug)).data):
            definitions.change(slo, changes, by=actor_of(request), now=timezone.now(), version=version)
        return etags.answer(request, self.get_serializer(slo).data, slo.version)


class SloBudget(rest.Resource[Slo]):
    """How the error budget stands, now or at any moment. Without samples it is unknown: null, not 0."""

    serializer_class = shapes.BudgetOut
    queryset = Slo.objects.all()

    @extend_schema(
        parameters=[OpenApiParameter("at", OpenApiTypes.DATETIME, description="Now where it is not said.")],
        responses=shapes.BudgetOut,
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(self.get_serializer(ledger.budget(_slo(slug), _moment(request) or timezone.now())).data)


class SloSamples(rest.Resource[Slo]):
    """Good and valid events as they were counted. A later sample for the same start replaces the earlier one."""

    serializer_class = shapes.Stored
    queryset = Slo.objects.all()
    pagination_class = None

    @extend_schema(request=shapes.SampleIn(many=True), responses=shapes.Stored)
    def post(self, request: Request, slug: str) -> Response:
        slo = _slo(slug)
        rows: Any = request.data
        if not isinstance(rows, list):
            raise Invalid("Send a list of samples: [{start, seconds, good, valid}, ...].")
        stored, replaced = ledger.store(slo, rows, now=timezone.now())
        return Response(self.get_serializer({"stored": stored, "replaced": replaced}).data)


def _moment(request: Request) -> datetime | None:
    """What `?at=` says; None where it is not said."""
    try:
        return InstantField(required=False).to_python(request.query_params.get("at"))
    except ValidationError as exc:
        raise Invalid(exc.messages[0], errors=[("at", exc.messages[0])]) from exc


def _slo(slug: str) -> Slo:
    slos: QuerySet[Slo] = Slo.objects.select_related("service__team", "model")
    return get_object_or_404(slos, slug=slug)
