"""Markdown becomes safe HTML, and takes no longer than a moment, whatever it was built for."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import markdown

SLOW = {
    "brackets": "[" * 20_000,
    "images": "words and words ![ " * 3_000,
    "headings": "a\n---\n" * 10_000,
    "rules": "-\n" * 30_000,
    "lists in lists": "*\t" * 30_000,
    "a wide table, and long": "a|" * 1_000 + "\n" + "-|" * 1_000 + "\n" + "x\n" * 28_000,
    "fences": "```a\n" * 12_000,
    "a fence and spaces": "```" + " " * 60_000 + "\n",
    "escaped code": "\\``" * 20_000,
    "references": "[a]: b\n" * 9_000,
}

_MARKS = st.lists(
    st.sampled_from(
        [*"*_`[](){}<>#|-=!\\&:\"'\n\t \x02\x03", "**", "```", "~~~", "- ", "1. ", "](", "|-|\n", "http://a "]
    ),
    min_size=1,
    max_size=5,
).map("".join)


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_what_is_built_to_be_slow_is_shown_as_it_was_written(text: str) -> None:
    began = time.thread_time()

    html = markdown.render(text)

    assert time.thread_time() - began < 2.5
    assert html.startswith("<pre>")


@settings(max_examples=30, deadline=None)
@given(_MARKS, _MARKS, st.integers(1, 20_000))
def test_no_text_takes_long_or_brings_a_tag_of_its_own(start: str, unit: str, times: int) -> None:
    text = (start + unit * times)[: markdown.MAX_BYTES // 2]
    began = time.thread_time()

    html = markdown.render(text)

    assert time.thread_time() - began < 2.5
    assert not re.search(
        r"<(?!/?(?:p|br|hr|h[1-6]|strong|em|code|pre|blockquote|[uo]l|li|a|t[rhd]|table|thead|tbody)\b)", html
    )


def test_a_long_document_of_people_is_rendered() -> None:
    text = (
        "## What happened\n\nThe *cache* was `cold`, see [the graph](https://example.com/d/1).\n\n- one\n- two\n\n"
        * 200
    )

    html = markdown.render(text)

    assert html.count("<h2>") == html.count("<code>") == 200
    assert html.count("<a ") == 200


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](//evil.example)",
        "![x](https://evil.example/pixel.png)",
        "<javascript:alert(1)>",
        '[x](https://a.example "onmouseover=alert(1)")',
    ],
)
def test_nothing_in_it_runs_or_calls_home(text: str) -> None:
    html = markdown.render(text)

    assert not re.search(r"<(script|img|iframe)|<[^>]+\son|href=\"(?!https?:|mailto:)", html)
