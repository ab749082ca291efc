"""`manage.py serve`: what `make run` starts."""

from typing import Any

from django.core.management.base import BaseCommand

from common import serving


class Command(BaseCommand):
    help = "Sets up what is missing, then runs web and engine (and a worker with REDIS_URL) until it is told to stop."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        with serving.in_one_line():
            serving.serve()
