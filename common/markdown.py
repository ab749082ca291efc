"""Markdown as people write it, to HTML that is safe to show. Rendered when it is saved, never when it is read."""

from __future__ import annotations

import re
from html import escape

import markdown
import nh3

MAX_BYTES = 64 * 1024

# python-markdown's link patterns take quadratic time on long runs of brackets (20 KB of "[" take more than a minute).
_BRACKET_RUN = re.compile(r"(?:[\[\]!(]\s*){40,}")
_MAX_BRACKETS = 2000

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
        return f"<pre>{escape(text)}</pre>"
    engine = markdown.Markdown(extensions=["tables", "fenced_code", "sane_lists", "nl2br"], output_format="html")
    engine.preprocessors.deregister("html_block")
    engine.inlinePatterns.deregister("html")
    return nh3.clean(
        engine.convert(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        url_relative="deny",
    )


def is_renderable(text: str) -> bool:
    """Whether `render` reads the text as Markdown: it is not too long, and not built to be slow."""
    return len(text.encode("utf-8", "replace")) <= MAX_BYTES and not _is_bomb(text)


def _is_bomb(text: str) -> bool:
    brackets = text.count("[") + text.count("]") + text.count("(")
    return brackets > _MAX_BRACKETS or _BRACKET_RUN.search(text) is not None
