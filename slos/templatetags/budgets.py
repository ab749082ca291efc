"""What pages of the catalogue, which lies below, show of budgets."""

from __future__ import annotations

from datetime import datetime

from django import template

from catalog.models import Model, Service
from slos import rows
from slos.models import Slo

register = template.Library()


@register.simple_tag
def standings(thing: Service | Model, now: datetime) -> list[rows.Row]:
    """How the SLOs of a service or a model stand, the most urgent first."""
    of_thing = {"service": thing} if isinstance(thing, Service) else {"model": thing}
    return rows.listed(Slo.objects.filter(**of_thing), now=now)
