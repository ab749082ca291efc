"""Matchers are read and judged as Alertmanager does it."""

from __future__ import annotations

import time

import pytest

from alerts import matchers

LABELS = {"severity": "critical", "env": "prod", "my.label": "a b", "empty": ""}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("{}", True),
        ('severity="critical"', True),
        ("severity=critical", True),
        ('{severity="critical", env!="dev",}', True),
        ('severity="critical"\nenv=dev', False),
        ('severity=~"crit|warn"', False),  # an expression has to fit the whole value
        ('severity=~"crit.*|warn"', True),
        ('env!~"dev|test"', True),
        ('env!~"p.*"', False),
        ('missing=""', True),
        ('missing!=""', False),
        ('empty=""', True),
        ('"my.label"="a b"', True),
        (r'"my.label"=~"a\sb"', True),
        (r'env="pr\u006fd"', False),  # an escape where a name is quoted alone
        (r'"env"="pr\u006fd"', True),
    ],
)
def test_labels_fit(text: str, fits: bool) -> None:
    assert all(matcher.matches(LABELS) for matcher in matchers.parse(text)) is fits


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x y",
        '="a"',
        "a!b",
        "a=b,,c=d",
        ",a=b",
        "{{a=b}}",
        'a=b"',
        'a="b"c"',
        r'a="b\"',
        'größe="two" words',
        '""=a',
        'a="b" c="d"',
        'x=~"("',
        r'x=~"(?<=a)b"',
        'a="unfinished',
        r'"a"="\ud800"',
        r'a=~"\ud800"',
        r'"a"="\u0000"',
        r'"\u0000"=a',
        "a=\ud800",
        "a=b," * 30,
        "a=" + "b" * 3000,
    ],
)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(matchers.BadMatcher):
        matchers.parse(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        # as the classic way of Alertmanager reads them, which comes first
        (r'msg=~".*\bOOM\b.*"', [("msg", "=~", r".*\bOOM\b.*")]),
        (r'user="CORP\bob"', [("user", "=", r"CORP\bob")]),
        (r'path="C:\temp"', [("path", "=", r"C:\temp")]),
        (r'path="C:\\new"', [("path", "=", r"C:\new")]),
        (r'a="x\ny"', [("a", "=", "x\ny")]),
        (r"a=x\ny", [("a", "=", "x\ny")]),
        (r'a="\u00e9\/"', [("a", "=", r"\u00e9\/")]),
        (r'a=~"\d+\.\\d"', [("a", "=~", r"\d+\.\d")]),
        (r'a="say \"x, y\"",b=c', [("a", "=", 'say "x, y"'), ("b", "=", "c")]),
        (r"a=b\"c", [("a", "=", 'b"c')]),
        ("a=two words , b != 'x'", [("a", "=", "two words"), ("b", "!=", "'x'")]),
        ("a==b", [("a", "=", "=b")]),
        ("a={b}", [("a", "=", "{b")]),  # a brace at the end is cut off
        ("a=b,", [("a", "=", "b")]),
        ('a="b\nc"', [("a", "=", "b\nc")]),
        ("a=\xa0b", [("a", "=", "\xa0b")]),
        ("a=,b=", [("a", "=", ""), ("b", "=", "")]),
        # as the UTF-8 way reads them
        ("service.name=checkout", [("service.name", "=", "checkout")]),
        ("größe=1,env!~dev", [("größe", "=", "1"), ("env", "!~", "dev")]),
        (r'"a b"="x\ty", c="\x41\103\u00e9\U0001F600\xc3\xa9"', [("a b", "=", "x\ty"), ("c", "=", "ACé😀é")]),
        (r'a=~"\u00e9"', [("a", "=~", "é")]),
        # what stands on several lines
        ("env=\nseverity=critical", [("env", "=", ""), ("severity", "=", "critical")]),
        ("env=\r\nseverity=critical\r\n", [("env", "=", ""), ("severity", "=", "critical")]),
        ("a=two words\n{größe=1, b=c}", [("a", "=", "two words"), ("größe", "=", "1"), ("b", "=", "c")]),
        ('{\n  a="b",\n  c=d,\n}', [("a", "=", "b"), ("c", "=", "d")]),
        ('a=x\\\n"b"=c', [("a", "=", "x\\"), ("b", "=", "c")]),
        ('a=b\n, c\n=\n"d"', [("a", "=", "b"), ("c", "=", "d")]),
        ("a= ~b\n, c=d", [("a", "=", "~b"), ("c", "=", "d")]),
        ("a=\nb=c\n, d=e", [("a", "=", ""), ("b", "=", "c"), ("d", "=", "e")]),
        # and what Alertmanager refuses, each by itself
        (r'"a b"=~"\d+", c="C:\users", größe=', [("a b", "=~", r"\d+"), ("c", "=", r"C:\users"), ("größe", "=", "")]),
        (r'"a b"="x", c=~"\u00e9\d"', [("a b", "=", "x"), ("c", "=~", r"é\d")]),
    ],
)
def test_a_list_is_read_as_alertmanager_reads_it(text: str, read: list[tuple[str, str, str]]) -> None:
    assert [(each.name, each.operator, each.value) for each in matchers.parse(text)] == read


def test_a_boundary_of_words_is_one() -> None:
    [matcher] = matchers.parse(r'msg=~".*\bOOM\b.*"')

    assert matcher.matches({"msg": "killed: OOM at night"})
    assert not matcher.matches({"msg": "ZOOM is down"})


def test_what_is_wrong_with_an_expression_is_said() -> None:
    with pytest.raises(matchers.BadMatcher) as caught:
        matchers.parse('x=~"[a"')

    assert str(caught.value) == 'RE2 cannot read the expression "[a": missing ] at "[a".'


def test_no_expression_makes_matching_slow() -> None:
    [matcher] = matchers.parse('x=~"(a*)*b"')
    began = time.process_time()

    assert not matcher.matches({"x": "a" * 100_000})

    assert time.process_time() - began < 1


def test_a_matcher_says_itself_so_that_it_can_be_read_again() -> None:
    for text in ('"my.label"!="a \\"b\\""', 'a=~"x|y"', r'a=~"\d\\\\"', r'a="C:\temp"', r'"ä b"="\t"', 'a="x\ny"'):
        [matcher] = matchers.parse(text)
        assert [str(matcher)] == [str(each) for each in matchers.parse(str(matcher))]
