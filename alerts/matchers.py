"""Matchers of labels, in Alertmanager's own syntax: `severity="critical"`, `env!=dev`, `job=~"web|api"`,
`pod!~"tmp-.*"`.

Source: prometheus/alertmanager, pkg/labels/parse.go, matcher/parse and matcher/compat, whose default mode knows two
ways to read a list. What the *classic* one can read, it reads: names of ASCII; values with spaces and the like, quoted
or not, in which `\\n`, `\\"` and `\\\\` alone are escapes. What that one refuses goes to the *UTF-8* one: names of any
letters, quoted where they hold what is reserved; quoted words with all escapes that a string of Go has, and no others.

A label that is not there counts as empty; an expression has to fit the whole value. Expressions are RE2: no pattern
makes matching slow.

Beyond that, a list may stand on several lines, each of which is read by itself, as those of `matchers` in
Alertmanager's configuration are. And of a list that neither way can read, each matcher is read by itself, with escapes
as in JSON if need be: one way may fit the first and the other the second, or a label's name be quoted and its value
empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from common.errors import DomainError
from common.text import storable

MOST = 20  # in one list
LONGEST = 2000  # characters of a list
_MEMORY = 1 << 20  # bytes that an expression may take, compiled

_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # as Go has it
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BARE = rf"[^{_SPACE}{{}}!=~,\\\"'`]+"
_WORD = rf"(?:{_QUOTED}|{_BARE})"
_OPERATOR = r"(?:=~|!~|!=|=)"

_CLASSIC = re.compile(
    rf"[\t\n\f\r ]*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(?P<operator>{_OPERATOR})"
    r"[\t\n\f\r ]*(?P<value>.*?)[\t\n\f\r ]*",
    re.DOTALL,
)
_IN_QUOTES = re.compile(_QUOTED, re.DOTALL)
_WITHOUT_QUOTES = re.compile(r'(?:[^"\\]|\\.)*\\?', re.DOTALL)
_CLASSIC_ESCAPE = re.compile(r'\\([n"\\])')
_CLASSIC_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}

_UTF8 = re.compile(
    rf"[{_SPACE}]*(?P<name>{_WORD})[{_SPACE}]*(?P<operator>{_OPERATOR})[{_SPACE}]*(?P<value>{_WORD})[{_SPACE}]*",
    re.DOTALL,
)
_GO_ESCAPE = re.compile(
    r"""\\(?:(?P<one>[abfnrtv\\"])|x(?P<x>[0-9a-fA-F]{2})|(?P<o>[0-3][0-7]{2})|u(?P<u>[0-9a-fA-F]{4})"""
    r"""|U(?P<U>[0-9a-fA-F]{8})|(?P<none>.?))""",
    re.DOTALL,
)
_GO_ESCAPES = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))

# An empty value ends with its line; another one may stand on the next, where that begins no matcher of its own.
_ALONE = re.compile(
    rf"\s*(?P<name>{_WORD})\s*(?P<operator>{_OPERATOR})"
    rf"(?:[^\S\n]*(?=\S)|\s*+(?!{_WORD}\s*{_OPERATOR})|)(?P<value>{_QUOTED}|[^\s\"',{{}}]*)\s*",
    re.DOTALL,
)


class BadMatcher(DomainError):
    """It is not in the syntax of matchers."""

    code = "bad_matcher"
    status = 422


@dataclass(frozen=True, slots=True)
class Matcher:
    """One comparison of a label."""

    name: str
    operator: str
    value: str
    pattern: Any = None  # compiled, of `=~` and `!~`

    def matches(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.name, "")
        if self.pattern is not None:
            return (self.pattern.fullmatch(found) is not None) == (self.operator == "=~")
        return (found == self.value) == (self.operator == "=")

    def __str__(self) -> str:
        """So that it is read as the same again."""
        if re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", self.name):
            value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            return f'{self.name}{self.operator}"{value}"'
        return f"{_quoted(self.name)}{self.operator}{_quoted(self.value)}"


def parse(text: str) -> tuple[Matcher, ...]:
    """The matchers of a list, which all have to fit: separated by commas or lines, within braces or without. Of
    nothing, none, which fits everything. Raises BadMatcher."""
    if len(text) > LONGEST:
        raise BadMatcher(_("These matchers are longer than {n} characters.").format(n=LONGEST))
    if storable(text) != text:
        raise BadMatcher(_("This is no quoted text: {text}").format(text=storable(text)[:60]))
    text = text.strip()
    try:
        found = [matcher for line in _lines(text) for matcher in _first(line, _classic, _utf8, _one_by_one)]
    except BadMatcher as fault:
        try:
            found = _one_by_one(text)  # one of them may go over several lines
        except BadMatcher:
            raise fault from None
    if len(found) > MOST:
        raise BadMatcher(_("These are more than {n} matchers.").format(n=MOST))
    return tuple(found)


def _lines(text: str) -> list[str]:
    """Its lines, as far as they are not within quotes, without the braces around them all."""
    if len(_split(text, "\n")) == 1:
        return [text]
    return [line for line in map(str.strip, _split(_without_braces(text), "\n")) if line]


def _first(text: str, *ways: Callable[[str], list[Matcher]]) -> list[Matcher]:
    """As the first of these ways reads it that can. Raises what the last one says."""
    *others, last = ways
    for way in others:
        try:
            return way(text)
        except BadMatcher:
            continue
    return last(text)


