"""Samples: stored once, replaced by later ones, added up exactly."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.errors import Invalid
from slos import ledger
from slos.budget import Interval, Status
from slos.decimals import to_decimal_string
from slos.models import Sample, Slo
from tests import make
from tests.make import NOW

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def slo(db: None) -> Slo:
    return make.slo()


def row(start: datetime, seconds: Any = 60, good: Any = 9, valid: Any = 10) -> dict[str, Any]:
    return {"start": start.isoformat(), "seconds": seconds, "good": good, "valid": valid}


def counted(slo: Slo, start: datetime, end: datetime) -> Any:
    return ledger.counts(slo, start, end)


def standing_of(slo: Slo, at: datetime = NOW) -> Any:
    return ledger.budget(slo, at)


def faults(slo: Slo, *rows: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        ledger.store(slo, rows, now=NOW)
    assert not slo.samples.exists()
    return refused.value.errors


def test_pushing_the_same_samples_again_changes_nothing(slo: Slo) -> None:
    rows = [row(NOW - 2 * HOUR), row(NOW - HOUR)]

    assert ledger.store(slo, rows, now=NOW) == (2, 0)
    assert ledger.store(slo, rows, now=NOW) == (0, 2)

    assert counted(slo, NOW - 3 * HOUR, NOW).bad == 2


def test_a_later_sample_for_the_same_start_replaces_the_earlier_one(slo: Slo) -> None:
    ledger.store(slo, [row(NOW - HOUR, good=9), row(NOW - 2 * HOUR)], now=NOW)

    assert ledger.store(slo, [row(NOW - HOUR, seconds=120, good=4), row(NOW - 3 * HOUR)], now=NOW) == (1, 1)

    sample = slo.samples.get(start=NOW - HOUR)
    assert (sample.seconds, sample.good_millionths) == (120, 4_000_000)


def test_the_last_of_two_samples_with_one_start_in_one_call_wins(slo: Slo) -> None:
    assert ledger.store(slo, [row(NOW - HOUR, good=9), row(NOW - HOUR, good=5)], now=NOW) == (1, 1)

    assert slo.samples.get().good_millionths == 5_000_000


def test_the_same_moment_in_another_zone_is_the_same_start(slo: Slo) -> None:
    ledger.store(slo, [{**row(NOW), "start": "2026-03-02T08:00:00Z"}], now=NOW)

    assert ledger.store(slo, [{**row(NOW), "start": "2026-03-02T09:00:00+01:00"}], now=NOW) == (0, 1)


def test_millionths_of_events_are_kept_and_added_exactly(slo: Slo) -> None:
    ledger.store(slo, [row(NOW - (n + 1) * MINUTE, good=0.1, valid="0.300001") for n in range(10)], now=NOW)

    counts = counted(slo, NOW - HOUR, NOW).counts

    assert counts is not None
    assert (counts.good, counts.valid) == (1, Fraction("3.00001"))


def test_sums_beyond_64_bits_of_millionths_are_exact(slo: Slo) -> None:
    most = ledger.MAX_EVENTS
    ledger.store(slo, [row(NOW - (n + 1) * MINUTE, good=most - 1, valid=most) for n in range(20)], now=NOW)

    portion = counted(slo, NOW - HOUR, NOW)

    assert portion.bad == 20
    assert portion.counts is not None
    assert portion.counts.valid == 20 * most


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("start", "2026-03-02T08:00:00"),
        ("start", "yesterday"),
        ("start", None),
        ("start", 1_772_000_000),
        ("start", "0001-01-01T00:00:00+05:00"),
        ("start", "9999-12-31T23:59:59Z"),
        ("start", (NOW + ledger.AHEAD + MINUTE).isoformat()),
        ("seconds", 0),
        ("seconds", -60),
        ("seconds", 86_401),
        ("seconds", 60.5),
        ("seconds", True),
        ("seconds", "60"),
        ("good", -1),
        ("good", None),
        ("good", True),
        ("good", "many"),
        ("good", [9]),
        ("good", 0.1234567),
        ("good", float("nan")),
        ("valid", float("inf")),
        ("valid", 1e300),
        ("valid", "1e999999"),
        ("valid", "1e-999999"),
        ("valid", "9" * 5000),
        ("valid", 10**12 + 1),
    ],
)
def test_what_is_no_sample_is_refused_by_its_field(slo: Slo, field: str, value: Any) -> None:
    told = faults(slo, row(NOW - 2 * HOUR), {**row(NOW - HOUR), field: value})

    assert [name for name, _ in told] == [f"1.{field}"]


def test_more_good_events_than_valid_ones_are_refused(slo: Slo) -> None:
    assert [field for field, _ in faults(slo, row(NOW - HOUR, good=11))] == ["0.good"]


def test_what_is_not_an_object_is_refused(slo: Slo) -> None:
    assert [field for field, _ in faults(slo, "sample", None, [1])] == ["0", "1", "2"]


def test_a_clock_that_is_a_little_fast_is_forgiven(slo: Slo) -> None:
    assert ledger.store(slo, [row(NOW + 4 * MINUTE)], now=NOW) == (1, 0)


def test_ten_thousand_samples_are_taken_at_once_and_not_one_more(slo: Slo) -> None:
    rows = [row(NOW - (n + 1) * MINUTE) for n in range(ledger.MAX_ROWS)]

    with pytest.raises(Invalid, match="At most 10,000"):
        ledger.store(slo, [*rows, row(NOW)], now=NOW)

    assert ledger.store(slo, rows, now=NOW) == (10_000, 0)


def test_storing_and_reading_cost_the_same_number_of_statements_however_many_samples(slo: Slo) -> None:
    def statements(rows: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ledger.store(slo, [row(NOW - (n + 1) * MINUTE) for n in range(rows)], now=NOW)
            ledger.budget(slo, NOW)
        return len(queries)

    assert statements(1) == statements(3000)


# Overlap


@pytest.mark.parametrize("start", [NOW - HOUR - MINUTE, NOW - HOUR + MINUTE], ids=["into it", "within it"])
def test_a_sample_across_an_earlier_one_is_refused_and_names_it(slo: Slo, start: datetime) -> None:
    ledger.store(slo, [row(NOW - HOUR, seconds=300)], now=NOW)

    with pytest.raises(ledger.OverlappingSamples, match="2026-03-02T08:00:00Z"):
        ledger.store(slo, [row(start, seconds=300), row(NOW - 5 * HOUR)], now=NOW)

    assert slo.samples.count() == 1


def test_samples_of_one_call_that_overlap_are_refused(slo: Slo) -> None:
    with pytest.raises(ledger.OverlappingSamples):
        ledger.store(slo, [row(NOW - HOUR, seconds=3600), row(NOW - 2 * MINUTE)], now=NOW)

    assert not slo.samples.exists()


def test_a_sample_that_grows_into_the_next_one_is_refused(slo: Slo) -> None:
    ledger.store(slo, [row(NOW - 2 * MINUTE), row(NOW - MINUTE)], now=NOW)

    with pytest.raises(ledger.OverlappingSamples):
        ledger.store(slo, [row(NOW - 2 * MINUTE, seconds=61)], now=NOW)

    assert slo.samples.get(start=NOW - 2 * MINUTE).seconds == 60


def test_samples_side_by_side_and_of_other_slos_do_not_overlap(slo: Slo) -> None:
    other = make.slo("search-latency")
    ledger.store(other, [row(NOW - HOUR, seconds=3600)], now=NOW)

    assert ledger.store(slo, [row(NOW - (n + 1) * MINUTE) for n in range(60)], now=NOW) == (60, 0)


# Sums


def test_an_edge_takes_the_proportional_part_of_the_sample_that_it_cuts(slo: Slo) -> None:
    ledger.store(slo, [row(NOW - HOUR, seconds=3600, good=0, valid=3600)], now=NOW)

    portion = counted(slo, NOW - 45 * MINUTE, NOW - 20 * MINUTE)

    assert portion.bad == 25 * 60
    assert (portion.coverage, portion.is_exact) == (1, False)


def test_time_without_samples_is_unknown_and_time_without_events_is_not(slo: Slo) -> None:
    ledger.store(slo, [row(NOW - HOUR, seconds=1800, good=0, valid=0)], now=NOW)

    quiet, silent, half = (
        counted(slo, NOW - HOUR, NOW - 30 * MINUTE),
        counted(slo, NOW - 30 * MINUTE, NOW),
        counted(slo, NOW - HOUR, NOW),
    )

    assert (quiet.bad, quiet.coverage) == (0, 1)
    assert (silent.counts, silent.coverage) == (None, 0)
    assert (half.bad, half.coverage) == (0, Fraction(1, 2))


def test_the_database_adds_up_as_the_pure_arithmetic_does(slo: Slo) -> None:
    dice = random.Random(7)
    start = NOW - 5 * HOUR
    rows = []
    while start < NOW:
        seconds = dice.choice([1, 7, 60, 300, 1800])
        valid = dice.randint(0, 50) if dice.random() > 0.2 else 0
        if dice.random() > 0.3:
            rows.append(row(start, seconds, good=dice.randint(0, valid), valid=valid))
        start += timedelta(seconds=seconds)
    ledger.store(slo, rows, now=NOW)
    series = ledger.series(slo, Interval(NOW - 6 * HOUR, NOW + HOUR))

    for _ in range(60):
        edges = sorted(NOW - timedelta(microseconds=dice.randint(0, 6 * 3600 * 10**6)) for _ in range(2))
        assert counted(slo, edges[0], edges[1]) == series.cut(Interval(edges[0], edges[1]))


# Budgets


def test_a_budget_is_exact_over_its_rolling_window(slo: Slo) -> None:
    ledger.store(
        slo,
        [
            row(NOW - timedelta(days=31), 86_400, good=0, valid=500),  # ends where the window begins
            row(NOW - timedelta(days=20), 86_400, good=9_999_000, valid=10_000_000),
            row(NOW - HOUR, 3600, good=996_800, valid=1_000_000),
        ],
        now=NOW,
    )

    standing = standing_of(slo, NOW)

    assert (standing.valid, standing.bad, standing.budget) == (11_000_000, 4200, 11_000)
    assert to_decimal_string(standing.consumed) == "0.381818181818182"
    assert standing.status is Status.OK
    assert standing.window == Interval(NOW - timedelta(days=30), NOW)
    assert {to_decimal_string(rate) for rate in standing.burn.values()} == {"3.2"}
    assert list(standing.burn) == ["5m", "1h", "6h", "3d"]
    assert standing.exhausted_at == NOW + timedelta(days=30) * (34 / 55) / 3.2


def test_a_budget_without_any_sample_is_unknown_and_not_zero(slo: Slo) -> None:
    standing = standing_of(slo, NOW)

    assert standing.status is Status.UNKNOWN
    assert (standing.valid, standing.bad, standing.budget, standing.consumed, standing.remaining) == (None,) * 5
    assert standing.coverage == 0
    assert set(standing.burn.values()) == {None}


def test_a_budget_of_a_running_month_counts_against_what_the_month_will_be(db: None) -> None:
    monthly = make.slo(window={"calendar": "month"})
    at = datetime(2026, 3, 11, tzinfo=UTC)  # vector I20: 10 days of 31
    days = [row(datetime(2026, 3, day, tzinfo=UTC), 86_400, good=199_950, valid=200_000) for day in range(1, 11)]
    ledger.store(monthly, days, now=at)

    standing = standing_of(monthly, at)

    assert standing.is_projected
    assert (standing.valid, standing.bad, standing.budget) == (2_000_000, 500, 6200)
    assert standing.consumed == Fraction(5, 62)


def test_a_spent_budget_was_exhausted_by_now(slo: Slo) -> None:
    ledger.store(slo, [row(NOW - timedelta(days=2), 3600, good=998_250, valid=1_000_000)], now=NOW)

    standing = standing_of(slo, NOW)

    assert to_decimal_string(standing.remaining) == "-0.75"
    assert standing.status is Status.EXCEEDED
    assert standing.exhausted_at == NOW


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC) + HOUR])
def test_a_moment_too_far_away_is_refused(slo: Slo, at: datetime) -> None:
    with pytest.raises(Invalid):
        ledger.budget(slo, at)


def test_the_budgets_of_many_slos_cost_two_statements(db: None) -> None:
    slos = [make.slo(f"slo-{n}") for n in range(5)]
    for slo in slos:
        ledger.store(slo, [row(NOW - HOUR)], now=NOW)

    with CaptureQueriesContext(connection) as queries:
        standings = ledger.budgets(slos, NOW)

    assert len(queries) == 2
    assert [standing.slo for standing in standings] == slos


def test_thirty_days_of_five_minute_samples_answer_within_a_tenth_of_a_second(slo: Slo) -> None:
    step = timedelta(minutes=5)
    Sample.objects.bulk_create(
        Sample(slo=slo, start=NOW - (n + 1) * step, seconds=300, good_millionths=10**9, valid_millionths=10**9 + 1)
        for n in range(30 * 288 + 100)
    )
    ledger.budget(slo, NOW)

    began = time.process_time()
    for _ in range(5):
        standing = standing_of(slo, NOW + timedelta(seconds=17))
    took = (time.process_time() - began) / 5

    assert standing.coverage == 1 - Fraction(17, 30 * 86_400)
    assert took < 0.1
