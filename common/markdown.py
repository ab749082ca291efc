"""Markdown as people write it, to HTML that is safe to show. Rendered when it is saved, never when it is read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html import escape
from typing import Any
from xml.etree.ElementTree import Element

import markdown
import nh3
from markdown.blockprocessors import BlockProcessor

MAX_BYTES = 64 * 1024

# What python-markdown takes quadratic time for, in one step: brackets (20 KB of "[" take more than a minute), fences,
# and the cells of a table, as many in each row as in its head. What is slow in many steps meets the end of its time.
_BRACKET_RUN = re.compile(r"(?:[\[\]!(]\s*){40,}")
_MAX_BRACKETS = 2000
_MAX_FENCES, _MAX_FENCE_LENGTH = 500, 200
_MAX_CELLS = 20_000
_SECONDS = 1.0  # of the thread's own time

_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "del", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "sup", "sub"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "th": {"align"}, "td": {"align"}, "ol": {"start"}}


def render(text: str) -> str:
    """Safe HTML of the text. What is too long or built to be slow is shown as it was written, as plain text.

    Raw HTML within the text is shown as text, not interpreted and not swallowed.
    """
    if not is_renderable(text):
        return _as_written(text)
    engine = markdown.Markdown(extensions=["tables", "fenced_code", "sane_lists", "nl2br"], output_format="html")
    engine.preprocessors.deregister("html_block")
    engine.inlinePatterns.deregister("html")
    _end_after(_SECONDS, engine)
    try:
        html = engine.convert(text)
    except (_TooSlow, RecursionError):  # such as lists within lists within lists
        return _as_written(text)
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        url_relative="deny",
    )


def is_renderable(text: str) -> bool:
    """Whether `render` tries to read the text as Markdown: it is not too long, and does not look built to be slow."""
    return len(text.encode("utf-8", "replace")) <= MAX_BYTES and not _is_bomb(text)


def _is_bomb(text: str) -> bool:
    brackets = text.count("[") + text.count("]") + text.count("(")
    lines = text.splitlines()
    cells = len(lines) * max((line.count("|") for line in lines), default=0)
    fences = [len(line) for line in lines if line.lstrip(" \t>").startswith(("```", "~~~"))]
    return (
        brackets > _MAX_BRACKETS
        or cells > _MAX_CELLS
        or len(fences) > _MAX_FENCES
        or max(fences, default=0) > _MAX_FENCE_LENGTH
        or _BRACKET_RUN.search(text) is not None
    )


class _TooSlow(Exception):
    """The text has used up its time."""


def _end_after(seconds: float, engine: markdown.Markdown) -> None:
    """Have the engine look at the clock before each block and each mark within one, and raise _TooSlow."""
    end = time.thread_time() + seconds

    def look() -> None:
        if time.thread_time() > end:
            raise _TooSlow

    class Clock(BlockProcessor):
        def test(self, parent: Element, block: str) -> bool:
            look()
            return False

    def after_a_look(handle: Callable[..., Any]) -> Callable[..., Any]:
        def handled(*found: Any) -> Any:
            look()
            return handle(*found)

        return handled

    engine.parser.blockprocessors.register(Clock(engine.parser), "clock", 1000)
    for pattern in engine.inlinePatterns:
        pattern.handleMatch = after_a_look(pattern.handleMatch)  # type: ignore[method-assign]


def _as_written(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"
