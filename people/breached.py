"""Whether a password is one that attackers try: known from breaches, or made of such ones as people make them longer.

Two lists: the one that comes along (`data/`), and where BURNLINE_BREACHED_PASSWORDS names it, the whole of
haveibeenpwned.com, a file in which only some forty places are read.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from functools import cache
from hashlib import sha1
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LIST = Path(__file__).with_name("data") / "breached.txt.gz"
SHORTEST = 4  # letters that a known word must have, to count within a longer password

_LEET = [str.maketrans("@483!05$71", f"aabeiosst{one}") for one in "il"]
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_TAIL = re.compile(r"[\W\d_]+$")
_SEPARATORS = re.compile(r"[\W_]+")
_OURS = frozenset({"burnline", "incident", "incidents", "postmortem", "alertmanager"})


class Unbreached:
    """A validator for AUTH_PASSWORD_VALIDATORS."""

    def validate(self, password: str, user: object = None) -> None:
        if is_breached(password):
            message = _("This password, or one that it is made of, is known from data breaches.")
            raise ValidationError(message, code="password_breached")

    def get_help_text(self) -> str:
        return _("Not one that is known from data breaches, nor one with some digits or signs added.")


def is_breached(password: str) -> bool:
    return any(_is_listed(form) for form in _forms(password)) or _is_in_file(password, settings.ENV.breached_passwords)


def _forms(password: str) -> Iterator[str]:
    """The password, and what is left of it without what people add and replace to make it longer or stranger."""
    text = password.casefold()
    for spelled in dict.fromkeys((text, *_read(text))):
        yield spelled
        bare = _ENDS.sub("", spelled)
        for form in dict.fromkeys((bare, _SEPARATORS.sub("", spelled), _SEPARATORS.sub("", bare))):
            yield form
            yield _repeated(form)
            yield _ENDS.sub("", _repeated(form))
    # First stripped, then read as letters: the digits at the end are none.
    yield from _read(_ENDS.sub("", text))
    yield from _read(_TAIL.sub("", text))


def _read(text: str) -> list[str]:
    """As letters, the signs that stand for them."""
    return [text.translate(leet) for leet in _LEET]


def _repeated(text: str) -> str:
    """What the text consists of, where it is one thing several times; else the text."""
    again = (text + text).find(text, 1)
    return text[:again]


def _is_listed(form: str) -> bool:
    """One of the list, or two of them in a row."""
    if len(form) < SHORTEST:
        return False
    words = _words()
    return form in words or any(
        form[:cut] in words and form[cut:] in words for cut in range(SHORTEST, len(form) - SHORTEST + 1)
    )


@cache
def _words() -> frozenset[str]:
    return _OURS | frozenset(gzip.decompress(LIST.read_bytes()).decode().split("\n"))


def _is_in_file(password: str, path: Path | None) -> bool:
    """Halving, in a file of lines `SHA1:COUNT` in the order of their hashes."""
    if path is None:
        return False
    wanted = sha1(password.encode("utf-8", "replace"), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as file:
        low, high = 0, path.stat().st_size
        while low < high:
            middle = (low + high) // 2
            if middle:
                file.seek(middle - 1)
                file.readline()  # the rest of a line that begins before
            else:
                file.seek(0)
            line = file.readline()
            found = line[:40].upper()
            if found == wanted:
                return True
            if line and found < wanted:
                low = file.tell()
            else:
                high = middle
    return False
