"""Create what a new installation lacks, and print what its first user needs."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common import preflight, preparing, serving
from common.errors import DomainError
from home.bootstrap import bootstrap


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")
        parser.add_argument("--rotate", action="store_true", help="issue new tokens (never a new password)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with serving.in_one_line():
                preflight.check_data_folder(str(settings.ENV.data_dir))
                preparing.migrate()
                made = bootstrap(now=timezone.now(), rotate=options["rotate"])
        except DomainError as exc:
            raise CommandError(exc.message) from exc
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        unchanged = "(as it was)"
        self.stdout.write(f"URL:       {made['url']}")
        self.stdout.write(f"Admin:     {made['admin']['email']}  password {made['admin']['password'] or unchanged}")
        self.stdout.write(f"Webhook:   {made['webhook']['url']}  token {made['webhook']['token'] or unchanged}")
        self.stdout.write(f"API token: {made['api_token'] or unchanged}")
        self.stdout.write(f"\nAlertmanager:\n\n{made['receiver_yaml']}")
