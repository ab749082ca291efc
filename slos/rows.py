"""SLOs as lists show them: how each stands, in words, and drawn small. Four statements for any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from slos import burndown, drawing, ledger, queries, sums, wording
from slos.models import Sample, Slo

SPARK_STEPS = 30
_SILENT_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Row:
    """How an SLO stands, with the words for it. `heard_at` is the end of its last sample."""

    standing: ledger.Standing
    state: wording.State
    reason: str
    window: str
    spark: drawing.Burndown
    heard_at: datetime | None
    is_stale: bool

    @property
    def runs_out(self) -> bool:
        """Whether what remains is spent within the window, at the rate of the last hour."""
        hour, remaining = self.standing.burn["1h"], self.standing.remaining
        return self.standing.exhausted_at is not None and bool(hour and hour > 1) and bool(remaining and remaining > 0)


def listed(slos: QuerySet[Slo], *, now: datetime) -> list[Row]:
    """The most urgent first."""
    return of(queries.listed(slos, now=now))


def of(standings: Sequence[ledger.Standing]) -> list[Row]:
    steps = burndown.of(standings, SPARK_STEPS)
    last = sums.last_before([(standing.slo.pk, standing.at) for standing in standings])
    return [
        Row(
            standing=standing,
            state=wording.state(standing),
            reason=str(wording.reason(standing)),
            window=wording.window(standing.slo),
            spark=drawing.burndown(mine, drawing.SPARK),
            heard_at=sample.end if sample else None,
            is_stale=sample is not None and is_stale(sample, standing.at),
        )
        for standing, mine, sample in zip(standings, steps, last, strict=True)
    ]


def is_stale(last: Sample, now: datetime) -> bool:
    """Whether samples came and come no more: three of them would be due, and a quarter of an hour is over."""
    return now - last.end > max(_SILENT_FOR, 3 * timedelta(seconds=last.seconds))
