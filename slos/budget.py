"""The arithmetic of error budgets: windows, budgets, an incident's share, burn rates. Exact, without database or clock.

Numbers are `Fraction`s and never floats; ratios and shares are plain numbers (1/5 is 20 %). Unknown is None, never 0.
Moments are aware datetimes, kept in UTC; intervals are half-open. Arguments that make no sense raise ValueError,
naive datetimes included; a float raises TypeError.

Definitions: Google's SRE Workbook (chapter 5, "Alerting on SLOs", and its example error budget policy) and OpenSLO v1
(time windows and budgeting methods). "Exceeded" and "more than" are strict there, and here.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

Exact = int | Fraction | Decimal
Name = TypeVar("Name", bound=Hashable)

ZERO = Fraction(0)
MAX_DAYS = 3660
POSTMORTEM_SHARE = Fraction(1, 5)
BURN_WINDOWS = {
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "3d": timedelta(days=3),
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_OUT_OF_CALENDAR = "That moment is too far away to count from."


def exact(value: Exact) -> Fraction:
    """The number as a fraction. TypeError for a float, ValueError for NaN and infinity."""
    if isinstance(value, float):
        raise TypeError("A float is not exact: pass an int, a Decimal or a Fraction.")
    try:
        return Fraction(value)
    except OverflowError as exc:
        raise ValueError("Infinity is not a number to count with.") from exc


# Time


@dataclass(frozen=True, slots=True)
class Interval:
    """Half-open time [start, end), in UTC. An incident's runs from the start of its impact to its mitigation."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _utc(self.start))
        object.__setattr__(self, "end", _utc(self.end))
        if self.end < self.start:
            raise ValueError("An interval cannot end before it starts.")

    @property
    def seconds(self) -> Fraction:
        return _seconds(self.end - self.start)

    @property
    def minutes(self) -> Fraction:
        return self.seconds / 60


class Calendar(StrEnum):
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


@dataclass(frozen=True, slots=True)
class Window:
    """What a budget is counted over: the trailing `days` of 24 hours, or a calendar period in an IANA time zone.

    A week starts on Monday. ValueError unless exactly one of `days` (1 to 3660) and `calendar` is given, and the zone
    exists.
    """

    days: int | None = None
    calendar: Calendar | None = None
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        if (self.days is None) == (self.calendar is None):
            raise ValueError("A window is either a number of days or a calendar period.")
        if self.days is not None and self.days < 1:
            raise ValueError("A window lasts at least one day.")
        if self.days is not None and self.days > MAX_DAYS:
            raise ValueError(f"A window lasts at most {MAX_DAYS} days.")
        if self.calendar is not None:
            object.__setattr__(self, "calendar", Calendar(self.calendar))
        _zone(self.time_zone)

    def bounds(self, at: datetime) -> Interval:
        """[at - days, at), or the calendar period that `at` lies in."""
        if self.calendar is None:
            return _trailing(at, timedelta(days=self.days or 0))
        try:
            return _period(self.calendar, _utc(at), _zone(self.time_zone))
        except OverflowError as exc:
            raise ValueError(_OUT_OF_CALENDAR) from exc

    def split(self, interval: Interval) -> list[tuple[Interval, Interval]]:
        """(window, piece) pairs: each piece counts against the budget of its own window.

        Calendar periods cut the interval; a rolling window gives one pair, with the window that ends with it.
        """
        if self.calendar is None:
            return [(self.bounds(interval.end), interval)]
        pairs = []
        start = interval.start
        while True:
            period = self.bounds(start)
            pairs.append((period, Interval(start, min(period.end, interval.end))))
            if interval.end <= period.end:
                return pairs
            start = period.end


def _trailing(at: datetime, length: timedelta) -> Interval:
    try:
        return Interval(_utc(at) - length, at)
    except OverflowError as exc:
        raise ValueError(_OUT_OF_CALENDAR) from exc


