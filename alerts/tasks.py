"""What Celery, or the engine itself, carries out for this room."""

from celery import shared_task
from django.utils import timezone

from alerts import fanout
from alerts.models import FanOut
from common import work


@shared_task(name="alerts.tasks.fan_out")
def fan_out(pk: int, claim: str) -> None:
    work.carry_out(FanOut, pk, claim, lambda row: fanout.take_in(row, now=timezone.now()))
