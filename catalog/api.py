"""REST of services and models."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import filters, inventory
from catalog import serializers as shapes
from catalog.models import Model, Service
from common import etags, rest
from people.authentication import actor_of


class Services(rest.Resource[Service]):
    serializer_class = shapes.ServiceOut
    filterset_class = filters.ServiceFilter

    def get_queryset(self) -> QuerySet[Service]:
        return _services().order_by("name", "id")

    @extend_schema(responses=shapes.ServiceOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.ServiceIn, responses={201: shapes.ServiceOut})
    def post(self, request: Request) -> Response:
        service = inventory.add_service(**self.taken(shapes.ServiceIn), by=actor_of(request), now=timezone.now())
        return etags.answer(request, self.get_serializer(service).data, service.version, status=201)


class OneService(rest.Resource[Service]):
    serializer_class = shapes.ServiceOut
    queryset = Service.objects.all()

    @extend_schema(responses=shapes.ServiceOut)
    def get(self, request: Request, slug: str) -> Response:
        service = get_object_or_404(_services(), slug=slug)
        return etags.answer(request, self.get_serializer(service).data, service.version)

    @extend_schema(request=shapes.ServiceChange, responses=shapes.ServiceOut)
    def patch(self, request: Request, slug: str) -> Response:
        service = get_object_or_404(Service, slug=slug)
        given = self.taken(shapes.ServiceChange)
        version = etags.expected(request, service.version)
        with etags.moved_tells(lambda: self.get_serializer(service).data):
            inventory.change(service, given, by=actor_of(request), now=timezone.now(), version=version)
        return etags.answer(request, self.get_serializer(service).data, service.version)


class Models(rest.Resource[Model]):
    serializer_class = shapes.ModelOut
    filterset_class = filters.ModelFilter

    def get_queryset(self) -> QuerySet[Model]:
        return Model.objects.select_related("service", "team").order_by("name", "id")

    @extend_schema(responses=shapes.ModelOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.ModelIn, responses={201: shapes.ModelOut})
    def post(self, request: Request) -> Response:
        model = inventory.add_model(**self.taken(shapes.ModelIn), by=actor_of(request), now=timezone.now())
        return etags.answer(request, self.get_serializer(model).data, model.version, status=201)


class OneModel(rest.Resource[Model]):
    serializer_class = shapes.ModelOut
    queryset = Model.objects.all()

    @extend_schema(responses=shapes.ModelOut)
    def get(self, request: Request, slug: str) -> Response:
        model = get_object_or_404(Model.objects.select_related("service", "team"), slug=slug)
        return etags.answer(request, self.get_serializer(model).data, model.version)

    @extend_schema(request=shapes.ModelChange, responses=shapes.ModelOut)
    def patch(self, request: Request, slug: str) -> Response:
        model = get_object_or_404(Model, slug=slug)
        given = self.taken(shapes.ModelChange)
        version = etags.expected(request, model.version)
        with etags.moved_tells(lambda: self.get_serializer(model).data):
            inventory.change(model, given, by=actor_of(request), now=timezone.now(), version=version)
        return etags.answer(request, self.get_serializer(model).data, model.version)


def _services() -> QuerySet[Service]:
    return Service.objects.select_related("team").prefetch_related("depends_on")