def _period(calendar: Calendar, at: datetime, zone: ZoneInfo) -> Interval:
    day = at.astimezone(zone).date()
    if calendar is Calendar.WEEK:
        first = day - timedelta(days=day.weekday())
        following = first + timedelta(days=7)
    else:
        months = 1 if calendar is Calendar.MONTH else 3
        month = (day.month - 1) // months * months
        first = day.replace(month=month + 1, day=1)
        year, month = divmod(day.year * 12 + month + months, 12)
        following = first.replace(year=year, month=month + 1)
    # Each midnight takes its own offset: a period with a clock change is an hour longer or shorter. Where the clock
    # jumps over midnight, fold=0 gives the moment of the jump.
    start, end = (datetime(d.year, d.month, d.day, tzinfo=zone) for d in (first, following))
    return Interval(start, end)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise ValueError(f"There is no time zone called {name!r}.") from exc


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("A moment needs its time zone.")
    try:
        return at.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(_OUT_OF_CALENDAR) from exc


def _seconds(length: timedelta) -> Fraction:
    return Fraction(length // _MICROSECOND, 1_000_000)


# Budgets


def budget_minutes(target: Exact, window_minutes: Exact) -> Fraction:
    """The minutes of total outage that the target leaves in a window: 43.2 for 99.9 % of 30 days."""
    return _allowed(target) * exact(window_minutes)


def _allowed(target: Exact) -> Fraction:
    """1 - target: the share of events that may be bad."""
    target = exact(target)
    if not 0 <= target <= 1:
        raise ValueError("A target lies between 0 and 1.")
    return 1 - target


@dataclass(frozen=True, slots=True)
class Counts:
    """Good events among the valid ones. Time slices count the same way, as events. Fractions are welcome."""

    good: Fraction
    valid: Fraction

    @classmethod
    def of(cls, good: Exact, valid: Exact) -> "Counts":
        return cls(exact(good), exact(valid))

    def __post_init__(self) -> None:
        # Two ints would divide into a float.
        if {type(self.good), type(self.valid)} != {Fraction}:
            raise TypeError("Counts are fractions: Counts.of(...) makes them.")
        if not 0 <= self.good <= self.valid:
            raise ValueError("Good events are at least 0 and at most the valid ones.")

    @property
    def bad(self) -> Fraction:
        return self.valid - self.good

    @property
    def sli(self) -> Fraction | None:
        """good / valid; None without traffic."""
        return self.good / self.valid if self.valid else None

    @property
    def no_traffic(self) -> bool:
        return self.valid == 0


class Status(StrEnum):
    """How a budget stands. Exhausted is spent to the last event, with the objective still met; exceeded is more."""

    OK = "ok"
    EXHAUSTED = "exhausted"
    EXCEEDED = "exceeded"
    NO_TRAFFIC = "no_traffic"
    ZERO_BUDGET_OK = "zero_budget_ok"
    ZERO_BUDGET_EXCEEDED = "zero_budget_exceeded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Budget:
    """A window's budget. Counts and `budget` are events; `consumed` and `remaining` are shares of the budget.

    `remaining` falls below 0. `consumed_low` and `consumed_high` take the unknown events as good and as bad.
    """

    target: Fraction
    status: Status
    valid: Fraction | None = None
    bad: Fraction | None = None
    budget: Fraction | None = None
    consumed: Fraction | None = None
    consumed_low: Fraction | None = None
    consumed_high: Fraction | None = None
    sli: Fraction | None = None

    @property
    def remaining(self) -> Fraction | None:
        return None if self.consumed is None else 1 - self.consumed

    @property
    def remaining_events(self) -> Fraction | None:
        return None if self.budget is None or self.bad is None else self.budget - self.bad

    @property
    def slo_met(self) -> bool | None:
        """None without traffic or knowledge."""
        return None if self.sli is None else self.sli >= self.target

    @property
    def freeze(self) -> bool | None:
        """Whether the policy halts releases: only when more than the budget is spent. None when unknown."""
        if self.status is Status.UNKNOWN:
            return None
        return self.status in (Status.EXCEEDED, Status.ZERO_BUDGET_EXCEEDED)


def measure(
    counts: Counts | None, target: Exact, *, coverage: Exact | None = None, unknown: Exact | None = 0
) -> Budget:
    """How the budget stands after these events of the whole window.

    `coverage` 0 says that nothing was seen, whatever the counts. `unknown` is how many more events there were whose
    outcome is not known (late labels, gaps: see `Portion.unseen`); None when nobody can say, which leaves no bounds.
    """
    allowed = _allowed(target)
    if counts is None or coverage == 0:
        return Budget(target=1 - allowed, status=Status.UNKNOWN)
    consumed = _share(counts.bad, counts.valid, allowed)
    low, high = _bounds(counts.bad, counts.valid, allowed, unknown, unknown)
    return Budget(
        target=1 - allowed,
        status=_status(counts, allowed, consumed),
        valid=counts.valid,
        bad=counts.bad,
        budget=allowed * counts.valid,
        consumed=consumed,
        consumed_low=low,
        consumed_high=high,
        sli=counts.sli,
    )


def _status(counts: Counts, allowed: Fraction, consumed: Fraction | None) -> Status:
    if counts.no_traffic:
        return Status.NO_TRAFFIC
    if not allowed:
        return Status.ZERO_BUDGET_EXCEEDED if counts.bad else Status.ZERO_BUDGET_OK
    assert consumed is not None
    if consumed == 1:
        return Status.EXHAUSTED
    return Status.EXCEEDED if consumed > 1 else Status.OK


def _share(bad: Fraction, valid: Fraction, allowed: Fraction) -> Fraction | None:
    """bad / budget. A budget of zero has no share once something is bad: it is not infinity."""
    if not valid:
        return None
    if not allowed:
        return None if bad else ZERO
    return bad / (allowed * valid)


def _bounds(
    bad: Fraction | None,
    valid: Fraction,
    allowed: Fraction,
    unknown: Exact | None,
    unknown_in_window: Exact | None,
) -> tuple[Fraction | None, Fraction | None]:
    """The share with the unknown events good, and with them bad.

    Unknown events outside the incident only ever enlarge the budget, so the upper bound leaves them out.
    """
    if unknown is None or unknown_in_window is None or (bad is None and not unknown):
        return None, None
    here = exact(unknown)
    everywhere = max(here, exact(unknown_in_window))
    if here < 0:
        raise ValueError("There cannot be fewer than 0 unknown events.")
    known = ZERO if bad is None else bad
    # An incident longer than its window may hold more bad events than the window has valid ones.
    floor = _share(known, valid, allowed) or ZERO
    high = _share(known + here, valid + here, allowed)
    return _share(known, valid + everywhere, allowed), None if high is None else max(high, floor)


# An incident's impact


@dataclass(frozen=True, slots=True)
class Impact:
    """What one incident took of a window's budget.

    `bad`, `valid` and `budget` are events, or minutes for an estimate by time; `valid` belongs to the window.
    `minutes` are the minutes of total outage that would have cost the same.
    """

    bad: Fraction | None
    valid: Fraction | None
    budget: Fraction | None
    share: Fraction | None
    share_low: Fraction | None
    share_high: Fraction | None
    minutes: Fraction | None
    is_estimate: bool = False

    @property
    def postmortem_required(self) -> bool | None:
        """More than a fifth of the budget; with a budget of zero, any bad event. None when unknown."""
        if self.bad and self.valid and self.budget == 0:
            return True
        return postmortem_required(self.share)


def impact(
    bad_in_incident: Exact | None,
    valid_in_window: Exact | None,
    target: Exact,
    *,
    window_minutes: Exact | None = None,
    unknown: Exact | None = 0,
    unknown_in_window: Exact | None = 0,
) -> Impact:
    """The incident's bad events as a share of the window's budget.

    The share is None when either count is unknown, when the window has no valid events, and for a target of 1 once
    something is bad. `unknown` events of the incident, and of its whole window, widen share_low and share_high.
    `minutes` needs `window_minutes`.
    """
    allowed = _allowed(target)
    bad = None if bad_in_incident is None else exact(bad_in_incident)
    valid = None if valid_in_window is None else exact(valid_in_window)
    if (bad is not None and bad < 0) or (valid is not None and valid < 0):
        raise ValueError("There cannot be fewer than 0 events.")
    share = None if bad is None or valid is None else _share(bad, valid, allowed)
    low, high = (None, None) if valid is None else _bounds(bad, valid, allowed, unknown, unknown_in_window)
    minutes = None if bad is None or not valid or window_minutes is None else bad / valid * exact(window_minutes)
    budget = None if valid is None else allowed * valid
    return Impact(bad=bad, valid=valid, budget=budget, share=share, share_low=low, share_high=high, minutes=minutes)


def impact_by_time(minutes: Exact, window_minutes: Exact, target: Exact, *, failing: Exact = 1) -> Impact:
    """An estimate for when there is no telemetry: minutes of which a fraction of the users were `failing`.

    It assumes even traffic, and is marked as an estimate.
    """
    failing = exact(failing)
    if not 0 <= failing <= 1:
        raise ValueError("The failing fraction lies between 0 and 1.")
    whole = exact(window_minutes)
    measured = impact(exact(minutes) * failing, whole, target, window_minutes=whole)
    return Impact(
        bad=measured.bad,
        valid=measured.valid,
        budget=measured.budget,
        share=measured.share,
        share_low=None,
        share_high=None,
        minutes=measured.minutes,
        is_estimate=True,
    )


def postmortem_required(share: Exact | None, threshold: Exact = POSTMORTEM_SHARE) -> bool | None:
    """Whether a single incident took more than the threshold. Exactly a fifth does not; None when unknown."""
    return None if share is None else exact(share) > exact(threshold)


def driver(shares: Mapping[Name, Fraction | None]) -> tuple[Name, Fraction] | None:
    """The objective that an incident hurt most, with its share; None when no share is known.

    Shares of different objectives are never added. Of equals, the first.
    """
    known = [(name, share) for name, share in shares.items() if share is not None]
    return max(known, key=lambda pair: pair[1], default=None)


def excess(counts: Counts, baseline: Exact) -> Fraction:
    """Bad events above the usual error ratio, at least 0. For information: the policy counts every error."""
    return max(ZERO, counts.bad - exact(baseline) * counts.valid)


def projected_valid(valid_so_far: Exact, elapsed: Exact, whole: Exact) -> Fraction | None:
    """The valid events of a running calendar period, if traffic goes on as before; None when nothing has elapsed.

    `elapsed` and `whole` share a unit.
    """
    elapsed, whole = exact(elapsed), exact(whole)
    if not 0 <= elapsed <= whole:
        raise ValueError("What has elapsed lies between nothing and the whole period.")
    return exact(valid_so_far) * whole / elapsed if elapsed else None


# Burn


def burn_rate(counts: Counts | None, target: Exact) -> Fraction | None:
    """The error ratio over the allowed one: at 1 the budget lasts exactly its window.

    None when unknown, without traffic, and for a target of 1 once something is bad.
    """
    allowed = _allowed(target)
    return None if counts is None else _share(counts.bad, counts.valid, allowed)


def share_burned(burn: Exact, interval: Exact, window: Exact) -> Fraction:
    """The share of the budget that a burn rate takes in an interval; interval and window share a unit."""
    return exact(burn) * exact(interval) / exact(window)


def burn_factor(share: Exact, interval: Exact, window: Exact) -> Fraction:
    """The burn rate that takes this share in an interval: 14.4 for 2 % of 30 days in one hour."""
    return exact(share) * exact(window) / exact(interval)


def error_ratio(burn: Exact, target: Exact) -> Fraction:
    """The ratio of bad events that burns at this rate: what a burn rate alert compares with."""
    return exact(burn) * _allowed(target)


def time_to_alert(burn: Exact, target: Exact, interval: Exact, *, errors: Exact = 1) -> Fraction | None:
    """How long `errors` (a ratio; 1 is a total outage) last before the interval's average exceeds the burn rate.

    Counted from a clean state, in the interval's unit. None when it never does.
    """
    needed = error_ratio(burn, target)
    errors = exact(errors)
    return needed * exact(interval) / errors if errors > needed else None


def time_to_exhaustion(burn: Exact | None, window: Exact, remaining: Exact | None = 1) -> Fraction | None:
    """How long what remains of the budget lasts at this rate, in the window's unit; 0 when it is spent.

    None when something is unknown, or nothing burns.
    """
    if burn is None or remaining is None:
        return None
    burn, remaining = exact(burn), exact(remaining)
    if remaining <= 0:
        return ZERO
    return remaining * exact(window) / burn if burn > 0 else None


def exhausted_at(at: datetime, window: Window, *, burn: Exact | None, remaining: Exact | None) -> datetime | None:
    """When the budget runs out if it goes on burning like this; `at` itself when it is spent.

    None when that is unknown, or will not happen before a calendar period ends. In a rolling window old errors age
    out, which this leaves aside.
    """
    bounds = window.bounds(at)
    left = time_to_exhaustion(burn, bounds.seconds, remaining)
    if left is None:
        return None
    try:
        moment = _utc(at) + timedelta(microseconds=int(left * 1_000_000))
    except OverflowError:
        return None
    return moment if window.calendar is None or moment < bounds.end else None


# Samples


@dataclass(frozen=True, slots=True)
class Sample:
    """What was counted in the `seconds` from `start` on. Time without a sample is unknown; one of 0 valid is quiet."""

    start: datetime
    seconds: int
    counts: Counts

    @classmethod
    def of(cls, start: datetime, seconds: int, good: Exact, valid: Exact) -> "Sample":
        return cls(start, seconds, Counts.of(good, valid))

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _utc(self.start))
        if self.seconds < 1:
            raise ValueError("A sample lasts at least a second.")

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Portion:
    """What the samples say of an interval: counts are None when none of them touches it.

    `covered` is in seconds. Not `is_exact` when a sample with events was cut at an edge, and its proportional part
    taken.
    """

    interval: Interval
    counts: Counts | None
    covered: Fraction
    is_exact: bool

    @property
    def bad(self) -> Fraction | None:
        return None if self.counts is None else self.counts.bad

    @property
    def coverage(self) -> Fraction | None:
        """The share of the interval's seconds that samples cover; None for an empty interval."""
        seconds = self.interval.seconds
        return self.covered / seconds if seconds else None

    @property
    def rate(self) -> Fraction | None:
        """Valid events per covered second; None when nothing is covered."""
        return self.counts.valid / self.covered if self.counts is not None and self.covered else None

    def unseen(self, rate: Fraction | None) -> Fraction | None:
        """How many events the uncovered seconds hold at this rate, usually that of the whole window.

        An estimate: a gap may be busier than the rest. None when the rate is unknown and something is uncovered.
        """
        uncovered = self.interval.seconds - self.covered
        if not uncovered:
            return ZERO
        return None if rate is None else uncovered * rate


