"""How a budget came to what remains of it: from the whole at its window's beginning, step by step until now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from slos import budget as arithmetic
from slos import sums
from slos.budget import Interval
from slos.ledger import Standing


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the window: what remained of the budget at its end, and how fast it burned. None is unknown."""

    begins: datetime
    ends: datetime
    remaining: Fraction | None
    burn: Fraction | None


def of(standings: Sequence[Standing], steps: int) -> list[list[Step]]:
    """The steps of each standing's window until its moment, in their order, as many for each; two statements for all of
    them. The last one ends with what remains now; without a budget every step is unknown."""
    moments = {standing.slo.pk: _moments(standing, steps) for standing in standings}
    tallies = sums.at(moments)
    return [_steps(standing, moments[standing.slo.pk], tallies[standing.slo.pk]) for standing in standings]


def _moments(standing: Standing, steps: int) -> list[datetime]:
    start, end = standing.window.start, min(standing.window.end, standing.at)
    return [start + (end - start) * place / steps for place in range(steps)] + [end]


def _steps(standing: Standing, moments: list[datetime], tally: sums.Tally) -> list[Step]:
    found = []
    for begins, ends in pairwise(moments):
        until = tally.cut(Interval(moments[0], ends))
        within = tally.cut(Interval(begins, ends))
        remaining = None
        if until.counts is not None and standing.budget:
            remaining = 1 - until.counts.bad / standing.budget
        burn = arithmetic.burn_rate(within.counts, standing.slo.target)
        found.append(Step(begins, ends, remaining, burn))
    return found
