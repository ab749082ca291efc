"""What the engine or a worker calls."""

from typing import Any

from celery import shared_task

from common import work
from notifications import delivery
from notifications.models import Delivery


@shared_task(name=Delivery.TASK)
def deliver(pk: Any, claim: str) -> None:
    work.carry_out(Delivery, pk, claim, delivery.deliver)
