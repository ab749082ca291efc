"""The ledger of good and valid events: samples are stored here and nowhere else, and budgets are read from it.

Nothing that follows from samples is kept: a corrected sample corrects every figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import orjson
from django.db import connection, transaction

from common import years
from common.errors import Invalid
from slos import budget as arithmetic
from slos import sums
from slos.budget import BURN_WINDOWS, Attribution, Interval, Name, Portion, Series, Status, Window
from slos.models import Sample, Slo

MAX_ROWS = 10_000
MAX_SECONDS = 86_400
MAX_EVENTS = 10**12  # of one sample
AHEAD = timedelta(minutes=5)  # what the sender's clock may be fast
_MAX_ERRORS = 20
_MAX_DIGITS = 40

_wide = Context(prec=2 * _MAX_DIGITS)

_UPSERT = """
INSERT INTO slos_sample (slo_id, start, seconds, good_millionths, valid_millionths)
SELECT {columns}
ON CONFLICT (slo_id, start) DO UPDATE SET
  seconds = excluded.seconds, good_millionths = excluded.good_millionths,
  valid_millionths = excluded.valid_millionths"""
_POSTGRESQL = """(j->>0)::bigint, (j->>1)::timestamptz, (j->>2)::int, (j->>3)::bigint, (j->>4)::bigint
FROM jsonb_array_elements(%s::jsonb) AS j"""
_SQLITE = """json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
  json_extract(value, '$[3]'), json_extract(value, '$[4]')
