"""What became of an alert, in one word of few; its row tells it by what its route made of it, and by its incident."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Case, CharField, Q, QuerySet, TextChoices, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.db.models.lookups import In
from django.utils.translation import gettext_lazy as _

from alerts.models import Alert


class Outcome(TextChoices):
    DEFAULT = "default", _("In the incident of its group")
    OPENED = "opened", _("Opened an incident, by a route")
    ATTACHED = "attached", _("Joined an incident, by a route")
    CHURN = "churn", _("Joined, as only a number tells it apart")
    WAITS = "waits", _("Waits for an incident")
    IGNORE = "ignore", _("Ignored")
    HEARTBEAT = "heartbeat", _("A sign of life")
    NONE = "none", _("Came resolved")


def outcome() -> Case:
    """The Outcome of a row: where no route had a say, it is in an incident or in none."""
    told = Cast(KT("routed__becomes"), CharField())
    return Case(
        When(routed__isnull=True, incident=None, then=Value(Outcome.NONE.value)),
        When(routed__isnull=True, then=Value(Outcome.DEFAULT.value)),
        When(Q(incident__isnull=False, routed__becomes="waits"), then=Value(Outcome.ATTACHED.value)),
        default=told,
        output_field=CharField(),
    )


def narrowed(alerts: QuerySet[Alert], outcomes: Collection[str]) -> QuerySet[Alert]:
    """Those with one of these outcomes."""
    return alerts.filter(In(outcome(), [*outcomes]))
