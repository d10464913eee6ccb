from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.errors import UsageError
from motionunion.window_reading import WindowReader

VALUES = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    rows = draw(st.integers(1, 40))
    lengths = draw(st.lists(st.integers(1, rows), max_size=12))
    first = [draw(st.integers(0, len(VALUES) - length)) for length in lengths]
    return rows, first, lengths


@settings(max_examples=100, deadline=None)
@given(request=requests(), full=st.booleans(), given_out=st.booleans())
def test_windows_are_slices_with_their_last_row_repeated(
    request: tuple[int, list[int], list[int]], full: bool, given_out: bool
) -> None:
    rows, first, lengths = request
    if full:
        first, lengths = [min(one, len(VALUES) - rows) for one in first], [rows] * len(first)
    expected = np.zeros((len(first), rows, 5), dtype=np.float32)
    for place, (start, length) in enumerate(zip(first, lengths, strict=True)):
        expected[place, :length] = VALUES[start : start + length]
        expected[place, length:] = VALUES[start + length - 1]
    out = np.full((len(first), rows, 5), 7.0, dtype=np.float32) if given_out else None
    index = np.array(first, dtype=np.int64)
    found = WindowReader(VALUES, rows).batch(index, np.array(lengths, dtype=np.int64), out)
    np.testing.assert_array_equal(found, expected)
    assert out is None or found is out
    if full:
        np.testing.assert_array_equal(WindowReader(VALUES, rows).batch(index), expected)


def test_a_batch_is_a_copy() -> None:
    values = VALUES.copy()
    reader = WindowReader(values, 4)
    reader.batch(np.array([0, 2]))[:] = 0.0
    np.testing.assert_array_equal(values, VALUES)


def test_windows_of_a_memory_map_are_plain_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", VALUES)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r", allow_pickle=False)
    found = WindowReader(mapped, 8).batch(np.array([3, 292]))
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, np.stack([VALUES[3:11], VALUES[292:300]]))


@pytest.mark.parametrize(
    ("first", "lengths"),
    [([-1], None), ([293], None), ([0, 10**12], None), ([0], [0]), ([0], [9]), ([299], [2]), ([-(2**63)], [1])],
)
def test_a_window_outside_the_array_is_refused(first: list[int], lengths: list[int] | None) -> None:
    wanted = None if lengths is None else np.array(lengths)
    with pytest.raises(UsageError, match="outside"):
        WindowReader(VALUES, 8).batch(np.array(first), wanted)


def test_an_array_shorter_than_a_window_gives_short_ones() -> None:
    found = WindowReader(VALUES[:3], 5).batch(np.array([1]), np.array([2]))
    np.testing.assert_array_equal(found[0], VALUES[[1, 2, 2, 2, 2]])
    with pytest.raises(UsageError, match="outside"):
        WindowReader(VALUES[:3], 5).batch(np.array([0]))


@pytest.mark.parametrize("values", [VALUES.astype(np.float64), VALUES[:, :3], VALUES[0], VALUES[::-1]])
def test_other_arrays_are_refused(values: npt.NDArray[np.float32]) -> None:
    with pytest.raises(UsageError, match="contiguous float32"):
        WindowReader(values, 4)


def test_a_place_of_another_shape_is_refused() -> None:
    reader = WindowReader(VALUES, 4)
    with pytest.raises(UsageError, match="out"):
        reader.batch(np.array([0]), out=np.zeros((2, 4, 5), dtype=np.float32))
    with pytest.raises(UsageError, match="out"):
        reader.batch(np.array([0]), out=np.zeros((1, 4, 10), dtype=np.float32)[..., ::2])
    with pytest.raises(UsageError, match="rows"):
        WindowReader(VALUES, 0)
