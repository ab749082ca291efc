"""An alert whose label changes at every evaluation - a value, a percentage, a moment - is a new alert each time, and
may be a group of its own each time: it opens some incidents, and what comes after them joins the last.

What changes so is a number, as templates of Prometheus print them. An id is one too (`partition="3"`), and time tells
them apart: several within half an hour count in any case. Over longer, and where two labels change, they count where
they come as regularly as a rule is evaluated, whole steps apart: what truly differs fails whenever it fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol, TypeVar

from django.db.models import Max

from alerts.models import Alert, Integration
from common import statements
from incidents.models import Incident

WITHIN = timedelta(minutes=30)
AT_MOST = 3  # incidents that differ in such labels alone
_CHANGING = 2  # labels
_STEP = (timedelta(seconds=10), timedelta(hours=4))  # from one evaluation to the next
_STEPS = 4  # as a value may stay what it was for a while
_PUNCTUAL = timedelta(seconds=30)  # by which notifications are late or early, at most
SINCE = timedelta(days=7)
LOOKED_AT = 1000  # incidents, of all integrations, so that it costs no more in a storm;
_COMPARED = 100  # and of those
_LONGEST = 64  # characters

# The inner SELECT is bounded, and goes along an index; of what it finds, the names of few are looked at.
_LAST = f"""
SELECT id, number, status, labels, correlation_key, merged_into_id, resolved_at, created_at, updated_at
FROM (SELECT * FROM incidents_incident WHERE created_at > %s ORDER BY created_at DESC, id DESC LIMIT {LOOKED_AT}) AS i
WHERE correlation_key LIKE %s AND (%s OR {{name}} = %s)
ORDER BY created_at DESC, id DESC LIMIT {_COMPARED}"""
_LAST_ON_POSTGRESQL = _LAST.format(name="labels ->> 'alertname'")
_LAST_ON_SQLITE = _LAST.format(name="json_extract(labels, '$.alertname')")

_DIGITS = r"(?:\d+|\d{1,3}(?:[,'’\u202f\xa0]\d{3})+)(?:\.\d+)?"
_KINDS = {
    "percent": rf"[+−-]?{_DIGITS}\s?%",
    "number": rf"[+−-]?(?:{_DIGITS}\s?(?:[kKMGTPEZY]i?B?)?|\d+\.\d+[munpfazyµ])(?:/s)?",  # 5m is a window, 7b an id
    "duration": rf"[+−-]?(?:\d+d\s?)?(?:\d+h\s?)?(?:\d+m\s?)?{_DIGITS}(?:[mnuµ]?s)",
    "moment": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s?(?:Z|UTC|[+-]\d\d:?\d\d(?:\s[A-Z]{1,5})?)?",
}
_KIND = re.compile("|".join(rf"(?P<{kind}>{form})" for kind, form in _KINDS.items()))


class Opened(Protocol):
    """What is compared of an incident."""

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def created_at(self) -> datetime: ...

    @property
    def is_open(self) -> bool: ...


_Opened = TypeVar("_Opened", bound=Opened)


def same(integration: Integration, labels: Mapping[str, str], *, at: datetime) -> Incident | None:
    """The incident that alerts with these labels are to join in place of opening another: the latest open one of so
    many that differ in one label or two alone, whose values are numbers of one kind. Asks for nothing where no label
    has a number, else for the last incidents, with one statement; and if it may be a slow rule, with a second one."""
    kinds = _kinds_in(labels)
    return among(_lately(integration, labels, kinds, at), labels, _heard_at, at=at) if kinds else None


def among(
    recent: Sequence[_Opened],
    labels: Mapping[str, str],
    heard_at: Callable[[_Opened], datetime | None],
    *,
    at: datetime,
) -> _Opened | None:
    """The same, of these, the newest first; `heard_at` tells when the last alert of one was heard of first."""
    kinds = _kinds_in(labels)
    found = [(each, _changed(labels, each.labels, kinds)) for each in recent]
    alike = [(each, changed) for each, changed in found if changed is not None]
    for names in _sets(kinds, [changed for _, changed in alike]):
        ones = [each for each, changed in alike if changed <= names]
        of_late = [each for each in ones if each.created_at > at - WITHIN]
        if len(names) == 1 and len(of_late) >= AT_MOST:
            return next((each for each in of_late if each.is_open), None)
        last = next((each for each in ones if each.is_open), None)
        if last is not None and len(ones) >= AT_MOST and _are_regular(ones[:AT_MOST], heard_at(last), at):
            return last
    return None


def _lately(
    integration: Integration, labels: Mapping[str, str], kinds: Mapping[str, str], at: datetime
) -> list[Incident]:
    """The last incidents of the same name, newest first."""
    is_named = "alertname" in labels.keys() - kinds.keys()
    sql = _LAST_ON_POSTGRESQL if statements.is_postgresql() else _LAST_ON_SQLITE
    name = labels["alertname"] if is_named else ""
    return list(Incident.objects.raw(sql, [statements.moment(at - SINCE), f"{integration.pk}:%", not is_named, name]))


def _changed(labels: Mapping[str, str], before: Mapping[str, str], kinds: Mapping[str, str]) -> frozenset[str] | None:
    """The names of the labels whose values changed; None where more did than numbers of the same kind."""
    if labels.keys() != before.keys():
        return None
    changed = frozenset(name for name, value in labels.items() if before[name] != value)
    if len(changed) > _CHANGING or any(kinds.get(name) != _kind(before[name]) for name in changed):
        return None
    return changed


def _sets(kinds: Iterable[str], changed: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Labels that may be what changes, one before two."""
    ones = {frozenset([name]) for name in kinds}
    twos = {names for names in changed if len(names) == _CHANGING}
    return [*sorted(ones, key=sorted), *sorted(twos, key=sorted)]


def _heard_at(incident: Incident) -> datetime | None:
    heard: datetime | None = Alert.objects.filter(incident=incident).aggregate(at=Max("first_seen_at"))["at"]
    return heard


def _are_regular(alike: Sequence[Opened], heard: datetime | None, at: datetime) -> bool:
    """Whether these, of the last of which an alert was heard of then, and what comes now lie whole steps apart."""
    if heard is None:
        return False
    gaps = [at - heard, *(later.created_at - earlier.created_at for later, earlier in pairwise(alike))]
    shortest = min(gaps)
    if not _STEP[0] <= shortest <= _STEP[1] or max(gaps) > _STEPS * shortest:
        return False
    return any(all(_is_whole(gap, step) for gap in gaps) for step in (shortest, shortest / 2))


def _is_whole(gap: timedelta, step: timedelta) -> bool:
    """Whether it is so many steps long, as far as notifications are punctual."""
    return abs(gap - round(gap / step) * step) <= min(step / 20, _PUNCTUAL)


def _kinds_in(labels: Mapping[str, str]) -> dict[str, str]:
    """Which labels have numbers, and of what kind."""
    return {name: kind for name, value in labels.items() if (kind := _kind(value))}


def _kind(text: str) -> str:
    """What kind of number it is; "" of none."""
    if len(text) > _LONGEST:
        return ""
    match = _KIND.fullmatch(text)
    if match is not None:
        return match.lastgroup or ""
    try:
        float(text.rstrip("%"))
    except ValueError:
        return ""
    return "percent" if text.endswith("%") else "number"