class OverlappingSamples(ValueError):
    """Two samples count the same second, so that adding them would count its events twice."""


class Series:
    """The samples of one objective, in any order; raises OverlappingSamples when two of them overlap."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = sorted(samples, key=lambda sample: sample.start)
        self._starts = [sample.start for sample in self._samples]
        self._ends = [sample.end for sample in self._samples]
        for end, start in zip(self._ends, self._starts[1:], strict=False):
            if start < end:
                raise OverlappingSamples(f"The sample of {start.isoformat()} starts before the one before it ends.")

    def cut(self, interval: Interval) -> Portion:
        """What the samples say of the interval. Of a sample that an edge cuts, the proportional part."""
        good = valid = covered = ZERO
        is_exact = True
        first = bisect_right(self._ends, interval.start)
        last = max(first, bisect_left(self._starts, interval.end))
        for sample, start, end in zip(
            self._samples[first:last], self._starts[first:last], self._ends[first:last], strict=True
        ):
            if interval.start <= start and end <= interval.end:
                part = Fraction(1)
            else:
                part = _seconds(min(end, interval.end) - max(start, interval.start)) / sample.seconds
                is_exact = is_exact and sample.counts.no_traffic
            good += sample.counts.good * part
            valid += sample.counts.valid * part
            covered += sample.seconds * part
        # In no time at all nothing happens, and that is known.
        counts = Counts(good, valid) if covered or interval.start == interval.end else None
        return Portion(interval=interval, counts=counts, covered=covered, is_exact=is_exact)

    def slices(self, interval: Interval, seconds: int) -> Iterator[Counts | None]:
        """The counts of each time slice that touches the interval, whole; None for one without a sample.

        Slices start at multiples of `seconds` since 1970, so that every interval cuts time alike.
        """
        if seconds < 1:
            raise ValueError("A slice lasts at least a second.")
        length = timedelta(seconds=seconds)
        start = interval.start - (interval.start - _EPOCH) % length
        while start < interval.end:
            yield self.cut(Interval(start, start + length)).counts
            start += length

    def burns(self, at: datetime, target: Exact) -> dict[str, Fraction | None]:
        """The burn rates of the last 5m, 1h, 6h and 3d, each from what is known of it."""
        return {
            name: burn_rate(self.cut(_trailing(at, length)).counts, target) for name, length in BURN_WINDOWS.items()
        }


class NoData(StrEnum):
    """What a time slice without events counts as."""

    IGNORE = "ignore"
    GOOD = "good"
    BAD = "bad"


def timeslices(slices: Iterable[Counts | None], slice_target: Exact, no_data: NoData = NoData.IGNORE) -> Counts | None:
    """OpenSLO's Timeslices: slices whose ratio reaches the slice target, among all. None when nothing is known."""
    slice_target = 1 - _allowed(slice_target)
    return _tally(slices, no_data, lambda ratio: Fraction(ratio >= slice_target))


