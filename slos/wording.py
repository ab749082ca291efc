"""What a budget's state is called, and why a number of it is not known. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from common import language
from slos.budget import Status
from slos.ledger import Standing
from slos.models import Slo

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

_LOW = 4  # a quarter of the budget


@dataclass(frozen=True, slots=True)
class State:
    """A word for people, the status class that colours it, and the tone of a bar of what remains."""

    word: StrOrPromise
    status: str
    tone: str


_STATES = {
    Status.OK: State(_lazy("Healthy"), "healthy", "green"),
    Status.EXHAUSTED: State(_lazy("Spent"), "exhausted", "red"),
    Status.EXCEEDED: State(_lazy("Exceeded"), "exhausted", "red"),
    Status.NO_TRAFFIC: State(_lazy("No traffic"), "unknown", ""),
    Status.ZERO_BUDGET_OK: State(_lazy("No error"), "healthy", "green"),
    Status.ZERO_BUDGET_EXCEEDED: State(_lazy("Exceeded"), "exhausted", "red"),
    Status.UNKNOWN: State(_lazy("No data"), "unknown", ""),
}
_AT_RISK = State(_lazy("At risk"), "at-risk", "orange")

_REASONS = {
    Status.NO_TRAFFIC: _lazy("the samples hold no event"),
    Status.ZERO_BUDGET_EXCEEDED: _lazy("a target of 100% leaves no budget to take a share of"),
    Status.UNKNOWN: _lazy("no sample covers the window"),
}


def state(standing: Standing) -> State:
    """At risk is what has less than a quarter left."""
    low = standing.remaining is not None and standing.remaining * _LOW < 1
    return _AT_RISK if standing.status is Status.OK and low else _STATES[standing.status]


def reason(standing: Standing) -> StrOrPromise:
    """Why what remains is not known."""
    return _REASONS.get(standing.status, _lazy("no data"))


def window(slo: Slo) -> str:
    """`30 days, rolling`, or `calendar month, Europe/Paris`."""
    if slo.window_days is not None:
        return rolling(slo.window_days)
    return _("{period}, {time_zone}").format(
        period=language.within_a_sentence(slo.get_window_calendar_display()), time_zone=slo.window_time_zone
    )


def rolling(days: int) -> str:
    return ngettext("{n} day, rolling", "{n} days, rolling", days).format(n=days)
