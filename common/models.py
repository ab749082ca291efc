"""The engine's heartbeat."""

from django.db import models


class Heartbeat(models.Model):
    """When a long-running process last said that it lives; one row per process name."""

    name = models.CharField(max_length=40, primary_key=True)
    beat_at = models.DateTimeField()
    pid = models.PositiveIntegerField()
    host = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%H:%M:%S}"
