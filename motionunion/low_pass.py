"""Motion at a lower rate without aliasing: a low-pass filter, evaluated at the exact times of the frames wanted.

Shapes: T frames in, S frames out, any axes behind. `step` is how many source frames one frame of the result takes.

The kernel is a sinc with its cutoff at half the new rate, under a Kaiser window (beta 6) of five new frames to either
side. At 20 fps it keeps up to 6 Hz within 0.1 %, halves 10 Hz, and lets less than 0.1 % pass from 14 Hz on. Filter and
interpolation are one weighted sum, so that any ratio, 59.94 to 20 as well, costs one pass. Before the first and behind
the last frame the motion goes on as its point reflection: the first frame stays what it is, and a steady walk is not
slowed at its ends.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from motionunion.skeleton import FloatArray

Array = npt.NDArray[np.float64]

REACH = 5
"""Frames of the result that the kernel reaches to either side."""
KAISER_BETA = 6.0
_ROWS = 16
"""Frames of the result computed at once: the weights of so many are one small dense matrix."""
_LOST = 1e-3
"""A mean of unit quaternions that is shorter than this has no direction worth the name."""


def low_pass(values: FloatArray, step: Fraction, count: int) -> Array:
    """The first `count` frames (S, ...) of values (T, ...) at every `step`-th frame, filtered; `step` is at least 1."""
    if count == 0:
        return np.empty((0, *np.shape(values)[1:]))
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    reach = _reach(step)
    padding = ((reach, reach), (0, 0))
    flat = (
        np.pad(flat, padding, mode="reflect", reflect_type="odd")
        if len(flat) > 1
        else np.pad(flat, padding, mode="edge")
    )
    filtered = np.empty((count, flat.shape[1]))
    for first in range(0, count, _ROWS):
        rows = min(_ROWS, count - first)
        # Whole numbers decide which frames count: first * step would drift in floating point.
        start, rest = divmod(first * step.numerator, step.denominator)
        weights = _weights(step, rest, rows)
        filtered[first : first + rows] = weights @ flat[start : start + weights.shape[1]]
    return filtered.reshape(count, *np.shape(values)[1:])


def low_pass_rotations(quats: FloatArray, step: Fraction, count: int) -> Array:
    """Unit quaternions (T, ..., 4), wxyz, as `low_pass`: signs made continuous, components filtered, length restored.

    To third order in the angle turned within the kernel this is the weighted mean on the group of rotations (Gramkow
    2001, "On averaging rotations"); a steady turn comes out as it is, to 0.004 degrees at 500 degrees a second. Where a
    joint turns so fast that the mean has no direction, its rotation is that of the nearest source frame.
    """
    known = np.asarray(quats, dtype=np.float64)
    turns_over = np.einsum("...i,...i->...", known[1:], known[:-1]) < 0.0
    if turns_over.any():
        signs = np.cumprod(np.where(turns_over, -1.0, 1.0), axis=0)
        known = np.concatenate([known[:1], known[1:] * signs[..., None]])
    mean = low_pass(known, step, count)
    length = np.sqrt(np.einsum("...i,...i->...", mean, mean))[..., None]
    lost = length < _LOST
    if lost.any():
        nearest = [min(round(k * step), len(known) - 1) for k in range(count)]
        mean, length = np.where(lost, known[nearest], mean), np.where(lost, 1.0, length)
    unit: Array = mean / length
    return unit


def _reach(step: Fraction) -> int:
    """Source frames that the kernel reaches to either side."""
    return -int(-REACH * step // 1)


@lru_cache(maxsize=64)
def _weights(step: Fraction, rest: int, rows: int) -> Array:
    """Weights (rows, source frames) of the frames wanted; the first one lies `rest / step.denominator` after a frame."""
    reach = _reach(step)
    wanted = [divmod(rest + k * step.numerator, step.denominator) for k in range(rows)]
    source = np.arange(wanted[-1][0] + 2 * reach + 1)
    # The padding puts `reach` frames before the first one.
    centre = np.array([reach + whole + left / step.denominator for whole, left in wanted])
    time = (source - centre[:, None]) / float(step)
    # np.i0 is the Bessel function of the Kaiser window; beyond its reach the window is zero.
    window = np.where(
        np.abs(time) < REACH, np.i0(KAISER_BETA * np.sqrt(np.clip(1.0 - (time / REACH) ** 2, 0.0, None))), 0.0
    )
    weights: Array = np.sinc(time) * window
    # A steady motion stays exactly that: the weights' first moment, which sampling the kernel between frames leaves, is
    # taken out.
    tilt = (weights * time).sum(axis=1, keepdims=True) / (window * time * time).sum(axis=1, keepdims=True)
    weights -= tilt * window * time
    weights /= weights.sum(axis=1, keepdims=True)
    weights.setflags(write=False)
    return weights
