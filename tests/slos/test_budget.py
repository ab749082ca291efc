"""The arithmetic of budgets, against worked vectors computed apart from it (vectors.json) and by property."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slos import budget
from slos.budget import Calendar, Counts, Interval, NoData, Sample, Series, Status, Window
from slos.decimals import SIGNIFICANT_DIGITS, to_decimal_string

VECTORS: dict[str, dict[str, Any]] = {
    vector["id"]: vector for vector in json.loads((Path(__file__).parent / "vectors.json").read_text())
}
NOT_COMPUTED_HERE = {
    "O03": "splits by label selectors, which is the evidence's business and not arithmetic",
    "S02": "explains a figure of another project's README",
    "S03": "explains a figure of another project's README",
    "L01": "histogram boundaries belong to the source of the samples",
    "Q03": "drift scores belong to the source of the samples",
    "Q05": "drift scores belong to the source of the samples",
}
MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)
MONTH = 30 * 24 * 60

Inputs = dict[str, Any]
Calculation = Callable[[Inputs], dict[str, Any]]
CALCULATIONS: dict[str, Calculation] = {}


def computes(*ids: str) -> Callable[[Calculation], Calculation]:
    def register(calculation: Calculation) -> Calculation:
        CALCULATIONS.update(dict.fromkeys(ids, calculation))
        return calculation

    return register


def numbered(group: str, first: int, last: int) -> list[str]:
    return [f"{group}{number:02}" for number in range(first, last + 1)]


def read(value: Any) -> Any:
    """A vector's value, its numbers as fractions and its moments as datetimes."""
    if isinstance(value, dict):
        return {name: read(item) for name, item in value.items()}
    if isinstance(value, list):
        return [read(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, str) and value.endswith("Z"):
        return datetime.fromisoformat(value)
    if isinstance(value, str):
        try:
            return Fraction(value)
        except ValueError:
            return value
    return value


def after(minutes: Fraction | int) -> datetime:
    return MIDNIGHT + timedelta(minutes=int(minutes))


def failing_minutes(start: datetime, minutes: int, bad: Fraction) -> Series:
    return Series(Sample.of(start + timedelta(minutes=minute), 60, 0, bad) for minute in range(minutes))


# One calculation per kind of vector


@computes(*numbered("B", 1, 9))
def rolling(given: Inputs) -> dict[str, Any]:
    minutes = Window(days=int(given["window_days"])).bounds(MIDNIGHT).minutes
    return {"window_minutes": minutes, "budget_minutes": budget.budget_minutes(given["target"], minutes)}


@computes(*numbered("B", 10, 16))
def calendar_month(given: Inputs) -> dict[str, Any]:
    at = datetime.fromisoformat(f"{given['calendar']}-15T12:00:00Z")
    minutes = Window(calendar=Calendar.MONTH, time_zone=given["tz"]).bounds(at).minutes
    computed = {"window_minutes": minutes, "budget_minutes": budget.budget_minutes(given["target"], minutes)}
    if given["tz"] != "UTC":
        computed["utc_window_minutes"] = Window(calendar=Calendar.MONTH).bounds(at).minutes
    return computed


@computes("B17")
def rolling_over_a_clock_change(given: Inputs) -> dict[str, Any]:
    end = given["window_start"] + timedelta(days=int(given["window_days"]))
    bounds = Window(days=int(given["window_days"]), time_zone="Europe/Paris").bounds(end)
    assert bounds.start == given["window_start"]
    return {"window_minutes": bounds.minutes, "window_end": bounds.end}


@computes(*numbered("R", 1, 4), *numbered("R", 9, 12))
def burning(given: Inputs) -> dict[str, Any]:
    burn, hours, window = given["burn_rate"], given["hours"], given["window_hours"]
    computed: dict[str, Any] = {"budget_share": budget.share_burned(burn, hours, window)}
    if "target" in given:
        computed["error_ratio_threshold"] = budget.error_ratio(burn, given["target"])
        computed["hours_to_exhaustion"] = budget.time_to_exhaustion(burn, window)
    return computed


@computes(*numbered("R", 5, 8))
def burn_factor(given: Inputs) -> dict[str, Any]:
    share = given["error_budget_percent"] / 100
    return {"burn_rate_factor": budget.burn_factor(share, given["long_window_hours"], given["slo_period_days"] * 24)}


@computes("R13")
def total_outage(given: Inputs) -> dict[str, Any]:
    def needed(seconds: Fraction) -> Fraction | None:
        return budget.time_to_alert(given["burn_rate"], given["target"], seconds, errors=given["error_ratio"])

    long = needed(given["long_s"])
    assert long is not None
    outage = budget.burn_rate(Counts.of(0, 1), given["target"])
    assert outage is not None
    return {
        "long_s_needed": long,
        "short_s_needed": needed(given["short_s"]),
        "budget_share_at_detection": budget.share_burned(outage, long, 30 * 86400),
    }


@computes("R14")
def absent(given: Inputs) -> dict[str, Any]:
    needed = budget.time_to_alert(given["factor"], given["target"], given["long_s"])
    assert needed is not None
    return {"seconds": needed + given["for_s"], "rounded_minutes": (needed + given["for_s"]) // 60}


@computes(*numbered("I", 1, 5))
def impact_by_events(given: Inputs) -> dict[str, Any]:
    computed = budget.impact(
        given["bad_in_incident"],
        given["valid_in_window"],
        given["target"],
        window_minutes=given["window_days"] * 1440,
    )
    return {
        "budget_events": computed.budget,
        "budget_share": computed.share,
        "minutes_equivalent": computed.minutes,
        "postmortem_required": computed.postmortem_required,
    }


@computes("I06")
def impact_by_time(given: Inputs) -> dict[str, Any]:
    computed = budget.impact_by_time(
        given["duration_min"], given["window_days"] * 1440, given["target"], failing=given["failing_fraction"]
    )
    assert computed.is_estimate
    return {
        "bad_minutes": computed.bad,
        "budget_share": computed.share,
        "postmortem_required": computed.postmortem_required,
    }


@computes("I07")
def burn_inside(given: Inputs) -> dict[str, Any]:
    counts = Counts.of(given["valid_in_incident"] - given["bad_in_incident"], given["valid_in_incident"])
    return {"error_ratio": counts.bad / counts.valid, "burn_rate": budget.burn_rate(counts, given["target"])}


@computes("I08", "I09", "I10", "I12", "I13", "I14")
def whole_window(given: Inputs) -> dict[str, Any]:
    valid, bad = given["valid_in_window"], given["bad_in_window"]
    computed = budget.measure(Counts.of(valid - bad, valid), given["target"])
    return {
        "budget_events": computed.budget,
        "consumed_share": computed.consumed,
        "budget_share": computed.consumed,
        "remaining_share": computed.remaining,
        "remaining_events": computed.remaining_events,
        "sli": computed.sli,
        "slo_met": computed.slo_met,
        "freeze": computed.freeze,
        "status": computed.status,
    }


@computes("I11")
def down_without_traffic(given: Inputs) -> dict[str, Any]:
    incident = Counts.of(0, given["valid_in_incident"])
    by_events = budget.impact(incident.bad, given["valid_in_window"], given["target"])
    by_time = budget.impact_by_time(given["duration_min"], MONTH, given["target"])
    return {
        "budget_share": by_events.share,
        "time_based_share": by_time.share,
        "flag": "no_traffic_in_incident" if incident.no_traffic else None,
    }


@computes("I15", "I16")
def above_the_baseline(given: Inputs) -> dict[str, Any]:
    valid, bad = given["valid_in_incident"], given["bad_in_incident"]
    counts = Counts.of(valid - bad, valid)
    excess = budget.excess(counts, given["baseline_error_ratio"])
    return {
        "gross_share": budget.impact(bad, given["valid_in_window"], given["target"]).share,
        "baseline_bad": given["baseline_error_ratio"] * valid,
        "excess_bad": excess,
        "excess_share": budget.impact(excess, given["valid_in_window"], given["target"]).share,
    }


@computes("I17")
def still_open(given: Inputs) -> dict[str, Any]:
    valid, bad = given["valid_in_window"], given["bad_before_incident"] + given["bad_in_incident_so_far"]
    window = budget.measure(Counts.of(valid - bad, valid), given["target"])
    return {
        "budget_events": window.budget,
        "incident_share": budget.impact(given["bad_in_incident_so_far"], valid, given["target"]).share,
        "consumed_share": window.consumed,
        "remaining_share": window.remaining,
        "hours_to_exhaustion": budget.time_to_exhaustion(
            given["current_burn_rate"], given["window_days"] * 24, window.remaining
        ),
        # That the incident is open is the caller's to say.
        "provisional": True,
    }


@computes("I18")
def ageing(given: Inputs) -> dict[str, Any]:
    incident = Interval(given["t0"], given["t1"])
    series = failing_minutes(incident.start, 60, given["bad_per_minute"])
    window = Window(days=int(given["window_days"])).bounds(given["now"])
    return {
        "window_start": window.start,
        "bad_total": series.cut(incident).bad,
        "bad_in_current_window": series.cut(Interval(max(incident.start, window.start), incident.end)).bad,
    }


@computes("I19")
def over_the_end_of_a_month(given: Inputs) -> dict[str, Any]:
    parts = Window(calendar=Calendar.MONTH).split(Interval(given["t0"], given["t1"]))
    january, february = (
        budget.impact_by_time(piece.minutes, period.minutes, given["target"]) for period, piece in parts
    )
    return {
        "jan_minutes": january.bad,
        "jan_share": january.share,
        "feb_minutes": february.bad,
        "feb_share": february.share,
    }


@computes("I20")
def in_a_running_month(given: Inputs) -> dict[str, Any]:
    projected = budget.projected_valid(given["valid_so_far"], given["elapsed_days"], given["window_days"])
    return {
        "share_to_date": budget.impact(given["bad_in_incident"], given["valid_so_far"], given["target"]).share,
        "projected_valid": projected,
        "share_projected": budget.impact(given["bad_in_incident"], projected, given["target"]).share,
    }


@computes("I21")
def several_objectives(given: Inputs) -> dict[str, Any]:
    found = budget.driver(given["shares"])
    assert found is not None
    return {
        "max_share": found[1],
        "driver": found[0],
        "postmortem_required": budget.postmortem_required(found[1], given["threshold"]),
    }


def attributed(given: Inputs) -> budget.Attribution[str]:
    incidents = {name: Interval(after(given[name][0]), after(given[name][1])) for name in "ABC" if name in given}
    return budget.attribute(failing_minutes(MIDNIGHT, 100, given["bad_per_minute"]), incidents)


@computes("O01", "O04")
def two_incidents(given: Inputs) -> dict[str, Any]:
    found = attributed(given)
    full, split = (
        {name: bad / given["budget_events"] for name, bad in part.items() if bad is not None}
        for part in (found.full, found.equal_split)
    )
    assert found.union is not None
    assert split["A"] == split["B"]
    return {
        "full_A": full["A"],
        "full_B": full["B"],
        "sum_full": sum(full.values()),
        "union": found.union / given["budget_events"],
        "equal_A": split["A"],
        "equal_B": split["B"],
        "equal_each": split["A"],
    }


@computes("O02")
def three_nested_incidents(given: Inputs) -> dict[str, Any]:
    found = attributed(given)
    return {f"equal_{name}": bad for name, bad in found.equal_split.items()} | {"sum": found.union}


@computes("S01")
def slice_budget(given: Inputs) -> dict[str, Any]:
    slices = Window(days=int(given["window_days"])).bounds(MIDNIGHT).seconds / given["slice_s"]
    allowed = budget.measure(Counts.of(slices, slices), given["target"]).budget
    assert allowed is not None
    hours, minutes = divmod(allowed * given["slice_s"] / 60, 60)
    return {"slices": slices, "budget_slices": allowed, "hours": hours, "minutes": minutes}


@computes("S04")
def slices_without_data(given: Inputs) -> dict[str, Any]:
    slices = [Counts.of(good, valid) for _, good, valid in given["slices"]]

    def tally(no_data: NoData) -> list[Fraction]:
        counts = budget.timeslices(slices, given["time_slice_target"], no_data)
        assert counts is not None
        return [counts.bad, counts.valid]

    return {no_data.value: tally(no_data) for no_data in NoData}


@computes("S05")
def slices_of_an_incident(given: Inputs) -> dict[str, Any]:
    day = "2026-07-01T"
    minutes = Series(
        Sample.of(datetime.fromisoformat(f"{day}{at}:00Z"), 60, good, valid)
        for at, good, valid in read(VECTORS["S04"]["inputs"]["slices"])
    )
    incident = Interval(*(datetime.fromisoformat(f"{day}{given[edge]}Z") for edge in ("t0", "t1")))
    slices = list(minutes.slices(incident, int(given["slice_s"])))
    counts = budget.timeslices(slices, Fraction("0.95"))
    assert counts is not None
    return {"slice_indexes": list(range(len(slices))), "bad_slices_ignore": counts.bad}


@computes("S06")
def mean_of_ratios(given: Inputs) -> dict[str, Any]:
    slices = [Counts.of(valid - bad, valid) for bad, valid in given["slices"]]
    mean = budget.ratio_timeslices(slices)
    assert mean is not None
    events = Counts(sum((part.good for part in slices), Fraction()), sum((part.valid for part in slices), Fraction()))
    return {
        "event_error_ratio": events.bad / events.valid,
        "mean_of_ratios": mean.bad / mean.valid,
        "event_consumed": budget.measure(events, given["target"]).consumed,
        "sloth_consumed": budget.measure(mean, given["target"]).consumed,
    }


@computes("L02")
def exact_bucket(given: Inputs) -> dict[str, Any]:
    buckets = given["buckets"]
    counts = Counts.of(buckets["0.2"], buckets["+Inf"])
    burn = budget.burn_rate(counts, given["target"])
    return {"good": counts.good, "bad": counts.bad, "burn_rate": burn, "exact": True}


@computes("Q01")
def labels_that_lag(given: Inputs) -> dict[str, Any]:
    counts = Counts.of(given["correct"], given["labelled"])
    unknown = given["predictions"] - given["labelled"]
    computed = budget.measure(counts, given["target"], unknown=unknown)
    return {
        "accuracy": computed.sli,
        "label_coverage": given["labelled"] / given["predictions"],
        "consumed_share": computed.consumed,
        "remaining_share": computed.remaining,
        "best_case_consumed": computed.consumed_low,
        "worst_case_consumed": computed.consumed_high,
    }


@computes("Q02")
def labels_that_mature(given: Inputs) -> dict[str, Any]:
    return {
        "share_at_close": budget.impact(
            given["wrong_at_close"], given["window_labelled_at_close"], given["target"]
        ).share,
        "share_matured": budget.impact(given["wrong_later"], given["window_labelled_later"], given["target"]).share,
    }


@computes("Q04", "Q06")
def bad_slices(given: Inputs) -> dict[str, Any]:
    bad = given["bad_slices"] if "bad_slices" in given else given["stale"]
    computed = budget.measure(Counts.of(given["slices"] - bad, given["slices"]), given["target"])
    return {
        "budget_slices": computed.budget,
        "consumed_share": computed.consumed,
        "remaining_share": computed.remaining,
        "incident_share": budget.impact(given.get("bad_in_incident"), given["slices"], given["target"]).share,
    }


@pytest.mark.parametrize("vector", sorted(CALCULATIONS))
def test_a_worked_vector_comes_out_exactly(vector: str) -> None:
    inputs, expected = read(VECTORS[vector]["inputs"]), read(VECTORS[vector]["expected"])

    computed = CALCULATIONS[vector](inputs)

    assert {name: computed[name] for name in expected} == expected


def test_no_vector_is_left_out_in_silence() -> None:
    required = {*numbered("B", 1, 17), *numbered("R", 1, 14), *numbered("I", 1, 21), "O01", "O02", "O04"}
    of_this_module = {vector for vector in VECTORS if vector[0] in "BRIOSLQ"}

    assert required <= CALCULATIONS.keys()
    assert CALCULATIONS.keys() | NOT_COMPUTED_HERE.keys() == of_this_module
    assert not CALCULATIONS.keys() & NOT_COMPUTED_HERE.keys()


# Windows


def test_a_week_starts_on_monday_and_a_quarter_with_its_first_month_in_the_zone_of_the_objective() -> None:
    at = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)

    week = Window(calendar=Calendar.WEEK).bounds(at)
    quarter = Window(calendar=Calendar.QUARTER).bounds(at)
    paris = Window(calendar=Calendar.QUARTER, time_zone="Europe/Paris").bounds(at)

    assert week == Interval(datetime(2026, 3, 30, tzinfo=UTC), datetime(2026, 4, 6, tzinfo=UTC))
    assert quarter == Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    assert paris == Interval(datetime(2026, 3, 31, 22, tzinfo=UTC), datetime(2026, 6, 30, 22, tzinfo=UTC))


@given(
    at=st.integers(0, 4 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC)),
    calendar=st.sampled_from(Calendar),
    zone=st.sampled_from(["UTC", "Europe/Paris", "Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_every_moment_lies_in_one_calendar_period_and_periods_join(at: datetime, calendar: Calendar, zone: str) -> None:
    window = Window(calendar=calendar, time_zone=zone)

    period = window.bounds(at)

    assert period.start <= at < period.end
    assert window.bounds(period.start) == period
    assert window.bounds(period.end).start == period.end


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"days": 30, "calendar": Calendar.MONTH},
        {"days": 0},
        {"days": 10**10},
        {"calendar": "year"},
        {"days": 30, "time_zone": "Mars/Olympus"},
        {"days": 30, "time_zone": "../etc/passwd"},
        {"days": 30, "time_zone": "Europe"},
    ],
)
def test_a_window_that_makes_no_sense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Window(**arguments)


