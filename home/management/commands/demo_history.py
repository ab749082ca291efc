"""Fill an installation without incidents with the history of the demo, and print how to sign in."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common import preflight, preparing, serving
from common.errors import DomainError
from home.history import cast, seeding
from people import passwords


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        password = settings.ENV.admin_password or passwords.made_up()
        try:
            with serving.in_one_line():
                preflight.check_data_folder(str(settings.ENV.data_dir))
                preparing.migrate()
                passwords.check(password)
                is_new = seeding.seed(password, now=timezone.now())
        except DomainError as exc:
            raise CommandError(exc.message) from exc
        if not is_new:
            self.stdout.write("The history is there already; nothing was changed.")
            return
        self.stdout.write("Everybody signs in with this password, which is shown this once:")
        self.stdout.write(f"Password:  {password}")
        for key, (name, discipline, _, _) in cast.PEOPLE.items():
            administers = ", administers" if cast.address(key) == cast.ADMIN else ""
            self.stdout.write(f"  {cast.address(key):32} {name} ({discipline.replace('_', ' ')}{administers})")
