"""A language in which every message of the catalogue is marked, and what of a page is outside of the marks.

Such words never went through the catalogue, so a reader of another language would find them in English.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.utils import translation
from django.utils.translation import trans_real

from common import language

MARKED = "en-zz"
BEGIN, END = "⟦", "⟧"
_CONTEXT = "\x04"


class _Marking(trans_real.DjangoTranslation):
    """English, each message between marks; but a format of dates is no message."""

    def __init__(self) -> None:
        super().__init__(language.KEPT)

    def to_language(self) -> str:
        return MARKED

    def gettext(self, message: str) -> str:
        context, _, words = message.rpartition(_CONTEXT)
        return words if context.startswith("format of") else BEGIN + words + END

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return BEGIN + (msgid1 if n == 1 else msgid2).rpartition(_CONTEXT)[2] + END


def speak_marked(patch: pytest.MonkeyPatch) -> None:
    """Let people choose it, and answer in it who has not chosen."""
    patch.setitem(vars(trans_real)["_translations"], MARKED, _Marking())
    patch.setattr(language, "SPOKEN", language.SPOKEN | {MARKED})
    patch.setattr(translation, "get_language_from_request", lambda request: MARKED)


def unmarked(html: str, besides: re.Pattern[str] | None = None) -> list[str]:
    """What readers see or hear on this page outside of the marks, `besides` what users wrote."""
    reader = _Reader(besides)
    reader.feed(html)
    reader.close()
    return reader.found + ([f"{BEGIN} without {END}"] if reader.depth else [])


_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_SILENT = {"script", "style", "code", "pre", "kbd", "time", "template", "textarea", "symbol"}
_SAID = {
    *("aria-label", "aria-description", "title", "placeholder", "alt", "label"),
    *("data-label", "data-confirm", "data-confirm-act", "data-key-label"),
}
_PRESSED = {"submit", "button", "reset"}
_WORD = re.compile(r"[^\W\d_]{2,}")
_ADDRESS = re.compile(r"https?://\S+")
_ZONES = {"time_zone", "zone"}  # names of the tz database
_NAMES = {
    *(
        "Burnline",
        "Alertmanager",
        "Prometheus",
        "Grafana",
        "ntfy",
        "Slack",
        "Mattermost",
        "Markdown",
        "English",
        "Deutsch",
    ),
    *("INC", "PM", "SLO", "SLOs", "SEV", "CSV", "JSON", "HTML", "KB", "UTC", "API", "URL"),
}


class _Reader(HTMLParser):
    def __init__(self, besides: re.Pattern[str] | None) -> None:
        super().__init__()
        self.found: list[str] = []
        self.depth = 0
        self._besides = besides
        self._open: list[tuple[str, bool]] = []  # each with whether it is silent

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        is_theirs = given.get("translate") == "no" or given.get("name") in _ZONES
        is_silent = self._is_silent or tag in _SILENT or is_theirs
        for name, value in given.items():
            is_said = name in _SAID or (tag == "input" and name == "value" and given.get("type") in _PRESSED)
            if is_said and not is_silent and not self.depth and self._has_words(_outside(value)):
                self.found.append(f"<{tag} {name}={value!r}>")
        if tag not in _VOID:
            self._open.append((tag, is_silent))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        outside = ""
        for piece in re.split(f"([{BEGIN}{END}])", data):
            self.depth += (piece == BEGIN) - (piece == END)
            outside += "" if self.depth or piece == END else piece
        if not self._is_silent and self._has_words(outside):
            self.found.append(f"{self._open[-1][0] if self._open else ''}: {' '.join(outside.split())}")

    @property
    def _is_silent(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _has_words(self, text: str) -> bool:
        ours = _ADDRESS.sub(" ", self._besides.sub(" ", text) if self._besides else text)
        return any(word not in _NAMES for word in _WORD.findall(ours))


def _outside(text: str) -> str:
    """What of an attribute is outside of marks; they may stand within each other."""
    while (without := re.sub(f"{BEGIN}[^{BEGIN}{END}]*{END}", "", text)) != text:
        text = without
    return text
