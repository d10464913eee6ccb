from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.digest import canonical_json
from motionunion.moments import BLOCK_ROWS, Moments, MomentsCounter


def rows(count: int, dims: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).normal(3.0, np.linspace(0.1, 2, dims), (count, dims)).astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=6), shift=st.floats(-1e4, 1e4))
def test_the_same_rows_give_the_same_bits_however_they_arrive(cuts: list[int], shift: float) -> None:
    values = rows(3000, 5).astype(np.float64) + shift
    counter, at_once = MomentsCounter(5), MomentsCounter(5)
    for chunk in np.split(values, sorted(cuts)):
        counter.add(chunk)
        assert counter.moments.rows <= 3000  # asking in between changes nothing
    at_once.add(values)
    moments = counter.moments
    assert moments.rows == 3000
    np.testing.assert_array_equal(moments.mean, at_once.moments.mean)
    np.testing.assert_array_equal(moments.squares, at_once.moments.squares)
    np.testing.assert_allclose(moments.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.std, values.std(0), rtol=1e-9)


def exact(values: npt.NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Mean and standard deviation of one channel in rational arithmetic."""
    numbers = [Fraction(float(value)) for value in values]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    variance = sum(((number - mean) ** 2 for number in numbers), Fraction(0)) / len(numbers)
    return float(mean), math.sqrt(variance)


@pytest.mark.parametrize("offset", [0.0, 1.0, -1e3, 1e6, -1e9, 1e12])
def test_moments_hold_far_from_zero(offset: float) -> None:
    """Where sums of squares lose every digit: a spread of 1 around 1e12 has a variance of 1e-24 of the squares."""
    random = np.random.default_rng(3)
    values = np.stack([offset + random.normal(size=2500), offset + np.arange(2500) % 2], axis=1)
    counter = MomentsCounter(2)
    counter.add(values)
    for channel in range(2):
        mean, std = exact(values[:, channel])
        assert counter.moments.mean[channel] == pytest.approx(mean, rel=1e-15)
        assert counter.moments.std[channel] == pytest.approx(std, rel=1e-13)


def test_moments_hold_where_the_level_changes_between_blocks() -> None:
    values = np.repeat([[1e8], [-1e8], [1e8 + 1], [0.0]], BLOCK_ROWS - 7, axis=0)
    counter = MomentsCounter(1)
    counter.add(values)
    mean, std = exact(values[:, 0])
    assert counter.moments.mean[0] == pytest.approx(mean, rel=1e-13)
    assert counter.moments.std[0] == pytest.approx(std, rel=1e-13)


def test_a_constant_channel_has_no_deviation_at_all() -> None:
    counter = MomentsCounter(1)
    counter.add(np.full((5000, 1), 0.1, dtype=np.float32))
    assert counter.moments.std[0] < 1e-17


def test_moments_return_from_json_to_the_last_bit() -> None:
    counter = MomentsCounter(263)
    counter.add(rows(1500, 263))
    moments = counter.moments
    again = Moments.from_json(json.loads(canonical_json(moments.to_json())))
    assert again.rows == moments.rows
    np.testing.assert_array_equal(again.mean, moments.mean)
    np.testing.assert_array_equal(again.squares, moments.squares)
