"""`manage.py engine`: the process that ticks."""

import signal
import sys
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from common import engine


class Command(BaseCommand):
    help = "Ticks each second until it is told to stop. Any number may run."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        engine.run()


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(0)
