"""`manage.py engine`: the process that ticks."""

import signal
import sys
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common import engine


class Command(BaseCommand):
    help = "Ticks each second until it is told to stop. Any number may run."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--is-fresh", action="store_true", help="fail unless an engine ticked in the last 15 s")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["is_fresh"]:
            if not engine.is_fresh(timezone.now()):
                raise CommandError("No engine has ticked in the last 15 s.")
            return
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        engine.run()


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(0)