@pytest.mark.parametrize(
    ("window", "at"),
    [
        (Window(days=30), datetime(2026, 7, 1)),  # noqa: DTZ001 - that is the point
        (Window(days=30), datetime(1, 1, 5, tzinfo=UTC)),
        (Window(calendar=Calendar.QUARTER), datetime(9999, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_moment_without_a_zone_or_outside_the_calendar_is_refused(window: Window, at: datetime) -> None:
    with pytest.raises(ValueError):
        window.bounds(at)


def test_an_interval_given_in_local_time_lasts_as_long_as_it_lasted() -> None:
    paris = Window(calendar=Calendar.WEEK, time_zone="Europe/Paris").bounds(datetime(2026, 3, 29, 12, tzinfo=UTC))

    assert paris.minutes == 7 * 1440 - 60


# Budgets


def test_a_budget_that_nobody_measured_is_unknown_and_never_zero() -> None:
    for unknown in (
        budget.measure(None, Fraction("0.999")),
        budget.measure(Counts.of(0, 0), Fraction("0.999"), coverage=0),
    ):
        assert unknown.status is Status.UNKNOWN
        assert (
            unknown.consumed is unknown.remaining is unknown.remaining_events is unknown.sli is unknown.budget is None
        )
        assert unknown.slo_met is unknown.freeze is None


@pytest.mark.parametrize(
    ("bad", "status", "frozen"),
    [(999, Status.OK, False), (1000, Status.EXHAUSTED, False), (1001, Status.EXCEEDED, True)],
)
def test_releases_freeze_only_when_more_than_the_budget_is_spent(bad: int, status: Status, frozen: bool) -> None:
    computed = budget.measure(Counts.of(1_000_000 - bad, 1_000_000), Decimal("0.999"))

    assert computed.status is status
    assert computed.freeze is frozen
    assert computed.slo_met is not frozen


def test_a_float_is_refused_because_it_is_not_the_number_that_was_written() -> None:
    with pytest.raises(TypeError):
        budget.budget_minutes(0.999, 43200)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Counts(1, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity")])
def test_what_is_not_a_number_is_refused(value: Decimal) -> None:
    with pytest.raises(ValueError):
        budget.exact(value)


@pytest.mark.parametrize(("good", "valid"), [(-1, 5), (6, 5), (0, -1)])
def test_counts_that_cannot_be_are_refused(good: int, valid: int) -> None:
    with pytest.raises(ValueError):
        Counts.of(good, valid)


@pytest.mark.parametrize("target", [Fraction(-1), Fraction(101, 100), Decimal("99.9")])
def test_a_target_outside_0_to_1_is_refused(target: Fraction | Decimal) -> None:
    with pytest.raises(ValueError):
        budget.burn_rate(None, target)


# Impact


@pytest.mark.parametrize(("bad", "valid"), [(None, 1000), (5, None), (None, None), (0, 0), (5, 0)])
def test_an_impact_that_is_not_known_is_none(bad: int | None, valid: int | None) -> None:
    computed = budget.impact(bad, valid, Fraction("0.999"), window_minutes=MONTH)

    assert computed.share is computed.minutes is None
    assert computed.postmortem_required is None


def test_any_bad_event_calls_for_a_postmortem_when_the_target_is_everything() -> None:
    computed = budget.impact(1, 1000, 1, window_minutes=MONTH)

    assert computed.share is None
    assert computed.minutes == Fraction(MONTH, 1000)
    assert computed.postmortem_required is True
    assert budget.impact(0, 1000, 1).share == 0


def test_an_incident_that_no_sample_saw_costs_between_nothing_and_everything_it_may_have_held() -> None:
    computed = budget.impact(None, 9000, Fraction("0.9"), unknown=1000, unknown_in_window=1000)

    assert computed.share is None
    assert computed.share_low == 0
    assert computed.share_high == 1


def test_unknown_events_elsewhere_in_the_window_can_only_make_an_incident_cost_less() -> None:
    computed = budget.impact(100, 9000, Fraction("0.9"), unknown=1000, unknown_in_window=11_000)

    assert computed.share_low == Fraction(100, 2000)
    assert computed.share == Fraction(100, 900)
    assert computed.share_high == Fraction(1100, 1000)


def test_an_incident_longer_than_its_window_never_costs_more_than_its_upper_bound() -> None:
    computed = budget.impact(3000, 1000, Fraction("0.9"), unknown=1000)

    assert computed.share == computed.share_high == 30


def test_nobody_can_bound_what_nobody_can_count() -> None:
    computed = budget.impact(5, 1000, Fraction("0.9"), unknown=None)

    assert computed.share == Fraction(1, 20)
    assert computed.share_low is computed.share_high is None


TARGETS = st.fractions(0, Fraction(99999, 100000), max_denominator=100_000)
EVENTS = st.integers(0, 10**9)


@given(bad=EVENTS, good=EVENTS, unknown=EVENTS, elsewhere=EVENTS, target=TARGETS)
def test_the_bounds_hold_the_share(bad: int, good: int, unknown: int, elsewhere: int, target: Fraction) -> None:
    computed = budget.impact(bad, bad + good, target, unknown=unknown, unknown_in_window=elsewhere)

    if computed.share is not None:
        assert computed.share_low is not None
        assert computed.share_high is not None
        assert computed.share_low <= computed.share <= computed.share_high
        assert computed.share == computed.share_low == computed.share_high or unknown or elsewhere


@given(bad=EVENTS, more=st.integers(1, 10**9), valid=st.integers(1, 10**9), target=TARGETS)
def test_more_bad_events_cost_more_and_a_wider_window_makes_them_cost_less(
    bad: int, more: int, valid: int, target: Fraction
) -> None:
    less = budget.impact(bad, valid, target).share
    worse = budget.impact(bad + more, valid, target).share
    diluted = budget.impact(bad, valid + more, target).share

    assert less is not None
    assert worse is not None
    assert diluted is not None
    assert diluted <= less < worse


@given(counts=st.builds(lambda bad, good: Counts.of(good, good + bad), st.integers(1, 10**6), EVENTS), target=TARGETS)
def test_what_a_window_consumed_is_its_burn_rate_and_all_of_it_is_its_incidents_share(
    counts: Counts, target: Fraction
) -> None:
    computed = budget.measure(counts, target)

    assert (
        computed.consumed == budget.burn_rate(counts, target) == budget.impact(counts.bad, counts.valid, target).share
    )
    assert computed.freeze is (computed.slo_met is False)


def test_no_objective_drives_when_no_share_is_known() -> None:
    assert budget.driver({"availability": None}) is None
    assert budget.driver({"availability": None, "latency": Fraction(0)}) == ("latency", Fraction(0))


# Forecasts


def test_the_forecast_says_when_the_budget_runs_out() -> None:
    rolling_month = Window(days=30)

    assert budget.exhausted_at(MIDNIGHT, rolling_month, burn=36, remaining=Fraction("0.6")) == after(12 * 60)
    assert budget.exhausted_at(MIDNIGHT, rolling_month, burn=36, remaining=-1) == MIDNIGHT
    assert budget.exhausted_at(MIDNIGHT, rolling_month, burn=0, remaining=1) is None
    assert budget.exhausted_at(MIDNIGHT, rolling_month, burn=None, remaining=1) is None
    assert budget.exhausted_at(MIDNIGHT, rolling_month, burn=Fraction(1, 10**12), remaining=1) is None


def test_a_calendar_budget_does_not_run_out_after_its_period() -> None:
    july = Window(calendar=Calendar.MONTH)

    assert budget.exhausted_at(MIDNIGHT, july, burn=2, remaining=1) == MIDNIGHT + timedelta(days=15.5)
    assert budget.exhausted_at(MIDNIGHT, july, burn=1, remaining=1) is None


def test_errors_below_the_threshold_never_raise_the_burn_alert() -> None:
    assert budget.time_to_alert(Fraction("14.4"), Fraction("0.999"), 3600, errors=Fraction("0.0144")) is None


# Samples


def test_a_sample_that_an_edge_cuts_gives_its_part_and_says_so() -> None:
    series = Series([Sample.of(MIDNIGHT, 300, 200, 300), Sample.of(after(5), 300, 90, 90)])

    cut = series.cut(Interval(after(1), after(5)))
    whole = series.cut(Interval(MIDNIGHT, after(10)))

    assert cut.counts == Counts.of(160, 240)
    assert whole.counts == Counts.of(290, 390)
    assert (cut.is_exact, whole.is_exact) == (False, True)
    assert cut.coverage == whole.coverage == 1


def test_samples_that_only_touch_an_interval_are_no_part_of_it() -> None:
    neighbours = Series(Sample.of(after(minute), 60, 1, 1) for minute in (0, 1, 2))

    middle = neighbours.cut(Interval(after(1), after(2)))

    assert middle.counts == Counts.of(1, 1)
    assert middle.is_exact


def test_cutting_a_sample_without_traffic_loses_nothing() -> None:
    cut = Series([Sample.of(MIDNIGHT, 300, 0, 0)]).cut(Interval(after(1), after(2)))

    assert cut.is_exact
    assert cut.counts == Counts.of(0, 0)


def test_time_without_samples_is_not_covered_and_may_have_held_events_at_the_usual_rate() -> None:
    series = Series([Sample.of(MIDNIGHT, 300, 300, 300)])

    half = series.cut(Interval(MIDNIGHT, after(10)))
    nothing = series.cut(Interval(after(5), after(10)))

    assert half.coverage == Fraction(1, 2)
    assert half.rate == 1
    assert half.unseen(half.rate) == 300
    assert nothing.coverage == 0
    assert nothing.counts is None
    assert nothing.bad is nothing.rate is None
    assert nothing.unseen(half.rate) == 300
    assert nothing.unseen(nothing.rate) is None


def test_an_incident_that_has_just_opened_took_nothing() -> None:
    just_opened = Series([]).cut(Interval(MIDNIGHT, MIDNIGHT))

    assert just_opened.bad == 0
    assert just_opened.coverage is None
    assert just_opened.unseen(None) == 0


def test_samples_that_count_the_same_second_are_refused() -> None:
    with pytest.raises(budget.OverlappingSamples):
        Series([Sample.of(after(4), 60, 1, 1), Sample.of(MIDNIGHT, 300, 1, 1)])


def test_burn_is_told_for_four_windows_and_only_where_something_is_known() -> None:
    series = Series([Sample.of(after(-5), 300, 98, 100), Sample.of(after(-60), 3300, 1900, 1900)])

    assert series.burns(MIDNIGHT, Fraction("0.999")) == {"5m": 20, "1h": 1, "6h": 1, "3d": 1}
    assert series.burns(after(30), Fraction("0.999"))["5m"] is None


def test_slices_without_a_sample_are_unknown_unless_the_objective_says_otherwise() -> None:
    assert budget.timeslices([None, None], Fraction("0.95")) is None
    assert budget.timeslices([None, Counts.of(0, 0)], Fraction("0.95")) == Counts.of(0, 0)
    assert budget.timeslices([None, None], Fraction("0.95"), NoData.BAD) == Counts.of(0, 2)
    assert budget.ratio_timeslices([None, Counts.of(1, 2)], NoData.GOOD) == Counts.of(Fraction(3, 2), 2)


@st.composite
def some_series(draw: st.DrawFn) -> Series:
    """Up to twelve samples with gaps, in the first two hours after MIDNIGHT or so."""
    samples, start = [], MIDNIGHT
    for _ in range(draw(st.integers(0, 12))):
        start += timedelta(seconds=draw(st.integers(0, 400)))
        seconds, good, bad = draw(st.tuples(st.integers(1, 600), st.integers(0, 1000), st.integers(0, 1000)))
        samples.append(Sample.of(start, seconds, good, good + bad))
        start += timedelta(seconds=seconds)
    return Series(samples)


SECONDS = st.integers(-600, 9000)
INTERVALS = st.tuples(SECONDS, SECONDS).map(
    lambda edges: Interval(*(MIDNIGHT + timedelta(seconds=second) for second in sorted(edges)))
)


@settings(deadline=None)  # exact fractions, on a busy machine
@given(series=some_series(), edges=st.tuples(SECONDS, SECONDS, SECONDS).map(sorted))
def test_the_parts_of_an_interval_add_up_to_it(series: Series, edges: list[int]) -> None:
    start, middle, end = (MIDNIGHT + timedelta(seconds=edge) for edge in edges)

    first, second, whole = (series.cut(Interval(*pair)) for pair in ((start, middle), (middle, end), (start, end)))
    shares = [budget.impact(part.bad, 10**6, Fraction("0.999")).share for part in (first, second, whole)]

    assert first.covered + second.covered == whole.covered
    assert (shares[0] or 0) + (shares[1] or 0) == (shares[2] or 0)
    if whole.counts is None:
        assert not first.covered
        assert not second.covered


@settings(deadline=None)  # exact fractions, on a busy machine
@given(series=some_series(), interval=INTERVALS)
def test_coverage_is_a_share_and_never_more_than_the_interval(series: Series, interval: Interval) -> None:
    portion = series.cut(interval)

    assert 0 <= portion.covered <= interval.seconds
    assert (portion.coverage is None) is (interval.seconds == 0)
    assert (portion.counts is None) is (portion.covered == 0 and interval.seconds > 0)


@settings(deadline=None)  # exact fractions, on a busy machine
@given(series=some_series(), incidents=st.dictionaries(st.sampled_from("ABCDE"), INTERVALS))
def test_an_equal_split_adds_up_to_what_happened_and_full_figures_to_no_less(
    series: Series, incidents: dict[str, Interval]
) -> None:
    found = budget.attribute(series, incidents)

    split = sum((bad or Fraction() for bad in found.equal_split.values()), Fraction())
    full = sum((bad or Fraction() for bad in found.full.values()), Fraction())

    assert split == (found.union or 0) <= full
    for name in incidents:
        assert (found.full[name] is None) is (found.equal_split[name] is None)
        assert (found.equal_split[name] or 0) <= (found.full[name] or 0) <= (found.union or 0)


# Decimal strings


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (Fraction(0), "0"),
        (Fraction(1), "1"),
        (Fraction(1200), "1200"),
        (Fraction(-3, 4), "-0.75"),
        (Fraction("0.000000000000000000042"), "0.000000000000000000042"),
        (Fraction("123456789012345678.125"), "123456789012345678.125"),
        (Fraction(25, 72), "0.347222222222222"),
        (Fraction(2, 3), "0.666666666666667"),
        (Fraction(-13, 12), "-1.08333333333333"),
        (Fraction(1, 3 * 10**20), "0.00000000000000000000333333333333333"),
        (Fraction(10**20, 3), "33333333333333300000"),
    ],
)
def test_a_share_is_written_without_an_exponent(value: Fraction | None, written: str | None) -> None:
    assert to_decimal_string(value) == written


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**12), max_value=10**12))
def test_a_decimal_comes_back_exactly(value: Decimal) -> None:
    written = to_decimal_string(Fraction(value))

    assert written is not None
    assert Fraction(written) == value
    assert "e" not in written.lower()


@given(st.fractions())
def test_what_never_ends_is_rounded_by_less_than_anyone_can_see(value: Fraction) -> None:
    written = to_decimal_string(value)

    assert written is not None
    assert abs(Fraction(written) - value) <= abs(value) * Fraction(10) ** (1 - SIGNIFICANT_DIGITS)
