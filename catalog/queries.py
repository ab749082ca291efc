"""What the pages of the catalogue need, in few queries."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Prefetch, QuerySet

from catalog.models import Model, Service
from people.actors import Actor

SHOWN = 20  # incidents of a service or model


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


def incidents(thing: Service | Model, actor: Actor) -> list[Any]:
    """The latest SHOWN of its incidents that this actor may see, those that are open first. One statement."""
    found: QuerySet[Any] = thing.incidents.for_actor(actor)
    return sorted(found.order_by("-id")[:SHOWN], key=lambda incident: not incident.is_open)
