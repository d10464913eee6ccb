"""The exact frame rate behind one that was written down with too few digits: a frame time as text, or a rate as a number."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from motionunion.errors import ClipError

_USUAL = (10, 12, 15, 20, 24, 25, 30, 40, 48, 50, 60, 72, 75, 80, 90, 100, 120, 144, 150, 160, 180, 200, 240, 250, 300)
_USUAL_RATES = tuple(map(Fraction, _USUAL))
_BROADCAST = tuple(Fraction(1000 * rate, 1001) for rate in (24, 30, 48, 60, 120, 240))
FASTEST_HZ = 10_000
"""No motion is recorded faster; a rate above it is a mistake in the file."""
_FLOAT32_ULP = Fraction(1, 2**23)
_NTSC = {float(round(nominal / 1.001, 2)): Fraction(nominal * 1000, 1001) for nominal in (24, 30, 48, 60, 120, 240)}


def exact_rate(value: float) -> Fraction:
    """Frames per second, stated as a number, as an exact fraction.

    The stated rate is rounded to two decimals first, for files say 120.00004577636719 and 59.9999886; a whole number is
    taken as that, the rates of NTSC video (29.97, 59.94, 119.88, ...) as their multiple of 1000/1001, and anything else
    as the rounded decimal.

    Raises:
        ClipError: `no_frame_rate` for a rate that is not a positive number.
    """
    if not math.isfinite(value) or round(value, 2) <= 0:
        raise ClipError(f"the frame rate is {value}, which is no rate", reason="no_frame_rate")
    rounded = round(value, 2)
    return _NTSC.get(rounded, Fraction(str(rounded)))


def rate_of_frame_time(text: str) -> Fraction:
    """Frames per second of a printed frame time in seconds, as an exact fraction.

    The text stands for every frame time within one unit of its last digit (rounded or cut off), and within float32's
    precision. Among the rates that fit, the first of these is taken:

    1. the exact reciprocal, where it is a whole or half number (`0.08` is 12.5, never 12);
    2. the nearest rate in common use (`0.016667` and `0.0166` are 60, `.0083333` is 120);
    3. the nearest broadcast rate (`0.041708` is 24000/1001, `0.00834168` is 120000/1001);
    4. the nearest whole number;
    5. the fraction with the smallest denominator.

    Raises:
        ValueError: If the text is no positive finite number, the rate is above 10,000 a second, or a frame lasts ten seconds.
    """
    try:
        decimal = Decimal(text)
    except InvalidOperation:
        decimal = Decimal("NaN")
    if not decimal.is_finite():
        raise ValueError(f"frame time must be a number of seconds, found {text[:40]!r}")
    if decimal <= 0:
        raise ValueError(f"frame time is {text[:40]}: it must be above 0 (30 frames a second are 0.0333333)")
    exponent = decimal.as_tuple().exponent
    # A frame for every hour would become gigabytes of frames at the rate of any representation.
    if decimal.adjusted() > 0 or decimal.adjusted() < -6 or not isinstance(exponent, int) or exponent < -400:
        raise ValueError(f"frame time is {text[:40]}, which no motion has: it must lie between 0.0001 and 10 s")
    seconds = Fraction(decimal)
    exact = 1 / seconds
    if exact > FASTEST_HZ:
        raise ValueError(f"frame time is {text[:40]}: more than {FASTEST_HZ:,} frames a second")
    if exact.denominator <= 2:
        return exact
    slack = max(Fraction(10) ** exponent, seconds * _FLOAT32_ULP)
    about = float(exact)
    for candidates in (_USUAL_RATES, _BROADCAST, (Fraction(max(1, round(exact))),)):
        # The nearest in floats: where rounding makes two alike, neither is anywhere near enough to fit.
        nearest = min(candidates, key=lambda rate: abs(rate.numerator / rate.denominator - about))
        if abs(1 / nearest - seconds) < slack:
            return nearest
    low, high = 1 / (seconds + slack), 1 / (seconds - slack) if seconds > slack else exact
    return _simplest_between(low, high)


def _simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of smallest denominator in [low, high], by the continued fraction that both ends share."""
    whole = low.numerator // low.denominator
    if whole == low:
        return low
    if whole + 1 <= high:
        return Fraction(whole + 1)
    return whole + 1 / _simplest_between(1 / (high - whole), 1 / (low - whole))
