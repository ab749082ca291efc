"""Whatever an alert or a person called something, the document shows those characters and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common import markdown
from postmortems import markdown_text


class Reader(HTMLParser):
    """What a browser would show, and which tags there are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


_HOSTILE = st.text(alphabet=st.sampled_from("<>&;#[]()!*_`~|\\-+=.:/ 1aZé\n\t\"'"), max_size=40)


@settings(max_examples=300, deadline=None)
@given(st.one_of(_HOSTILE, st.text(max_size=40)))
@example("<script>alert(1)</script>")
@example("[x](javascript:alert(1))")
@example("![x](http://evil.example/x.png)")
@example("[x]: javascript:alert(1)")
@example("__a b_c d__")
@example("1. one")
@example("- [ ] task")
@example("&lt;b&gt; &amp; &#60;")
@example("```\ncode\n```")
@example("\\`\\\\`x`")
@example("a | b || c")
def test_any_text_reads_as_it_was_written(text: str) -> None:
    shown = read(markdown.render("x " + markdown_text.escape_markdown(text)))

    assert shown.tags <= {"p"}
    written = "".join(" " if ord(c) < 32 or ord(c) == 127 else c for c in text)
    assert " ".join(shown.text.split()) == " ".join(f"x {written}".split())


@settings(max_examples=150, deadline=None)
@given(_HOSTILE)
@example("- x")
@example("1) x")
@example("# x")
@example("> x")
@example("---")
@example("===")
def test_text_at_the_start_of_a_line_is_no_markup_either(text: str) -> None:
    shown = read(markdown.render(markdown_text.escape_markdown(text)))

    assert shown.tags <= {"p"}
    assert " ".join(shown.text.split()) == " ".join(text.split())


@settings(max_examples=150, deadline=None)
@given(_HOSTILE, _HOSTILE)
@example("a | b", "\\")
def test_a_cell_stays_one_cell(left: str, right: str) -> None:
    cells = [markdown_text.escape_markdown(left) or "-", markdown_text.escape_markdown(right) or "-"]

    html = markdown.render(markdown_text.table(["One", "Two"], [cells]))

    assert html.count("<td>") == 2
    assert read(html).tags <= {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://x/y", "http://[::1", "nonsense", ""]
)
def test_only_web_addresses_become_links(url: str) -> None:
    assert "<a" not in markdown.render(markdown_text.link("dashboard", url))


def test_a_web_address_with_brackets_and_quotes_stays_one_link() -> None:
    url = 'http://prometheus.example:9090/graph?g0.expr=rate(x{code=~"5.."}[5m])&g0.tab=1'

    html = markdown.render(markdown_text.link("Graph [1]", url))

    assert html.count("<a ") == 1
    assert "rate%28x%7Bcode=~%225..%22%7D%5B5m%5D%29&amp;g0.tab=1" in html
    assert ">Graph [1]</a>" in html


def test_identifiers_stay_readable_in_the_source() -> None:
    assert markdown_text.escape_markdown("http_requests_total in eu-west-1") == "http_requests_total in eu-west-1"


def test_times_and_numbers_are_words_with_units_and_unknown_is_said() -> None:
    assert markdown_text.utc(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)) == "2026-03-01 12:00:05 UTC"
    assert markdown_text.utc(None) == "unknown"
    assert [markdown_text.duration(n) for n in (0, 59, 245, 4320, 93600, 3600, None)] == [
        *("0 s", "59 s", "4 min 5 s", "1 h 12 min", "1 d 2 h", "1 h", "unknown")
    ]
    shares = [Fraction(0), Fraction(1, 5), Fraction(1, 1_000_000), Fraction(7, 3), None]
    assert [markdown_text.percent(share) for share in shares] == ["0 %", "20 %", "0.0001 %", "233 %", "unknown"]
    assert [markdown_text.events(n) for n in (Fraction(0), Fraction(1234), Fraction(5, 2), None)] == [
        *("0", "1,234", "2.5", "unknown")
    ]
