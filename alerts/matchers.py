"""Matchers of labels, in Alertmanager's own syntax: `severity="critical"`, `env!=dev`, `job=~"web|api"`,
`pod!~"tmp-.*"`.

Source: prometheus/alertmanager, "Matcher" in its documentation of the configuration. A label that is not there counts
as empty; an expression has to fit the whole value. Expressions are RE2: no pattern makes matching slow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from common.errors import DomainError

MOST = 20  # in one list
LONGEST = 2000  # characters of a list
_MEMORY = 1 << 20  # bytes that an expression may take, compiled

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_MATCHER = re.compile(
    rf"\s*(?P<name>{_QUOTED}|[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>{_QUOTED}|[^\s\"',{{}}]*)\s*"
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
        name = self.name if re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", self.name) else _quoted(self.name)
        return f"{name}{self.operator}{_quoted(self.value)}"


def parse(text: str) -> tuple[Matcher, ...]:
    """The matchers of a list, which all have to fit: separated by commas or lines, within braces or without. Of
    nothing, none, which fits everything. Raises BadMatcher."""
    if len(text) > LONGEST:
        raise BadMatcher(_("These matchers are longer than {n} characters.").format(n=LONGEST))
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1].strip()
    found: list[Matcher] = []
    while rest:
        match = _MATCHER.match(rest)
        if match is None:
            raise BadMatcher(_('This is no matcher such as severity="critical": {text}').format(text=rest[:60]))
        # Each stands alone on its line, or is parted by a comma from the next.
        ends_line = "\n" in match.group()[match.end("value") - match.start() :]
        rest = rest[match.end() :]
        if rest.startswith(","):
            rest = rest[1:].strip()
        elif rest and not ends_line:
            raise BadMatcher(_("A comma is missing before: {text}").format(text=rest[:60]))
        found.append(_made(_read(match["name"]), match["operator"], _read(match["value"])))
        if len(found) > MOST:
            raise BadMatcher(_("These are more than {n} matchers.").format(n=MOST))
    return tuple(found)


def _made(name: str, operator: str, value: str) -> Matcher:
    if not name:
        raise BadMatcher(_("A label has a name."))
    if operator in ("=", "!="):
        return Matcher(name, operator, value)
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return Matcher(name, operator, value, re2.compile(value, options))
    except re2.error as exc:
        fault = exc.args[0].decode() if exc.args and isinstance(exc.args[0], bytes) else str(exc)
        words = _("This is no expression of RE2: {text} ({fault})")
        raise BadMatcher(words.format(text=value[:60], fault=fault)) from exc


def _read(word: str) -> str:
    """A word as it is meant: what is quoted has escapes as a string of Go has them."""
    if not word.startswith('"'):
        return word
    inner = re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", word[1:-1])  # \d and \. belong to an expression
    try:
        read: str = json.loads(f'"{inner}"', strict=False)
    except ValueError as exc:
        raise BadMatcher(_("This is no quoted text: {text}").format(text=word[:60])) from exc
    return read


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
