"""What the pages of the catalogue need, in few queries."""

from __future__ import annotations

from django.db.models import Count, Prefetch, QuerySet

from catalog.models import Model, Service


def services() -> QuerySet[Service]:
    """The most important first, each with its team, its models, what it depends on, and `slo_count`."""
    return (
        Service.objects.select_related("team")
        .prefetch_related(
            Prefetch("models", Model.objects.select_related("team")), Prefetch("depends_on", Service.objects.all())
        )
        .annotate(slo_count=Count("slos"))
        .order_by("tier", "name", "id")
    )


def models_without_service() -> QuerySet[Model]:
    return Model.objects.select_related("team").filter(service=None)