def _classic(text: str) -> list[Matcher]:
    *parts, last = _split(text.removeprefix("{").removesuffix("}"), ",")
    found = []
    for part in [*parts, last] if last.strip() else parts:
        match = _CLASSIC.fullmatch(part)
        if match is None:
            raise _no_matcher(part)
        found.append(_made(match["name"], match["operator"], _classic_value(match["value"])))
    return found


def _split(text: str, separator: str) -> list[str]:
    """Its parts between separators that are not within quotes."""
    parts = [""]
    is_quoted = is_escaped = False
    for character in text:
        if character == separator and not is_quoted:
            parts.append("")
            is_escaped = is_escaped and separator == ","
            continue
        if character == '"' and not is_escaped:
            is_quoted = not is_quoted
        if character != ",":  # which leaves it as it is, there too
            is_escaped = character == "\\" and not is_escaped
        parts[-1] += character
    return parts


def _classic_value(raw: str) -> str:
    """Only a few escapes count: any other backslash stands for itself. Quotes stand at both ends, or nowhere."""
    is_quoted = raw.startswith('"')
    if not (_IN_QUOTES if is_quoted else _WITHOUT_QUOTES).fullmatch(raw):
        raise _no_text(raw)
    return _CLASSIC_ESCAPE.sub(lambda match: _CLASSIC_ESCAPES[match[1]], raw[1:-1] if is_quoted else raw)


def _utf8(text: str) -> list[Matcher]:
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1].strip()
    found = []
    while rest:
        match = _UTF8.match(rest)
        if match is None:
            raise _no_matcher(rest)
        rest = rest[match.end() :]
        if rest and not rest.startswith(","):
            raise _no_comma(rest)
        rest = rest[1:].strip()
        found.append(_made(_utf8_word(match["name"]), match["operator"], _utf8_word(match["value"])))
    return found


def _utf8_word(word: str) -> str:
    """What is quoted is read as a string of Go."""
    if not word.startswith('"'):
        return word
    if "\n" in word:
        raise _no_text(word)

    def meant(match: re.Match[str]) -> bytes:
        if match["one"]:
            return _GO_ESCAPES[match["one"]].encode()
        if match["x"] or match["o"]:
            return bytes([int(match["x"], 16) if match["x"] else int(match["o"], 8)])
        return chr(int(match["u"] or match["U"] or "", 16)).encode()  # of no escape, of a surrogate: ValueError

    inner, read, end = word[1:-1], b"", 0
    try:
        for match in _GO_ESCAPE.finditer(inner):
            read += inner[end : match.start()].encode() + meant(match)
            end = match.end()
        return (read + inner[end:].encode()).decode()
    except (ValueError, OverflowError) as exc:
        raise _no_text(word) from exc


def _one_by_one(text: str) -> list[Matcher]:
    """Each matcher by itself, where the list as a whole cannot be read: Alertmanager would refuse it."""
    rest = _without_braces(text)
    found: list[Matcher] = []
    while rest:
        match = _ALONE.match(rest)
        if match is None:
            raise _no_matcher(rest)
        # Each stands alone on its line, or is parted by a comma from the next.
        ends_line = "\n" in match.group()[match.end("value") - match.start() :]
        rest = rest[match.end() :]
        if rest.startswith(","):
            rest = rest[1:].strip()
        elif rest and not ends_line:
            raise _no_comma(rest)
        found += _first(f"{match['name']}{match['operator']} {match['value']}", _classic, _utf8, _as_json)
    return found


def _as_json(text: str) -> list[Matcher]:
    """One matcher, whose words have the escapes of JSON, and whose value may be empty."""
    match = _ALONE.fullmatch(text)
    assert match is not None, "it was found as such"
    name, value = (_json_text(word) if word.startswith('"') else word for word in (match["name"], match["value"]))
    return [_made(name, match["operator"], value)]


def _json_text(word: str) -> str:
    """As a string of JSON has it; any other backslash stands for itself."""
    inner = re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", word[1:-1])
    try:
        read: str = json.loads(f'"{inner}"', strict=False)
    except ValueError as exc:
        raise _no_text(word) from exc
    return read


def _without_braces(text: str) -> str:
    return text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text


def _made(name: str, operator: str, value: str) -> Matcher:
    if not name:
        raise BadMatcher(_("A label has a name."))
    if storable(name) != name or storable(value) != value:
        raise _no_text(storable(f"{name}{operator}{value}"))
    if operator in ("=", "!="):
        return Matcher(name, operator, value)
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return Matcher(name, operator, value, re2.compile(value, options))
    except re2.error as exc:
        fault = exc.args[0].decode() if exc.args and isinstance(exc.args[0], bytes) else str(exc)
        reason, __, part = fault.partition(": ")
        words = _('RE2 cannot read the expression "{text}": {reason} at "{part}".')
        raise BadMatcher(words.format(text=value[:60], reason=reason, part=(part or value)[:60])) from exc


def _no_matcher(text: str) -> BadMatcher:
    return BadMatcher(_('This is no matcher such as severity="critical": {text}').format(text=text[:60]))


def _no_comma(text: str) -> BadMatcher:
    return BadMatcher(_("A comma is missing before: {text}").format(text=text[:60]))


def _no_text(text: str) -> BadMatcher:
    return BadMatcher(_("This is no quoted text: {text}").format(text=text[:60]))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