def ratio_timeslices(slices: Iterable[Counts | None], no_data: NoData = NoData.IGNORE) -> Counts | None:
    """OpenSLO's RatioTimeslices, and Sloth's monthly figure: slices weigh alike, whatever their traffic."""
    return _tally(slices, no_data, lambda ratio: ratio)


def _tally(slices: Iterable[Counts | None], no_data: NoData, score: Callable[[Fraction], Fraction]) -> Counts | None:
    good = ZERO
    valid = 0
    is_known = False
    for counts in slices:
        is_known = is_known or counts is not None
        ratio = None if counts is None else counts.sli
        if ratio is not None:
            good += score(ratio)
        elif no_data is NoData.GOOD:
            good += 1
        elif no_data is NoData.IGNORE:
            continue
        valid += 1
    return Counts(good, Fraction(valid)) if valid or is_known else None


# Overlapping incidents


@dataclass(frozen=True, slots=True)
class Attribution(Generic[Name]):
    """Bad events of overlapping incidents of one objective, None where no sample says.

    `full` gives every incident all of its interval: what the policy uses, and adds up to more than happened. `union`
    is what happened. `equal_split` shares each moment among the incidents open in it, and adds up to `union`.
    """

    full: dict[Name, Fraction | None]
    union: Fraction | None
    equal_split: dict[Name, Fraction | None]