FROM json_each(%s) WHERE true"""


class OverlappingSamples(Invalid):
    """Two samples with different starts count the same second: its events would count twice."""

    code = "overlapping_samples"


# What comes in


@transaction.atomic
def store(slo: Slo, rows: Sequence[Any], *, now: datetime) -> tuple[int, int]:
    """Keep samples as they are pushed, `[{"start", "seconds", "good", "valid"}]`: (how many are new, how many replaced
    one with the same start, before or in this call). All or none; pushing the same again changes nothing.

    Raises Invalid with the faults by row and field, and OverlappingSamples where a sample lies across another one, this
    call's or an earlier one's. The number of statements does not depend on how many rows there are.
    """
    if len(rows) > MAX_ROWS:
        raise Invalid(f"At most {MAX_ROWS:,} samples at a time.", code="too_many_samples")
    samples = {sample.start: sample for sample in _parsed(slo, rows, now)}
    if not samples:
        return 0, 0
    Slo.objects.select_for_update().get(pk=slo.pk)  # whether samples overlap is judged one call after another
    before = slo.samples.filter(start__gte=min(samples), start__lte=max(samples)).count()
    _upsert(samples.values())
    after = slo.samples.filter(start__gte=min(samples), start__lte=max(samples)).count()
    _refuse_overlaps(slo, list(samples.values()))
    return after - before, len(rows) - (after - before)


def _upsert(samples: Iterable[Sample]) -> None:
    rows = [[s.slo_id, sums.sent(s.start), s.seconds, s.good_millionths, s.valid_millionths] for s in samples]
    unpack = _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT.format(columns=unpack), [orjson.dumps(rows).decode()])


def _refuse_overlaps(slo: Slo, samples: list[Sample]) -> None:
    """Raise where the last sample before the start of one of these lasts into it, or another one starts within it."""
    edges = [(slo.pk, sample.start) for sample in samples] + [(slo.pk, sample.end) for sample in samples]
    found = sums.last_before(edges)
    for sample, earlier, last_within in zip(samples, found, found[len(samples) :], strict=False):
        assert last_within is not None
        other = earlier if earlier is not None and earlier.end > sample.start else last_within
        if other.start != sample.start:
            raise OverlappingSamples(
                f"The sample of {_instant(sample.start)} overlaps with the one of {_instant(other.start)} "
                f"({other.seconds} s): samples of one SLO lie side by side.",
                errors=[("start", f"{_instant(sample.start)} overlaps with {_instant(other.start)}.")],
            )


def _parsed(slo: Slo, rows: Sequence[Any], now: datetime) -> list[Sample]:
    samples = []
    errors: list[tuple[str, str]] = []
    for number, row in enumerate(rows):
        sample, faults = _sample(slo, row, now)
        errors += [(f"{number}.{field}" if field else str(number), message) for field, message in faults]
        if sample is not None:
            samples.append(sample)
        if len(errors) >= _MAX_ERRORS:
            break
    if errors:
        raise Invalid("These samples cannot be used.", errors=errors[:_MAX_ERRORS])
    return samples


def _sample(slo: Slo, row: Any, now: datetime) -> tuple[Sample | None, list[tuple[str, str]]]:
    """The sample of a row, or what is wrong with it by field."""
    if not isinstance(row, Mapping):
        return None, [("", "A sample is an object with start, seconds, good and valid.")]
    faults: list[tuple[str, str]] = []
    start = _start(row.get("start"))
    if start is None:
        faults.append(("start", "A moment with its time zone, such as 2026-03-02T09:00:00Z."))
    elif start > now + AHEAD:
        faults.append(("start", "This lies in the future."))
    seconds = row.get("seconds")
    if type(seconds) is not int or not 0 < seconds <= MAX_SECONDS:
        seconds = 0
        faults.append(("seconds", f"A whole number from 1 to {MAX_SECONDS}."))
    good, valid = (_millionths(row.get(name)) for name in ("good", "valid"))
    faults += [
        (name, f"A number from 0 to {MAX_EVENTS} with at most 6 decimals.")
        for name, count in (("good", good), ("valid", valid))
        if count is None
    ]
    if good is not None and valid is not None and good > valid:
        faults.append(("good", "Good events are valid ones: there cannot be more of them."))
    if faults:
        return None, faults
    assert start is not None
    assert good is not None
    assert valid is not None
    return Sample(slo_id=slo.pk, start=start, seconds=seconds, good_millionths=good, valid_millionths=valid), []


def _start(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    return value.astimezone(UTC) if years.hold(value) else None


def _millionths(value: Any) -> int | None:
    """A count of events as whole millionths; None for what is not one. A float counts as it is written."""
    if type(value) is int:
        return value * Sample.UNIT if 0 <= value <= MAX_EVENTS else None
    if not isinstance(value, float | Decimal | str):
        return None
    text = repr(value) if isinstance(value, float) else str(value)
    try:
        number = Decimal(text) if len(text) <= _MAX_DIGITS else Decimal("NaN")
    except InvalidOperation:
        return None
    if not number.is_finite() or not 0 <= number <= MAX_EVENTS:
        return None
    scaled = _wide.multiply(number, Decimal(Sample.UNIT))
    return int(scaled) if scaled == scaled.to_integral_value() else None


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


# What it says


@dataclass(frozen=True, slots=True)
class Standing:
    """How an SLO's budget stands at a moment. Counts and `budget` are events, the rest shares; None is unknown.

    `is_projected`: a calendar period still runs, and its budget is what it will be if traffic goes on as before.
    """

    slo: Slo
    at: datetime
    window: Interval
    status: Status
    valid: Fraction | None
    bad: Fraction | None
    budget: Fraction | None
    consumed: Fraction | None
    remaining: Fraction | None
    burn: Mapping[str, Fraction | None]
    exhausted_at: datetime | None
    coverage: Fraction | None
    is_projected: bool


@dataclass(frozen=True, slots=True)
class Burned:
    """What an interval took of an SLO's budget. Where a calendar period ends within it: of the one that it hurt most.

    `interval` is the part within that period, `window` what the budget belongs to, `coverage` the interval's.
    `is_projected` as in Standing.
    """

    slo: Slo
    interval: Interval
    window: Interval
    counts: arithmetic.Impact
    status: Status
    coverage: Fraction | None
    is_projected: bool


def window_of(slo: Slo) -> Window:
    calendar = arithmetic.Calendar(slo.window_calendar) if slo.window_calendar else None
    return Window(days=slo.window_days, calendar=calendar, time_zone=slo.window_time_zone)


def series(slo: Slo, interval: Interval) -> Series:
    """Every sample that touches the interval, for what looks at each: a chart, time slices. Costs a row per sample."""
    first = sums.last_before([(slo.pk, interval.start)])[0]
    rows = list(slo.samples.filter(start__gte=interval.start, start__lt=interval.end))
    if first is not None and first.end > interval.start:
        rows.insert(0, first)
    unit = Sample.UNIT
    return Series(
        arithmetic.Sample.of(
            row.start, row.seconds, Fraction(row.good_millionths, unit), Fraction(row.valid_millionths, unit)
        )
        for row in rows
    )


def counts(slo: Slo, start: datetime, end: datetime) -> Portion:
    """Good and valid events of [start, end), and how much of it samples cover. Of a sample that an edge cuts, the
    proportional part."""
    interval = Interval(start, end)
    return sums.at({slo.pk: (interval.start, interval.end)})[slo.pk].cut(interval)


def budget(slo: Slo, at: datetime) -> Standing:
    """How the budget stands at that moment. Raises Invalid for one that is too far away to count from."""
    [standing] = budgets([slo], at)
    return standing


def budgets(slos: Iterable[Slo], at: datetime) -> list[Standing]:
    """The same for several SLOs, in their order: two statements for all of them."""
    slos = list(slos)
    try:
        asked = {slo.pk: _Question.of(slo, at) for slo in slos}
    except (ValueError, OverflowError) as exc:
        raise Invalid("That moment is too far away to count from.", errors=[("at", "Too far away.")]) from exc
    tallies = sums.at({pk: question.moments for pk, question in asked.items()})
    return [_standing(slo, asked[slo.pk], tallies[slo.pk]) for slo in slos]


def burned(asked: Sequence[tuple[Slo, Interval]], *, now: datetime) -> list[Burned]:
    """What each interval took of its SLO's budget, in the order asked: two statements for all of them.

    A rolling window is the one that ends with the interval. A calendar period that still runs is projected.
    """
    pieces = [[_Piece.of(window, piece, now) for window, piece in window_of(slo).split(i)] for slo, i in asked]
    moments: dict[int, set[datetime]] = {slo.pk: set() for slo, _ in asked}
    for (slo, _), parts in zip(asked, pieces, strict=True):
        moments[slo.pk].update(moment for part in parts for moment in part.moments)
    tallies = sums.at(moments)
    return [
        max((_burned(slo, part, tallies[slo.pk]) for part in parts), key=_severity)
        for (slo, _), parts in zip(asked, pieces, strict=True)
    ]


def attributed(asked: Sequence[tuple[Slo, Mapping[Name, Interval]]]) -> list[Attribution[Name]]:
    """Whose an SLO's bad events are, where intervals overlap, in the order asked: two statements for all of them."""
    moments: dict[int, set[datetime]] = {slo.pk: set() for slo, _ in asked}
    for slo, intervals in asked:
        moments[slo.pk].update(edge for interval in intervals.values() for edge in (interval.start, interval.end))
    tallies = sums.at(moments)
    return [arithmetic.attribute(tallies[slo.pk], intervals) for slo, intervals in asked]


