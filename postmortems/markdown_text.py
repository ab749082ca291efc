"""Text from the record as Markdown that shows exactly that text: no markup, no HTML, no link that it did not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from urllib.parse import quote, urlsplit

from common.text import shortened, storable

UNKNOWN = "unknown"

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "~": "&#126;", "`": "&#96;"})
_SPECIAL = re.compile(r"[\\*\[\]|#!]")
_UNDERSCORES = re.compile(r"_+")
_LIST_START = re.compile(r"^(\d*)([-+.)])")
_TAG = re.compile(r"<(?=[A-Za-z/!?])(?!https?://)")
_FENCE = re.compile(r"(`{3,}|~{3,})([^`~]*)")
_IN_URL = ":/?#@!$&+,;=%~-._"


def escape_markdown(text: str, length: int | None = None) -> str:
    """The text on one line, cut to `length` characters where given, as Markdown that reads as it was written.

    Good inside a paragraph, a heading, a list item, a link's text and a table's cell, for any Markdown renderer.
    """
    line = " ".join(storable(_CONTROL.sub(" ", text)).split())
    if length is not None:
        line = shortened(line, length)
    line = _SPECIAL.sub(lambda found: "\\" + found[0], line)
    line = _UNDERSCORES.sub(lambda found: found[0] if _within_word(found) else "\\_" * len(found[0]), line)
    line = _LIST_START.sub(r"\1\\\2", line)
    return line.translate(_ENTITIES)


def _within_word(found: re.Match[str]) -> bool:
    """Underscores with a letter or digit on both sides mark nothing: `http_requests_total` stays readable."""
    around = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    return all(character.isascii() and character.isalnum() for character in around)


def link(title: str, url: str) -> str:
    """A link to an http(s) address; for any other, and for what is no address, the title and the address as text."""
    shown = escape_markdown(title or url, 200)
    if not is_web_address(url):
        return f"{shown} ({escape_markdown(url, 500)})" if url and url != title else shown
    return f"[{shown}]({quote(storable(url).strip(), safe=_IN_URL)})"


def is_web_address(url: str) -> bool:
    """http or https, with a plain host, and short enough for a document."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "[" not in parts.netloc and len(url) < 2000


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def points(lines: Iterable[str]) -> str:
    """A list; the lines are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)


def utc(moment: datetime | None) -> str:
    """2026-11-22 19:14:05 UTC, or "unknown"."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else UNKNOWN


def duration(seconds: int | None) -> str:
    """1 d 2 h, 1 h 12 min, 4 min 5 s: the two largest units, or "unknown"."""
    if seconds is None:
        return UNKNOWN
    sign, left = ("-", -seconds) if seconds < 0 else ("", seconds)
    units = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        units.append((count, unit))
    first = next((place for place, (count, _) in enumerate(units) if count), len(units) - 1)
    shown = [f"{count} {unit}" for count, unit in units[first : first + 2] if count]
    return sign + (" ".join(shown) or "0 s")


def percent(share: Fraction | None) -> str:
    """A share as a percentage with three significant digits, or "unknown"; a tiny one never reads as 0."""
    if share is None:
        return UNKNOWN
    value = float(share * 100)
    return f"{value:.0f} %" if value == 0 or abs(value) >= 100 else f"{value:.3g} %"


def events(number: Fraction | None) -> str:
    """A count of events with at most two decimals, or "unknown"."""
    if number is None:
        return UNKNOWN
    return f"{float(number):,.2f}".rstrip("0").rstrip(".")


def counted(number: int, one: str, many: str = "") -> str:
    """1 alert, 2 alerts."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def without_html(text: str) -> str:
    """People's own Markdown with its raw HTML as text, for renderers that would take it. Code blocks stay as they are,
    where every fence stands at the very start of its line: nested ones could be read differently elsewhere."""
    lines = text.split("\n")
    is_plain = all(_FENCE.fullmatch(line) for line in lines if "```" in line or "~~~" in line)
    fence = ""
    for number, line in enumerate(lines):
        marks = _FENCE.fullmatch(line) if is_plain else None
        if not fence:
            lines[number] = _TAG.sub("&lt;", line)
            fence = marks[1] if marks else ""
        elif marks and marks[1].startswith(fence) and not marks[2].strip():
            fence = ""
    if fence:  # left open, it would take what follows in the document for code
        lines.append(fence)
    return "\n".join(lines)
