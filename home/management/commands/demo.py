"""`manage.py demo`: what `make demo` starts."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common import serving
from home import demo


class Command(BaseCommand):
    help = "Runs Burnline with a history, a pretend model service, Prometheus and Alertmanager, until told to stop."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        with serving.in_one_line():
            serving.serve(beside=lambda: demo.prepare(now=timezone.now()))
