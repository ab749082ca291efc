"""Services and models as JSON."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from catalog.models import Model, Service
from common import rest
from people.serializers import of_team, slug


def of_service(**kwargs: Any) -> serializers.SlugRelatedField[Service]:
    """A service by its slug."""
    return serializers.SlugRelatedField(slug_field="slug", queryset=Service.objects.select_related("team"), **kwargs)


def of_model(**kwargs: Any) -> serializers.SlugRelatedField[Model]:
    """A model by its slug."""
    return serializers.SlugRelatedField(slug_field="slug", queryset=Model.objects.select_related("team"), **kwargs)


class ServiceOut(rest.Output):
    slug = serializers.SlugField()
    name = serializers.CharField()
    team = serializers.SlugField(source="team.slug", default=None, allow_null=True)
    tier = serializers.IntegerField(help_text="1 is the most important, 4 the least.")
    depends_on = serializers.SerializerMethodField(help_text="Slugs of services.")
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    def get_depends_on(self, service: Service) -> list[str]:
        return [other.slug for other in service.depends_on.all()]

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, service: Service) -> str:
        return rest.page_url(f"{reverse('service-list')}#{service.slug}")

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, service: Service) -> str:
        return rest.api_url(self.context, "api-service-detail", service.slug)


class ServiceIn(rest.Input):
    name = serializers.CharField(max_length=150)
    slug = slug()
    team = of_team(required=False, allow_null=True)
    tier = serializers.IntegerField(min_value=1, max_value=4, required=False)
    depends_on = of_service(many=True, required=False)


class ServiceChange(rest.Input):
    name = serializers.CharField(max_length=150, required=False)
    team = of_team(required=False, allow_null=True)
    tier = serializers.IntegerField(min_value=1, max_value=4, required=False)
    depends_on = of_service(many=True, required=False)


class ModelOut(rest.Output):
    slug = serializers.SlugField()
    name = serializers.CharField()
    service = serializers.SlugField(source="service.slug", default=None, allow_null=True)
    team = serializers.SlugField(source="team.slug", default=None, allow_null=True)
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, model: Model) -> str:
        return rest.page_url(reverse("service-list"))

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, model: Model) -> str:
        return rest.api_url(self.context, "api-model-detail", model.slug)


class ModelIn(rest.Input):
    name = serializers.CharField(max_length=150)
    slug = slug()
    service = of_service(required=False, allow_null=True)
    team = of_team(required=False, allow_null=True)


class ModelChange(rest.Input):
    name = serializers.CharField(max_length=150, required=False)
    service = of_service(required=False, allow_null=True)
    team = of_team(required=False, allow_null=True)
