"""Objectives, and the ledger of good and valid events that they are judged by."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _lazy

from catalog.models import Model, Service


class Slo(models.Model):
    """A target over a window. The target is kept exactly, as a decimal."""

    class Kind(models.TextChoices):
        AVAILABILITY = "availability", _lazy("Availability")
        LATENCY = "latency", _lazy("Latency")
        ACCURACY = "accuracy", _lazy("Accuracy")
        DRIFT = "drift", _lazy("Drift")
        FRESHNESS = "freshness", _lazy("Freshness")
        CUSTOM = "custom", _lazy("Custom")

    class Method(models.TextChoices):
        OCCURRENCES = "occurrences", _lazy("Occurrences")
        TIMESLICES = "timeslices", _lazy("Time slices")
        RATIO_TIMESLICES = "ratio_timeslices", _lazy("Ratio time slices")

    class Calendar(models.TextChoices):
        WEEK = "week", _lazy("Calendar week")
        MONTH = "month", _lazy("Calendar month")
        QUARTER = "quarter", _lazy("Calendar quarter")

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=150)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="slos")
    model = models.ForeignKey(Model, null=True, blank=True, on_delete=models.PROTECT, related_name="slos")
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.AVAILABILITY)
    method = models.CharField(max_length=20, choices=Method.choices, default=Method.OCCURRENCES)
    target_text = models.CharField(max_length=20)  # "0.999"; text, as SQLite has no exact decimal
    window_days = models.PositiveSmallIntegerField(null=True, blank=True)
    window_calendar = models.CharField(max_length=10, blank=True, choices=Calendar.choices)
    window_time_zone = models.CharField(max_length=64, default="UTC")
    labels = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "id")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(window_days__isnull=False, window_calendar="")
                | models.Q(window_days__isnull=True) & ~models.Q(window_calendar=""),
                name="window_is_either_rolling_or_calendar",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("slo-detail", args=[self.slug])

    @property
    def target(self) -> Fraction:
        return Fraction(self.target_text)


class Sample(models.Model):
    """Good and valid events of one SLO between `start` and `start + seconds`. The later value for a start replaces.

    Counts are kept as whole millionths of an event: both databases add those exactly, and neither adds fractions so.
    """

    UNIT = 1_000_000

    slo = models.ForeignKey(Slo, on_delete=models.CASCADE, related_name="samples")
    start = models.DateTimeField()
    seconds = models.PositiveIntegerField()
    good_millionths = models.BigIntegerField()
    valid_millionths = models.BigIntegerField()

    class Meta:
        ordering = ("start",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["slo", "start"], name="one_sample_per_slo_and_start"),
            models.CheckConstraint(
                condition=models.Q(good_millionths__gte=0, valid_millionths__gte=models.F("good_millionths")),
                name="good_events_are_valid_events",
            ),
            models.CheckConstraint(condition=models.Q(seconds__gt=0), name="a_sample_lasts"),
        ]

    def __str__(self) -> str:
        return f"{self.slo} {self.start:%Y-%m-%d %H:%M}"

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)
