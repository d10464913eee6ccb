from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionunion.formats.frame_rate import rate_of_frame_time


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        (".0083333", 120),
        ("0.008333", 120),
        ("0.0333333", 30),
        ("0.033333", 30),
        ("0.0333", 30),
        ("0.033", 30),
        ("0.016667", 60),
        ("0.0166", 60),  # cut off, not rounded
        ("0.016666668", 60),  # float32
        ("0.04", 25),
        ("0.01", 100),
        ("0.066667", 15),
        ("0.004", 250),
        ("4.1667E-2", 24),
        ("1", 1),
        ("0.08", Fraction(25, 2)),
        ("0.080000", Fraction(25, 2)),
        ("0.041708", Fraction(24000, 1001)),
        ("0.0333667", Fraction(30000, 1001)),
        ("0.01668333", Fraction(60000, 1001)),
        ("0.0083416667", Fraction(120000, 1001)),
        ("0.012346", 81),
    ],
)
def test_a_printed_frame_time_means_the_rate_that_was_printed(text: str, rate: Fraction) -> None:
    assert rate_of_frame_time(text) == rate


@given(st.integers(1, 480), st.integers(6, 12))
def test_whole_rates_survive_printing(rate: int, digits: int) -> None:
    assert rate_of_frame_time(f"{1 / rate:.{digits}f}") == rate


@given(st.decimals("0.0002", "9.9", allow_nan=False, places=7))
def test_the_rate_never_leaves_the_printed_digits(frame_time) -> None:  # type: ignore[no-untyped-def]
    rate = rate_of_frame_time(str(frame_time))
    slack = max(Fraction(1, 10**7), Fraction(frame_time) / 2**23)
    assert abs(1 / rate - Fraction(frame_time)) <= slack


@pytest.mark.parametrize(
    "text", ["0", "-0.01", "0.0", "nan", "inf", "-inf", "fast", "", "0.00001", "1e-999999999", "1e9", "10", "3600"]
)
def test_no_rate_is_made_of_nonsense(text: str) -> None:
    with pytest.raises(ValueError, match="frame time"):
        rate_of_frame_time(text)
