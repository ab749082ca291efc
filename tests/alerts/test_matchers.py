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
        (r'env="pr\u006fd"', True),
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
        "a==b c",
        'a="b" c="d"',
        'x=~"("',
        r'x=~"(?<=a)b"',
        'a="unfinished',
        "a=b," * 30,
        "a=" + "b" * 3000,
    ],
)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(matchers.BadMatcher):
        matchers.parse(text)


def test_no_expression_makes_matching_slow() -> None:
    [matcher] = matchers.parse('x=~"(a*)*b"')
    began = time.process_time()

    assert not matcher.matches({"x": "a" * 100_000})

    assert time.process_time() - began < 1


def test_a_matcher_says_itself_so_that_it_can_be_read_again() -> None:
    for text in ('"my.label"!="a \\"b\\""', 'a=~"x|y"'):
        [matcher] = matchers.parse(text)
        assert [str(matcher)] == [str(each) for each in matchers.parse(str(matcher))]
