"""Budgets as lines of an SVG, drawn on the server: they need no script, and pass the content security policy. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from slos.budget import Interval
from slos.burndown import Step

SPARK = (96, 24)
WIDE = (720, 180)
LOW = (720, 90)
_ALERT_LINES = (Fraction(1), Fraction(6), Fraction("14.4"))


@dataclass(frozen=True, slots=True)
class Band:
    """The time of an incident, as a rectangle of the chart's height."""

    x: str
    width: str
    incident: Any  # an incidents.Incident: this room does not look into the other


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    step: Step
    is_fast: bool  # faster than the budget lasts


@dataclass(frozen=True, slots=True)
class Line:
    """A level of the chart, and what it is."""

    y: str
    value: Fraction


@dataclass(frozen=True, slots=True)
class Burndown:
    """`lines` are the points of polylines, one for each stretch without a gap; `levels` from the top to the bottom."""

    width: int
    height: int
    lines: Sequence[str]
    areas: Sequence[str]
    zero: str
    levels: Sequence[Fraction]
    bands: Sequence[Band]

    @property
    def is_empty(self) -> bool:
        return not self.lines


@dataclass(frozen=True, slots=True)
class Burns:
    width: int
    height: int
    bars: Sequence[Bar]
    lines: Sequence[Line]
    top: Fraction


def burndown(
    steps: Sequence[Step], size: tuple[int, int] = WIDE, incidents: Iterable[tuple[Any, Interval]] = ()
) -> Burndown:
    """What remained, from the whole budget at the top to nothing, or further down where it was exceeded."""
    width, height = size
    least = min((step.remaining for step in steps if step.remaining is not None), default=Fraction(0))
    bottom = Fraction(math.floor(min(least, Fraction(0)) * 4), 4)
    start, end = steps[0].begins, steps[-1].ends

    def y(remaining: Fraction) -> float:
        return float((1 - remaining) / (1 - bottom)) * height

    stretches: list[list[tuple[float, float]]] = [[]]
    if steps[0].remaining is not None:
        stretches[0].append((0.0, 0.0))
    for step in steps:
        if step.remaining is None:
            stretches.append([])
        else:
            stretches[-1].append((_x(step.ends, start, end, width), y(step.remaining)))
    drawn = [stretch for stretch in stretches if len(stretch) > 1]
    floor = y(Fraction(0))
    return Burndown(
        width=width,
        height=height,
        lines=[_points(stretch) for stretch in drawn],
        areas=[_points([(stretch[0][0], floor), *stretch, (stretch[-1][0], floor)]) for stretch in drawn],
        zero=_number(floor),
        levels=[Fraction(1), (1 + bottom) / 2, bottom],
        bands=[band for incident, interval in incidents if (band := _band(incident, interval, start, end, width))],
    )


def burns(steps: Sequence[Step], size: tuple[int, int] = LOW) -> Burns:
    """How fast it burned in each step, on a scale that keeps both 1 and 100 in sight."""
    width, height = size
    top = max([Fraction(2), *(step.burn for step in steps if step.burn is not None)])
    each = width / len(steps)

    def tall(burn: Fraction) -> float:
        return math.log1p(float(burn)) / math.log1p(float(top)) * height

    bars = [
        Bar(
            x=_number(place * each + each * 0.1),
            y=_number(height - max(tall(step.burn), 0.75)),
            width=_number(each * 0.8),
            height=_number(max(tall(step.burn), 0.75)),
            step=step,
            is_fast=step.burn > 1,
        )
        for place, step in enumerate(steps)
        if step.burn is not None
    ]
    lines = [Line(_number(height - tall(level)), level) for level in _ALERT_LINES if level <= top]
    return Burns(width, height, bars, lines, top)


def _band(incident: Any, interval: Interval, start: datetime, end: datetime, width: int) -> Band | None:
    left, right = (_x(min(max(edge, start), end), start, end, width) for edge in (interval.start, interval.end))
    if interval.end <= start or interval.start >= end:
        return None
    return Band(_number(left), _number(max(right - left, 2.0)), incident)


def _x(at: datetime, start: datetime, end: datetime, width: int) -> float:
    return (at - start) / (end - start) * width if end > start else 0.0


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