@dataclass(frozen=True, slots=True)
class _Question:
    """The moments that a budget is read from."""

    at: datetime
    window: Interval
    seen: Interval  # the part of the window until `at`
    recent: Mapping[str, Interval]

    @classmethod
    def of(cls, slo: Slo, at: datetime) -> _Question:
        window = window_of(slo).bounds(at)
        recent = {name: Interval(at - length, at) for name, length in BURN_WINDOWS.items()}
        return cls(at.astimezone(UTC), window, Interval(window.start, at), recent)

    @property
    def moments(self) -> list[datetime]:
        return [self.seen.start, self.seen.end, *(interval.start for interval in self.recent.values())]


def _standing(slo: Slo, question: _Question, tally: sums.Tally) -> Standing:
    seen = tally.cut(question.seen)
    runs = question.seen.end < question.window.end
    stands = arithmetic.measure(seen.counts, slo.target, coverage=seen.coverage)
    allowed, consumed = stands.budget, stands.consumed
    if runs and seen.counts is not None:
        # The bad events of a running period count against the budget of the whole one.
        whole = arithmetic.projected_valid(seen.counts.valid, question.seen.seconds, question.window.seconds)
        projected = arithmetic.impact(seen.counts.bad, whole, slo.target)
        allowed, consumed = projected.budget, projected.share
    status = _status(stands.status, consumed)
    remaining = None if consumed is None else 1 - consumed
    burn = {
        name: arithmetic.burn_rate(tally.cut(interval).counts, slo.target) for name, interval in question.recent.items()
    }
    return Standing(
        slo=slo,
        at=question.at,
        window=question.window,
        status=status,
        valid=stands.valid,
        bad=stands.bad,
        budget=allowed,
        consumed=consumed,
        remaining=remaining,
        burn=burn,
        exhausted_at=arithmetic.exhausted_at(
            question.at, window_of(slo), burn=burn["1h"] or Fraction(0), remaining=remaining
        ),
        coverage=seen.coverage,
        is_projected=runs,
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """The part of an interval that falls on one window, and how far that window has been lived."""

    interval: Interval
    window: Interval
    seen: Interval

    @classmethod
    def of(cls, window: Interval, interval: Interval, now: datetime) -> _Piece:
        until = min(window.end, max(now, interval.end))
        return cls(interval, window, Interval(window.start, until))

    @property
    def moments(self) -> tuple[datetime, ...]:
        return self.interval.start, self.interval.end, self.seen.start, self.seen.end


def _burned(slo: Slo, piece: _Piece, tally: sums.Tally) -> Burned:
    part, seen = tally.cut(piece.interval), tally.cut(piece.seen)
    valid = None if seen.counts is None else seen.counts.valid
    runs = piece.seen.end < piece.window.end
    if runs and valid is not None:
        valid = arithmetic.projected_valid(valid, piece.seen.seconds, piece.window.seconds)
    counts = arithmetic.impact(
        part.bad,
        valid,
        slo.target,
        window_minutes=piece.window.minutes,
        unknown=part.unseen(seen.rate),
        unknown_in_window=seen.unseen(seen.rate),
    )
    return Burned(
        slo=slo,
        interval=piece.interval,
        window=piece.window,
        counts=counts,
        status=_status_of(part, counts),
        coverage=part.coverage,
        is_projected=runs,
    )


def _status(measured: Status, consumed: Fraction | None) -> Status:
    """The status that fits what is consumed, where the measured one speaks of a period that is not yet over."""
    if consumed is None or measured not in (Status.OK, Status.EXHAUSTED, Status.EXCEEDED):
        return measured
    if consumed == 1:
        return Status.EXHAUSTED
    return Status.EXCEEDED if consumed > 1 else Status.OK


def _status_of(part: Portion, counts: arithmetic.Impact) -> Status:
    """What the interval alone did to the budget."""
    if part.counts is None or counts.valid is None:
        return Status.UNKNOWN
    if part.counts.no_traffic and part.interval.seconds:
        return Status.NO_TRAFFIC
    if counts.budget == 0 and counts.valid:
        return Status.ZERO_BUDGET_EXCEEDED if counts.bad else Status.ZERO_BUDGET_OK
    return _status(Status.OK if counts.valid else Status.NO_TRAFFIC, counts.share)


def _severity(burned: Burned) -> tuple[bool, Fraction, datetime]:
    """Known before unknown, then the greater share, then the later period."""
    share = burned.counts.share
    return share is not None, share or Fraction(0), burned.window.end
