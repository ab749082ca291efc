"""`manage.py web`: the web processes alone."""

from typing import Any

from django.core.management.base import BaseCommand

from common import serving


class Command(BaseCommand):
    help = "Migrates, then runs the web processes alone: for where the engine runs apart."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        with serving.in_one_line():
            serving.serve_web()
