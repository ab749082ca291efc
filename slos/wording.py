"""What a budget's state is called, and why a number of it is not known. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from slos.budget import Status
from slos.ledger import Standing
from slos.models import Slo

_LOW = 4  # a quarter of the budget


@dataclass(frozen=True, slots=True)
class State:
    """A word for people, the status class that colours it, and the tone of a bar of what remains."""

    word: str
    status: str
    tone: str


_STATES = {
    Status.OK: State("Healthy", "healthy", "green"),
    Status.EXHAUSTED: State("Spent", "exhausted", "red"),
    Status.EXCEEDED: State("Exceeded", "exhausted", "red"),
    Status.NO_TRAFFIC: State("No traffic", "unknown", ""),
    Status.ZERO_BUDGET_OK: State("No error", "healthy", "green"),
    Status.ZERO_BUDGET_EXCEEDED: State("Exceeded", "exhausted", "red"),
    Status.UNKNOWN: State("No data", "unknown", ""),
}
_AT_RISK = State("At risk", "at-risk", "orange")

_REASONS = {
    Status.NO_TRAFFIC: "the samples hold no event",
    Status.ZERO_BUDGET_EXCEEDED: "a target of 100% leaves no budget to take a share of",
    Status.UNKNOWN: "no sample covers the window",
}


def state(standing: Standing) -> State:
    """At risk is what has less than a quarter left."""
    low = standing.remaining is not None and standing.remaining * _LOW < 1
    return _AT_RISK if standing.status is Status.OK and low else _STATES[standing.status]


def reason(standing: Standing) -> str:
    """Why what remains is not known."""
    return _REASONS.get(standing.status, "no data")


def window(slo: Slo) -> str:
    """`30 days, rolling`, or `calendar month, Europe/Paris`."""
    if slo.window_days is not None:
        return f"{slo.window_days} day{'' if slo.window_days == 1 else 's'}, rolling"
    return f"{slo.get_window_calendar_display().lower()}, {slo.window_time_zone}"
