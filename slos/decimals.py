"""Exact fractions as the decimal strings people and the API read."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

SIGNIFICANT_DIGITS = 15

_rounding = Context(prec=SIGNIFICANT_DIGITS, rounding=ROUND_HALF_EVEN)


def to_decimal_string(value: Fraction | None) -> str | None:
    """The number without an exponent: exact when its decimals end, else 15 significant digits, half to even.

    Unknown stays None.
    """
    if value is None:
        return None
    places = _decimal_places(value.denominator)
    if places is None:
        return format(_rounding.divide(Decimal(value.numerator), Decimal(value.denominator)), "f")
    scaled = value.numerator * 10**places // value.denominator
    sign = "-" if scaled < 0 else ""
    digits = str(abs(scaled)).rjust(places + 1, "0")
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _decimal_places(denominator: int) -> int | None:
    """How many decimals write a reduced fraction exactly; None when no number of them does."""
    twos = fives = 0
    while denominator % 2 == 0:
        denominator //= 2
        twos += 1
    while denominator % 5 == 0:
        denominator //= 5
        fives += 1
    return max(twos, fives) if denominator == 1 else None
