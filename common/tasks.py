"""Recurring work, as Celery and the engine call it."""

from celery import shared_task

from common import schedule, work
from common.models import ScheduledRun


@shared_task
def run_scheduled(pk: int, claim: str) -> None:
    work.carry_out(ScheduledRun, pk, claim, schedule.run)
