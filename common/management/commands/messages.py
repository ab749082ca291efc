"""`make messages`: find every word for people in code, templates and scripts, and write the catalogues anew."""

import json
from pathlib import Path
from typing import Any

import polib
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.core.management.commands import makemessages

LOCALE = settings.BASE_DIR / "locale"
SCRIPTS = settings.BASE_DIR / "static" / "js" / "words"
LANGUAGES = [code for code, name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
NO_WORDS_OF_OURS = ["var/*", "tests/*", "bench/*", "evidence/*", "docs/*", "deploy/*", "static/vendor/*"]
NO_WORDS_OF_OURS += ["static/js/words/*", "*/migrations/*"]
LASTING = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Plural-Forms")  # the others change by the day


class Extraction(makemessages.Command):
    """Without guesses: a translation of something similar is a wrong one."""

    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_lazy"]  # as gettext_lazy is called beside _


class Command(BaseCommand):
    help = "Write locale/ and static/js/words/ anew from the words in the code; needs gettext's tools."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for domain in ("django", "djangojs"):
            call_command(
                Extraction(),
                locale=LANGUAGES,
                domain=domain,
                ignore_patterns=NO_WORDS_OF_OURS,
                no_wrap=True,
                no_obsolete=True,
                add_location="file",
                verbosity=0,
            )
        for language in LANGUAGES:
            self._write(language)

    def _write(self, language: str) -> None:
        folder = LOCALE / language / "LC_MESSAGES"
        catalogues = [opened(folder / "django.po"), opened(folder / "djangojs.po")]
        for catalogue in catalogues:
            catalogue.header = "Written by `make messages`; only the translations are ours to edit."
            catalogue.metadata_is_fuzzy = False
            lasting = {name: catalogue.metadata[name] for name in LASTING}
            catalogue.metadata = {"Project-Id-Version": "Burnline", "Language": language, **lasting}
            catalogue.save()
        catalogues[0].save_as_mofile(str(folder / "django.mo"))
        SCRIPTS.mkdir(exist_ok=True)
        (SCRIPTS / f"{language}.js").write_text(for_scripts(catalogues[1]))
        missing = sum(
            len(catalogue.untranslated_entries()) + len(catalogue.fuzzy_entries()) for catalogue in catalogues
        )
        self.stdout.write(f"{language}: {sum(map(len, catalogues))} messages, {missing} of them not translated")


def opened(path: Path) -> polib.POFile:
    return polib.pofile(str(path), wrapwidth=0)


def for_scripts(catalogue: polib.POFile) -> str:
    """What static/js/gettext.js reads: message -> words, or the words for one and for many."""
    words = {
        entry.msgid: list(entry.msgstr_plural.values()) if entry.msgid_plural else entry.msgstr
        for entry in catalogue.translated_entries()
    }
    return f"globalThis.words = {json.dumps(words, ensure_ascii=False, indent=2, sort_keys=True)};\n"
