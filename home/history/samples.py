"""Samples of the demo's SLOs: quiet days with their tides, and what the incidents took of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from home.history.cast import SLOS, Cast
from home.history.stories import Story
from slos import ledger

FINE = timedelta(minutes=15)  # as long as there are incidents,
COARSE = timedelta(hours=3)  # and before, so that their budgets have a window behind them
FINE_DAYS, COARSE_DAYS = 61, 91


def store(cast: Cast, stories: Sequence[Story], *, now: datetime) -> None:
    for slug, slo in cast.slos.items():
        hits = [
            (story.began_at, story.burned_until(now), story.slos[slug])
            for story in stories
            if slug in story.slos and not story.is_drill
        ]
        ledger.store(slo, list(_rows(slug, hits, now)), now=now)


def _rows(slug: str, hits: list[tuple[datetime, datetime, float]], now: datetime) -> Iterator[dict[str, Any]]:
    _, _, _, _, a_minute, quiet = SLOS[slug]
    chance = random.Random(slug)
    for start, length in _slots(now):
        hour = start.hour + start.minute / 60
        tide = 1 + 0.45 * math.sin((hour - 9) / 24 * math.tau)  # the peak is in the afternoon
        valid = max(1, round(a_minute * length.total_seconds() / 60 * tide * chance.uniform(0.96, 1.04)))
        bad = valid * quiet * chance.uniform(0.4, 1.6)
        for began, ended, share in hits:
            overlap = min(ended, start + length) - max(began, start)
            bad += valid * share * max(0.0, overlap / length)
        # Whole events, and the rest of one by chance, so that rare ones happen at all.
        whole = min(valid, int(bad) + (chance.random() < bad % 1))
        yield {"start": start, "seconds": int(length.total_seconds()), "good": valid - whole, "valid": valid}


def _slots(now: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """Side by side until now."""
    end = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    fine_from = (end - timedelta(days=FINE_DAYS)).replace(minute=0)
    start = fine_from - timedelta(days=COARSE_DAYS - FINE_DAYS)
    while start < fine_from:
        yield start, COARSE
        start += COARSE
    while start + FINE <= end:
        yield start, FINE
        start += FINE
