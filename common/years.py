"""The years in which anything of ours can happen: beyond them zones and databases run out of calendar. Pure."""

from datetime import date

FIRST, LAST = 1971, 2200


def hold(day: date) -> bool:
    """Whether the day, or the moment, lies within them."""
    return FIRST <= day.year <= LAST
