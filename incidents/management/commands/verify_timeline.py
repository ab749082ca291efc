"""Check the chain of every timeline, and name the first broken link."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents import timeline
from incidents.models import Incident


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", nargs="*", type=int, help="incident numbers; all of them if none is given")

    def handle(self, *args: Any, **options: Any) -> None:
        incidents = Incident.objects.order_by("number")
        if options["number"]:
            incidents = incidents.filter(number__in=options["number"])
        checked = 0
        for incident in incidents.iterator(chunk_size=500):
            broken = timeline.verify(incident)
            if broken is not None:
                raise CommandError(f"INC-{broken.incident}, entry {broken.seq}: {broken.reason}.")
            checked += 1
        self.stdout.write(f"{checked} timeline{'' if checked == 1 else 's'} hold.")
