"""In which language somebody is answered, and that the catalogues hold what they should."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polib
import pytest
from django.apps import apps
from django.conf import settings
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from common import language
from common.management.commands.messages import LANGUAGES, LOCALE, SCRIPTS, Extraction, for_scripts
from common.templatetags import burnline
from people.models import User
from tests.browsing import signed_in
from tests.conftest import Api

NOW = datetime(2026, 11, 22, 3, 5, tzinfo=UTC)
CATALOGUES = [(code, domain) for code in LANGUAGES for domain in ("django", "djangojs")]


def catalogue(code: str, domain: str) -> polib.POFile:
    return polib.pofile(str(LOCALE / code / "LC_MESSAGES" / f"{domain}.po"))


def language_of(page: bytes) -> str:
    found = re.search(rb'<html lang="([\w-]+)"', page)
    assert found
    return found[1].decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "answered"),
    [("de-AT,de;q=0.9,en;q=0.5", "de"), ("en-US", "en-gb"), ("fr, de;q=0.2", "de"), ("ja", "en-gb")],
)
def test_a_stranger_is_answered_in_the_language_of_the_browser(asked: str, answered: str) -> None:
    response = Client().get("/sign-in/", headers={"accept-language": asked})

    assert language_of(response.content) == answered
    assert "Accept-Language" in response.headers["Vary"]


def test_the_language_that_a_person_has_chosen_goes_before_the_browser_s(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="de")

    german = signed_in(alice).get("/incidents/", headers={"accept-language": "en"})

    assert language_of(german.content) == "de"
    assert "Zum Inhalt springen" in german.content.decode()
    assert "js/words/de.js" in german.content.decode()


def test_without_a_choice_the_browser_says_the_language_also_after_a_german_page(alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(language="de")
    signed_in(bob).get("/incidents/")

    english = signed_in(alice).get("/incidents/", headers={"accept-language": "en"})

    assert language_of(english.content) == "en-gb"
    assert "Skip to the content" in english.content.decode()
    assert "js/words" not in english.content.decode()


def test_a_page_that_does_not_exist_is_missing_in_the_reader_s_language(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="de")

    assert language_of(signed_in(alice).get("/nowhere/").content) == "de"


def test_programs_are_answered_in_english_whoever_owns_the_token(alice: User, api: Api) -> None:
    User.objects.filter(pk=alice.pk).update(language="de")

    refused = api(alice).post("/api/v1/incidents/", {"title": ""}, headers={"accept-language": "de"})

    assert refused.status_code == 422
    assert "may not be blank" in str(refused.json())


def test_what_is_kept_is_english_whoever_triggered_it() -> None:
    with translation.override("de"):
        with language.of_what_is_kept():
            kept = burnline.duration(4320)
        shown = burnline.duration(4320)

    assert (kept, shown) == ("1 h 12 m", "1 h 12 min")


def test_a_word_within_a_sentence_is_small_in_english_and_keeps_the_capital_of_a_german_noun() -> None:
    with translation.override("en-gb"):
        assert language.within_a_sentence("Observation") == "observation"
    with translation.override("de"):
        assert language.within_a_sentence("Beobachtung") == "Beobachtung"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{% time at %}", "vor 12 min"),
        ("{% time soon %}", "in 14 min"),
        ("{% time long_ago 'date' %}", "9. Sept. 2026"),
        ("{% time long_ago 'moment' %}", "9. Sept. 2026, 03:05"),
        ("{{ days|duration }}", "2 T 3 h"),
        ("{{ share|percent }}", "31,2\N{NO-BREAK SPACE}%"),
        ("{{ target|target }}", "99,95\N{NO-BREAK SPACE}%"),
        ("{{ rate|rate }}", "14,4×"),
        ("{{ tiny|rate }}", "<0,01×"),
        ("{{ count|events }}", "1.840"),
        ("{{ none|duration }}", "unbekannt: noch nicht bekannt"),
    ],
)
def test_times_and_numbers_are_written_as_german_readers_write_them(source: str, words: str) -> None:
    values = {
        "now": NOW,
        "at": NOW - timedelta(minutes=12),
        "soon": NOW + timedelta(minutes=14),
        "long_ago": NOW - timedelta(days=74),
        "days": timedelta(days=2, hours=3),
        "share": "0.312",
        "target": "0.9995",
        "rate": "14.4",
        "tiny": "0.001",
        "count": "1840",
        "none": None,
    }

    with translation.override("de"):
        text = Template("{% load burnline %}{% autoescape off %}" + source + "{% endautoescape %}").render(
            Context(values)
        )

    assert words in text


def test_a_share_drawn_as_a_bar_is_a_number_that_browsers_read_in_every_language() -> None:
    with translation.override("de"):
        assert burnline.bar("0.312") == "31.2"


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_the_server_and_the_scripts_say_is_what_the_catalogues_say(code: str) -> None:
    compiled = polib.mofile(str(LOCALE / code / "LC_MESSAGES" / "django.mo"))

    assert {(e.msgctxt, e.msgid): (e.msgstr, e.msgstr_plural) for e in compiled} == {
        (e.msgctxt, e.msgid): (e.msgstr, e.msgstr_plural) for e in catalogue(code, "django").translated_entries()
    }
    assert (SCRIPTS / f"{code}.js").read_text() == for_scripts(catalogue(code, "djangojs"))


@pytest.mark.parametrize(("code", "domain"), CATALOGUES)
def test_a_translation_has_the_places_of_its_message(code: str, domain: str) -> None:
    def places(text: str) -> set[str]:
        return set(re.findall(r"\{\w*\}|%\(\w+\)[sd]|%[sd]", text))

    wrong = [
        entry.msgid
        for entry in catalogue(code, domain).translated_entries()
        for words in (list(entry.msgstr_plural.values()) or [entry.msgstr])[-1:]
        if places(words) != places(entry.msgid_plural or entry.msgid)
    ]

    assert wrong == []


@pytest.mark.parametrize(("code", "domain"), CATALOGUES)
def test_every_message_is_translated_and_none_by_a_guess(code: str, domain: str) -> None:
    assert [entry.msgid for entry in catalogue(code, domain) if not entry.translated()] == []


@pytest.mark.parametrize(("code", "domain"), CATALOGUES)
def test_a_translation_has_the_markup_of_its_message(code: str, domain: str) -> None:
    def markup(text: str) -> list[str]:
        return sorted(re.findall(r"</?\w[^>]*>", text))

    wrong = [
        entry.msgid
        for entry in catalogue(code, domain).translated_entries()
        for words in (list(entry.msgstr_plural.values()) or [entry.msgstr])
        if markup(words) not in (markup(entry.msgid), markup(entry.msgid_plural or entry.msgid))
    ]

    assert wrong == []


def test_every_name_by_which_code_calls_gettext_is_one_that_is_looked_for() -> None:
    called = {
        name
        for path in sources()
        for line in path.read_text().splitlines()
        if line.startswith("from django.utils.translation import")
        for name in re.findall(r"\w+ as (\w+)", line)
    }

    assert called <= {"_", *(keyword.removeprefix("--keyword=") for keyword in Extraction.xgettext_options)}


def sources() -> list[Path]:
    rooms = {config.path for config in apps.get_app_configs() if Path(config.path).parent == settings.BASE_DIR}
    return [path for room in rooms for path in Path(room).rglob("*.py")]
