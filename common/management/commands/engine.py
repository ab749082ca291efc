"""`manage.py engine`: the process that ticks, and does what is due or hands it on."""

import logging
import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import get_resolver
from django.utils import timezone
from django.utils.module_loading import import_string

from common import engine, metrics, work

logger = logging.getLogger(__name__)


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
        if not its.run(prepare=load):
            # What hangs must not keep the process; others have its work already.
            logging.shutdown()
            os._exit(0)


def load() -> None:
    """Read, while nothing is due yet, what the first piece of each kind would else wait for: its task, and all
    addresses that a message may name. What is broken there is for who needs it to say again."""
    try:
        for model in work.kinds():
            import_string(model.TASK)
        _ = get_resolver().reverse_dict
    except Exception:
        logger.exception("Not all that the engine may need could be read.")
