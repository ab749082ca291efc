"""What is typed about an SLO."""

from __future__ import annotations

import zoneinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from catalog import access
from catalog.models import Model, Service
from common.forms import ChangeForm, Form, choosable, labels_of
from people.actors import Actor
from slos import wording
from slos.models import Slo

_ROLLING = (7, 28, 30, 90)


class _SloForm(Form):
    service = forms.ModelChoiceField(
        Service.objects.none(), empty_label=_lazy("Choose a service"), label=_lazy("Service")
    )
    name = forms.CharField(
        max_length=150, help_text=_lazy("What users are promised, such as “Payments succeed”."), label=_lazy("Name")
    )
    kind = forms.ChoiceField(choices=Slo.Kind.choices, label=_lazy("Kind"))
    model = forms.ModelChoiceField(
        Model.objects.all(),
        required=False,
        empty_label=_lazy("None"),
        help_text=_lazy("If it is a model that keeps the promise."),
        label=_lazy("Model"),
    )
    target = forms.CharField(
        max_length=40,
        help_text=_lazy("As a percentage, 99.9%, or as a share, 0.999. At 100% the first bad event exceeds it."),
        label=_lazy("Target"),
    )
    window = forms.ChoiceField(
        help_text=_lazy("What the budget is counted over."), initial="days:30", label=_lazy("Window")
    )
    time_zone = forms.ChoiceField(
        help_text=_lazy("In which a calendar period begins."), initial="UTC", label=_lazy("Time zone")
    )
    labels = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_lazy("One name=value on each line."),
        label=_lazy("Labels"),
    )

    def __init__(self, *args: Any, by: Actor, days: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choosable(self, "service").queryset = access.managed_services(by)
        rolling = sorted({*_ROLLING, *([days] if days else [])})
        self._choices("window", [*((f"days:{n}", wording.rolling(n)) for n in rolling), *_calendar()])
        self._choices("time_zone", [(zone, zone) for zone in sorted({*zoneinfo.available_timezones(), "UTC"})])

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_target(self) -> Decimal:
        text = self.cleaned_data["target"].strip()
        try:
            number = Decimal(text.removesuffix("%").strip())
        except InvalidOperation as exc:
            raise forms.ValidationError(_("A number such as 99.9% or 0.999.")) from exc
        if not number.is_finite() or abs(number.adjusted()) > 30:
            raise forms.ValidationError(_("A number such as 99.9% or 0.999."))
        return number / 100 if text.endswith("%") or number > 1 else number

    def clean_labels(self) -> dict[str, str]:
        return labels_of(self.cleaned_data["labels"])

    def clean(self) -> dict[str, Any]:
        """The window as the domain reads it."""
        cleaned = dict(self.cleaned_data)
        kind, __, what = cleaned.pop("window", "").partition(":")
        zone = cleaned.pop("time_zone", "UTC")
        cleaned["window"] = {"calendar": what, "time_zone": zone} if kind == "calendar" else {"days": int(what or 30)}
        return cleaned


class NewSloForm(_SloForm):
    slug = forms.SlugField(
        max_length=80,
        required=False,
        help_text=_lazy("What alerts (slo_id) and the API call it, for good. Empty: from the name."),
        label=_lazy("Slug"),
    )
    field_order = ("service", "name", "slug", "kind", "model", "target", "window", "time_zone", "labels")


class SloForm(_SloForm, ChangeForm):
    """An SLO as it is changed; its slug stays. A new target or window counts for past incidents as well."""

    field_order = ("service", "name", "kind", "model", "target", "window", "time_zone", "labels")

    def __init__(self, *args: Any, slo: Slo, **kwargs: Any) -> None:
        initial = {
            **{name: getattr(slo, name) for name in ("service", "name", "kind", "model")},
            "target": f"{(Decimal(slo.target_text) * 100).normalize():f}%",
            "window": f"days:{slo.window_days}" if slo.window_days else f"calendar:{slo.window_calendar}",
            "time_zone": slo.window_time_zone,
            "labels": "\n".join(f"{name}={value}" for name, value in slo.labels.items()),
        }
        super().__init__(*args, initial=initial, days=slo.window_days, **kwargs)


def _calendar() -> list[tuple[str, str]]:
    return [(f"calendar:{period.value}", str(period.label)) for period in Slo.Calendar]
