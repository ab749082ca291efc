"""The engine's heartbeat, and the runs of recurring work."""

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _lazy

from common import work


class Heartbeat(models.Model):
    """When a long-running process last said that it lives; one row per process name."""

    name = models.CharField(max_length=40, primary_key=True)
    beat_at = models.DateTimeField()
    pid = models.PositiveIntegerField()
    host = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%H:%M:%S}"


class ScheduledRun(work.DueWork):
    """One job of the schedule in one slot of time."""

    TASK: ClassVar[str] = "common.tasks.run_scheduled"
    KEEP: ClassVar[timedelta | None] = timedelta(days=7)

    job = models.CharField(max_length=100)  # its name in the schedule
    slot = models.DateTimeField()  # when it began

    class Meta(work.DueWork.Meta):
        verbose_name = _lazy("scheduled run")
        verbose_name_plural = _lazy("scheduled runs")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "slot"], name="one_run_per_job_and_slot"),
            models.UniqueConstraint(
                fields=["job"], condition=Q(state="waiting"), name="a_job_never_runs_beside_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job} of {self.slot:%Y-%m-%d %H:%M:%S}"
