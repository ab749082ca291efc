"""REST of alerts, the integrations that send them, and what they delivered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import orjson
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import filters, integrations, queries, replay, routes, testing, trial
from alerts import serializers as shapes
from alerts.models import Alert, Delivery, Heartbeat, Integration
from common import etags, rest
from incidents.access import incident_for
from people.authentication import actor_of


class Alerts(rest.Resource[Alert]):
    serializer_class = shapes.AlertOut
    filterset_class = filters.AlertFilter
    queryset = Alert.objects.none()

    def get_queryset(self) -> QuerySet[Alert]:
        return queries.alerts(actor_of(self.request)).order_by("-starts_at", "-id")

    @extend_schema(responses=shapes.AlertOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)


class IncidentAlerts(rest.Resource[Alert]):
    serializer_class = shapes.AlertOut
    filterset_class = filters.AlertFilter
    queryset = Alert.objects.none()

    def get_queryset(self) -> QuerySet[Alert]:
        actor = actor_of(self.request)
        incident = incident_for(actor, self.kwargs["number"])
        return queries.alerts(actor).filter(incident=incident).order_by("-starts_at", "-id")

    @extend_schema(responses=shapes.AlertOut(many=True))
    def get(self, request: Request, number: int) -> Response:
        return self.listed(request)


class Integrations(rest.Resource[Integration]):
    serializer_class = shapes.IntegrationOut
    queryset = Integration.objects.select_related("team").order_by("name", "id")

    @extend_schema(responses=shapes.IntegrationOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.IntegrationIn, responses={201: shapes.IntegrationIssued})
    def post(self, request: Request) -> Response:
        given = self.taken(shapes.IntegrationIn)
        integration, token = integrations.create(**given, by=actor_of(request), now=timezone.now())
        return etags.answer(request, _issued(self, integration, token), integration.version, status=201)


class OneIntegration(rest.Resource[Integration]):
    serializer_class = shapes.IntegrationOut
    queryset = Integration.objects.all()

    @extend_schema(responses=shapes.IntegrationOut)
    def get(self, request: Request, slug: str) -> Response:
        integration = _integration(slug)
        return etags.answer(request, self.get_serializer(integration).data, integration.version)

    @extend_schema(request=shapes.IntegrationChange, responses=shapes.IntegrationOut)
    def patch(self, request: Request, slug: str) -> Response:
        integration = _integration(slug)
        given = self.taken(shapes.IntegrationChange)
        version = etags.expected(request, integration.version)
        with etags.moved_tells(lambda: self.get_serializer(integration).data):
            integrations.change(integration, given, by=actor_of(request), now=timezone.now(), version=version)
        return etags.answer(request, self.get_serializer(integration).data, integration.version)


class RotateIntegration(rest.Resource[Integration]):
    """A new token, this once; the old one stops within five seconds, or goes on for as long as it is asked to."""

    serializer_class = shapes.IntegrationIssued
    queryset = Integration.objects.all()

    @extend_schema(request=shapes.IntegrationRotate, responses=shapes.IntegrationIssued)
    def post(self, request: Request, slug: str) -> Response:
        integration = _integration(slug)
        grace = timedelta(seconds=self.taken(shapes.IntegrationRotate).get("keep_old_for", 0))
        token = integrations.rotate(integration, by=actor_of(request), now=timezone.now(), keep_old_for=grace)
        return etags.answer(request, _issued(self, integration, token), integration.version)


class TestIntegration(rest.Resource[Integration]):
    """A test alert, which is taken in as any other; its incident is a drill."""

    serializer_class = shapes.Tested
    queryset = Integration.objects.all()

    @extend_schema(request=None, responses={201: shapes.Tested})
    def post(self, request: Request, slug: str) -> Response:
        tested = testing.send(_integration(slug), by=actor_of(request), now=timezone.now())
        return Response(self.get_serializer(tested).data, status=201)


class Routes(rest.Resource[Integration]):
    """The routes of an integration, all of them at once, in their order."""

    serializer_class = shapes.RoutesOut
    queryset = Integration.objects.all()

    @extend_schema(responses=shapes.RoutesOut)
    def get(self, request: Request, slug: str) -> Response:
        return self._told(request, _integration(slug))

    @extend_schema(request=shapes.RoutesIn, responses=shapes.RoutesOut)
    def put(self, request: Request, slug: str) -> Response:
        integration = _integration(slug)
        given = self.taken(shapes.RoutesIn)["routes"]
        version = etags.expected(request, integration.version)
        with etags.moved_tells(lambda: _routes_of(integration)):
            integrations.set_routes(integration, given, by=actor_of(request), now=timezone.now(), version=version)
        return self._told(request, integration)

    def _told(self, request: Request, integration: Integration) -> Response:
        return etags.answer(request, _routes_of(integration), integration.version)


class TryRoutes(rest.Resource[Integration]):
    """What routes would make of a payload, or of what was delivered. Nothing is kept."""

    serializer_class = shapes.TrialOut
    queryset = Integration.objects.all()

    @extend_schema(request=shapes.TryIn, responses=shapes.TrialOut)
    def post(self, request: Request, slug: str) -> Response:
        integration = _integration(slug)
        given = self.taken(shapes.TryIn)
        table = routes.Table(routes.read(given["routes"])) if "routes" in given else integration.table
        names = shapes.TrialOut.OF_PAYLOAD if "payload" in given else shapes.TrialOut.OF_DELIVERIES
        found: trial.Answer | trial.Trial
        if "payload" in given:
            found = trial.of_payload(integration, table, orjson.dumps(given["payload"]), now=timezone.now())
        else:
            found = trial.of_deliveries(integration, table, now=timezone.now())
        nothing = dict.fromkeys((*shapes.TrialOut.OF_PAYLOAD, *shapes.TrialOut.OF_DELIVERIES))
        return Response(self.get_serializer(nothing | {name: getattr(found, name) for name in names}).data)


class Heartbeats(rest.Resource[Heartbeat]):
    """The signs of life that are expected."""

    serializer_class = shapes.HeartbeatOut
    queryset = (
        Heartbeat.objects.filter(removed_at=None).select_related("integration", "incident").order_by("name", "id")
    )

    @extend_schema(responses=shapes.HeartbeatOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)


class ReplayDelivery(rest.Resource[Delivery]):
    """Take what is kept of a delivery in again; judged by when it was received."""

    serializer_class = shapes.DeliveryDetail
    queryset = Delivery.objects.all()

    @extend_schema(request=None, responses={201: shapes.DeliveryDetail})
    def post(self, request: Request, pk: UUID) -> Response:
        receipt = replay.again(queries.delivery_for(pk), by=actor_of(request), now=timezone.now())
        return Response(self.get_serializer(queries.delivery_for(receipt.delivery)).data, status=201)


class Deliveries(rest.Resource[Delivery]):
    serializer_class = shapes.DeliveryOut
    filterset_class = filters.DeliveryFilter
    queryset = Delivery.objects.select_related("integration", "fan_out").order_by("-received_at", "-id")

    @extend_schema(responses=shapes.DeliveryOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)


class OneDelivery(rest.Resource[Delivery]):
    serializer_class = shapes.DeliveryDetail
    queryset = Delivery.objects.all()

    @extend_schema(responses=shapes.DeliveryDetail)
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(queries.delivery_for(pk)).data)


def _integration(slug: str) -> Integration:
    return get_object_or_404(Integration.objects.select_related("team"), slug=slug)


def _routes_of(integration: Integration) -> Any:
    kept = [msgspec.structs.asdict(route) for route in integration.table.routes]
    told = [{**route, "continue": route.pop("continues")} for route in kept]
    return shapes.RoutesOut({"routes": told, "version": integration.version}).data


def _issued(view: rest.Resource[Integration], integration: Integration, token: str) -> Any:
    context = {**view.get_serializer_context(), "token": token}
    return shapes.IntegrationIssued(integration, context=context).data
