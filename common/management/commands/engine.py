"""`manage.py engine`: the process that ticks, and does what is due or hands it on."""

import logging
import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common import engine, metrics


class Command(BaseCommand):
    help = "Looks each second for what is due, and has it done, until it is told to stop. Any number may run."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--is-fresh", action="store_true", help="fail unless an engine ticked in the last 15 s")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["is_fresh"]:
            if not engine.is_fresh(timezone.now()):
                raise CommandError("No engine has ticked in the last 15 s.")
            return
        its = engine.Engine(settings.ENV.engine_threads, with_workers=bool(settings.ENV.redis_url))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: its.stop())
        metrics.share(settings.ENV.data_dir / "metrics")
        if not its.run():
            # What hangs must not keep the process; others have its work already.
            logging.shutdown()
            os._exit(0)
