"""Sums of samples between moments: exact, and two statements for any number of SLOs and moments.

The database adds the samples that start between two moments; the few that a moment cuts are read and cut here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import orjson
from django.db import connection

from slos.budget import ZERO, Counts, Interval, Portion
from slos.models import Sample

# Whole events and the millionths beside them are added apart: together they could outgrow 64 bits on SQLite.
_SUMS = f"""sum(s.seconds),
  sum(s.good_millionths / {Sample.UNIT}), sum(s.good_millionths %% {Sample.UNIT}),
  sum(s.valid_millionths / {Sample.UNIT}), sum(s.valid_millionths %% {Sample.UNIT})"""
_WITHIN = "s.slo_id = piece.slo AND s.start >= piece.a AND s.start < piece.b"
_ADDED = f"SELECT piece.n, {_SUMS} FROM piece CROSS JOIN slos_sample s WHERE {_WITHIN} GROUP BY piece.n"
# As a plain join, PostgreSQL reads the samples of all SLOs.
_ADDED_ON_POSTGRESQL = f"""
SELECT piece.n, added.* FROM piece CROSS JOIN LATERAL (
  SELECT {_SUMS} FROM slos_sample s WHERE {_WITHIN} HAVING count(*) > 0
) AS added"""

_LAST_BEFORE = """
SELECT piece.n, s.start, s.seconds, s.good_millionths, s.valid_millionths
FROM piece CROSS JOIN slos_sample s
WHERE s.id = (
  SELECT x.id FROM slos_sample x WHERE x.slo_id = piece.slo AND x.start < piece.a ORDER BY x.start DESC LIMIT 1
)"""

# One JSON parameter, unpacked by the server: [[n, slo, a, b], ...]
_POSTGRESQL = """
WITH piece AS MATERIALIZED (
  SELECT (j->>0)::int AS n, (j->>1)::bigint AS slo, (j->>2)::timestamptz AS a, (j->>3)::timestamptz AS b
  FROM jsonb_array_elements(%s::jsonb) AS j
)"""
_SQLITE = """
WITH piece AS MATERIALIZED (
  SELECT json_extract(value, '$[0]') AS n, json_extract(value, '$[1]') AS slo,
         json_extract(value, '$[2]') AS a, json_extract(value, '$[3]') AS b
  FROM json_each(%s)
)"""


@dataclass(frozen=True, slots=True)
class _Mark:
    """What was counted from the first moment to this one, in seconds and events."""

    covered: Fraction
    good: Fraction
    valid: Fraction
    is_cut: bool  # whether a sample with events lies across it


class Tally:
    """The samples of one SLO, added up between the moments that were asked for."""

    def __init__(self, marks: Mapping[datetime, _Mark]) -> None:
        self._marks = marks

    def cut(self, interval: Interval) -> Portion:
        """As `budget.Series.cut`, for an interval between two of the moments. KeyError for another."""
        first, last = self._marks[interval.start], self._marks[interval.end]
        covered = last.covered - first.covered
        known = covered or interval.start == interval.end
        return Portion(
            interval=interval,
            counts=Counts(last.good - first.good, last.valid - first.valid) if known else None,
            covered=covered,
            is_exact=not (first.is_cut or last.is_cut),
        )


def at(wanted: Mapping[int, Collection[datetime]]) -> dict[int, Tally]:
    """For each SLO (by its primary key), a tally that knows these moments."""
    moments = [(slo, moment) for slo, asked in wanted.items() for moment in sorted(set(asked))]
    before = last_before(moments)
    sums = _added(moments)
    tallies: dict[int, dict[datetime, _Mark]] = {slo: {} for slo in wanted}
    covered = good = valid = ZERO
    for (slo, moment), sample, (seconds, good_there, valid_there) in zip(moments, before, sums, strict=True):
        if not tallies[slo]:
            covered = good = valid = ZERO
        tallies[slo][moment] = _mark(moment, sample, covered, good, valid)
        covered, good, valid = covered + seconds, good + good_there, valid + valid_there
    return {slo: Tally(marks) for slo, marks in tallies.items()}


def last_before(moments: Iterable[tuple[int, datetime]]) -> list[Sample | None]:
    """The last sample that starts before each (SLO, moment), in one statement."""
    asked = list(moments)
    found: list[Sample | None] = [None] * len(asked)
    pieces = [[n, slo, sent(moment), None] for n, (slo, moment) in enumerate(asked)]
    for n, start, seconds, good, valid in _answer(_LAST_BEFORE, pieces):
        found[n] = Sample(
            slo_id=asked[n][0], start=_received(start), seconds=seconds, good_millionths=good, valid_millionths=valid
        )
    return found


def sent(moment: datetime) -> str:
    """A moment as it must stand in a JSON parameter: for SQLite in the very form in which Django stores it."""
    if connection.vendor == "postgresql":
        return moment.astimezone(UTC).isoformat()
    return str(connection.ops.adapt_datetimefield_value(moment))


def _mark(moment: datetime, sample: Sample | None, covered: Fraction, good: Fraction, valid: Fraction) -> _Mark:
    """The sums of all samples that start before the moment, less what the last of them counts after it."""
    if sample is None or sample.end <= moment:
        return _Mark(covered, good, valid, is_cut=False)
    over = Fraction((sample.end - moment) // timedelta(microseconds=1), 1_000_000)
    part = over / sample.seconds
    return _Mark(
        covered - over,
        good - part * Fraction(sample.good_millionths, Sample.UNIT),
        valid - part * Fraction(sample.valid_millionths, Sample.UNIT),
        is_cut=sample.valid_millionths > 0,
    )


def _added(moments: list[tuple[int, datetime]]) -> list[tuple[Fraction, Fraction, Fraction]]:
    """Seconds, good and valid of the samples that start between each moment and the next one of the same SLO."""
    pieces = [
        [n, slo, sent(start), sent(end)]
        for n, ((slo, start), (following, end)) in enumerate(pairwise(moments))
        if slo == following
    ]
    sums = [(ZERO, ZERO, ZERO)] * len(moments)
    for n, seconds, good, good_rest, valid, valid_rest in _answer(
        _ADDED_ON_POSTGRESQL if connection.vendor == "postgresql" else _ADDED, pieces
    ):
        sums[n] = (
            Fraction(int(seconds)),
            int(good) + Fraction(int(good_rest), Sample.UNIT),
            int(valid) + Fraction(int(valid_rest), Sample.UNIT),
        )
    return sums


def _answer(question: str, pieces: list[list[Any]]) -> list[tuple[Any, ...]]:
    if not pieces:
        return []
    unpack = _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE
    with connection.cursor() as cursor:
        cursor.execute(unpack + question, [orjson.dumps(pieces).decode()])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _received(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
