"""In which language words are: the reader's on pages, English for programs and for what is kept."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

KEPT = settings.LANGUAGE_CODE  # of what is stored, logged, or read by programs
SPOKEN = frozenset(code for code, name in settings.LANGUAGES)
_FOR_PROGRAMS = ("/api/", "/webhooks/")


def of(request: HttpRequest, chosen: str = "") -> str:
    """What this request is answered in: the person's choice, else what their browser asks for, else English."""
    if request.path_info.startswith(_FOR_PROGRAMS):
        return KEPT
    if chosen in SPOKEN:
        return chosen
    return translation.get_language_from_request(request)


def within_a_sentence(words: StrOrPromise) -> str:
    """A word of ours amid others: small in English; as it stands in German, whose nouns keep their capital."""
    return str(words) if (translation.get_language() or KEPT).startswith("de") else str(words).lower()


def of_what_is_kept() -> AbstractContextManager[None]:
    """Around what is stored or sent to several: a draft, a timeline entry, an export. Who triggered it has no say."""
    return translation.override(KEPT)


def of_person(chosen: str) -> AbstractContextManager[None]:
    """Around a message to one person: in the language they chose, else English, as no browser of theirs is there."""
    return translation.override(chosen or KEPT)
