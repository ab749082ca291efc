"""Check the chain of the audit log, and name the first broken link."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people import audit
from people.models import AuditEvent, AuditHead


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--noted",
            nargs=2,
            metavar=("SEQ", "HASH"),
            help="an event and its hash as an earlier check or the log has them: then also a chain that was made anew, "
            "or cut off at its end, is found",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        broken = audit.verify()
        if broken is not None:
            raise CommandError(f"Audit event {broken.seq}: {broken.reason}.")
        if options["noted"]:
            seq, noted = options["noted"]
            if not AuditEvent.objects.filter(seq=int(seq), hash=noted).exists():
                raise CommandError(f"Audit event {seq}: it is not the one whose hash was noted.")
        head = AuditHead.objects.get()
        self.stdout.write(f"{head.last_seq} audit event{'' if head.last_seq == 1 else 's'} hold.")
        if head.last_seq:
            self.stdout.write(f"Note for the next check: --noted {head.last_seq} {head.last_hash}")