class Cuttable(Protocol):
    """What knows the events of an interval: a Series, or sums that a database has made."""

    def cut(self, interval: Interval) -> Portion: ...


def attribute(series: Cuttable, incidents: Mapping[Name, Interval]) -> Attribution[Name]:
    """Whose the bad events are. Cuts the series once between every two edges of incidents, and once per incident."""
    begins = Counter(interval.start for interval in incidents.values())
    ends = Counter(interval.end for interval in incidents.values())
    edges = sorted({*begins, *ends})
    union = None if any(interval.seconds for interval in incidents.values()) else ZERO
    # Up to each edge: the bad events per incident open in them, and in how many pieces any are known.
    each = dict.fromkeys(edges[:1], ZERO)
    known = dict.fromkeys(edges[:1], 0)
    holders = 0
    for start, end in pairwise(edges):
        holders += begins[start] - ends[start]
        bad = series.cut(Interval(start, end)).bad if holders else None
        each[end], known[end] = each[start], known[start]
        if bad is not None:
            each[end] += bad / holders
            known[end] += 1
            union = (union or ZERO) + bad
    split: dict[Name, Fraction | None] = {
        name: each[interval.end] - each[interval.start]
        if known[interval.end] > known[interval.start] or not interval.seconds
        else None
        for name, interval in incidents.items()
    }
    full = {name: series.cut(interval).bad for name, interval in incidents.items()}
    return Attribution(full=full, union=union, equal_split=split)
