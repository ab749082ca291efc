"""SLOs, samples and budgets as JSON."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from catalog.serializers import of_model, of_service
from common import rest
from slos.budget import BURN_WINDOWS, Status
from slos.decimals import to_decimal_string
from slos.definitions import COUNTED, MAX_DECIMALS
from slos.ledger import MAX_EVENTS, MAX_SECONDS
from slos.models import Slo


@extend_schema_field({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"})
class Share(serializers.Field[Fraction, Any, str | None, Any]):
    """A share, a target or a rate as a decimal string: exact, or with 15 significant digits."""

    def to_representation(self, value: Fraction) -> str | None:
        return to_decimal_string(value)


@extend_schema_field({"type": "number", "minimum": 0})
class Events(serializers.Field[Fraction, Any, int | float, Any]):
    """A count of events: a whole number, or what an edge has cut."""

    def to_representation(self, value: Fraction) -> int | float:
        return value.numerator if value.denominator == 1 else float(value)


def _target(**kwargs: Any) -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=MAX_DECIMALS + 1,
        decimal_places=MAX_DECIMALS,
        min_value=0,
        max_value=1,
        help_text='Such as "0.999"; at 1 the first bad event exceeds the budget.',
        **kwargs,
    )


def of_slo(**kwargs: Any) -> serializers.SlugRelatedField[Slo]:
    """An SLO by its slug."""
    return serializers.SlugRelatedField(slug_field="slug", queryset=Slo.objects.all(), **kwargs)


class SloWindow(rest.Output):
    days = serializers.IntegerField(source="window_days", allow_null=True, help_text="Of a rolling window.")
    calendar = serializers.SerializerMethodField(help_text="Of a window that starts anew with each period.")
    time_zone = serializers.CharField(source="window_time_zone")

    @extend_schema_field({"type": "string", "enum": [*Slo.Calendar.values, None], "nullable": True})
    def get_calendar(self, slo: Slo) -> str | None:
        return slo.window_calendar or None


class SloOut(rest.Output):
    slug = serializers.CharField()
    service = serializers.SlugField(source="service.slug")
    model = serializers.SlugField(source="model.slug", default=None, allow_null=True)
    name = serializers.CharField()
    kind = serializers.ChoiceField(Slo.Kind.choices)
    target = Share()
    window = SloWindow(source="*")
    method = serializers.ChoiceField(Slo.Method.choices)
    source: Any = serializers.SerializerMethodField(help_text="Where samples are fetched from; null: they are pushed.")
    labels = rest.Labels()
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    @extend_schema_field({"type": "object", "additionalProperties": {}, "nullable": True})
    def get_source(self, slo: Slo) -> None:
        return None

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, slo: Slo) -> str:
        return rest.page_url(slo.get_absolute_url())

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, slo: Slo) -> str:
        return rest.api_url(self.context, "api-slo-detail", slo.slug)


class WindowIn(rest.Input):
    """Either a number of days or a calendar period."""

    days = serializers.IntegerField(min_value=1, max_value=3660, required=False, allow_null=True)
    calendar = serializers.ChoiceField(Slo.Calendar.choices, required=False, allow_null=True)
    time_zone = serializers.CharField(max_length=64, required=False, help_text="Of a calendar period; UTC if not said.")


class SloChange(rest.Input):
    service = of_service(required=False)
    model = of_model(required=False, allow_null=True)
    name = serializers.CharField(max_length=150, required=False)
    kind = serializers.ChoiceField(Slo.Kind.choices, required=False)
    target = _target(required=False)
    window = WindowIn(required=False, help_text="A new SLO counts 30 days where it is not said.")
    method = serializers.ChoiceField(
        Slo.Method.choices, required=False, help_text=f"So far only {', '.join(COUNTED)} can be counted."
    )
    labels = rest.Labels(required=False)


class SloIn(SloChange):
    slug = serializers.RegexField(
        r"^[-a-zA-Z0-9_]+$", max_length=80, required=False, help_text="Made from the name where it is not said."
    )
    service = of_service()
    name = serializers.CharField(max_length=150)
    target = _target()


class SampleIn(rest.Input):
    """What the document says of a sample; the ledger itself checks them, as there may be thousands."""

    start = rest.Instant()
    seconds = serializers.IntegerField(min_value=1, max_value=MAX_SECONDS)
    good = serializers.FloatField(min_value=0, max_value=MAX_EVENTS, help_text="With at most 6 decimals.")
    valid = serializers.FloatField(min_value=0, max_value=MAX_EVENTS, help_text="At least as many as are good.")


class Stored(rest.Output):
    stored = serializers.IntegerField(help_text="New ones.")
    replaced = serializers.IntegerField(help_text="Those whose start was known already.")


class BurnOut(rest.Output):
    """How many times faster than the target allows the budget burned lately."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: Share(allow_null=True) for name in BURN_WINDOWS}


class BudgetOut(rest.Output):
    target = Share(source="slo.target")
    window_from = rest.Instant(source="window.start")
    window_to = rest.Instant(source="window.end")
    valid = Events(allow_null=True)
    bad = Events(allow_null=True)
    budget = Events(allow_null=True, help_text="How many events may be bad.")
    consumed = Share(allow_null=True)
    remaining = Share(allow_null=True, help_text="Below 0 where more is consumed than there was.")
    burn = BurnOut()
    exhausted_at = rest.Instant(allow_null=True, help_text="If it goes on burning as in the last hour.")
    coverage = Share(allow_null=True, help_text="How much of the window samples cover.")
    status = serializers.ChoiceField([(status.value, status.name) for status in Status])
    is_projected = serializers.BooleanField(
        help_text="The calendar period still runs: its budget is what it will be if traffic goes on as before."
    )
