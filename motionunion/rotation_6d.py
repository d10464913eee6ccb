"""Rotations as six numbers, in the three orders that circulate (Zhou et al. 2019, arXiv:1812.07035).

Six numbers are two vectors of the rotation matrix; reading makes them orthonormal again (Gram-Schmidt), so that what a
network predicts is a rotation too. Which two, and in which order, differs between data sets, and nothing in the numbers
tells: a wrong choice gives rotations that are inverted or scrambled, without any error.

| layout | numbers | used by |
|---|---|---|
| `columns` | first column, then second column | HumanML3D's 263, KIT-ML's 251, HumanTOMATO's 623 |
| `rows` | first row, then second row (as PyTorch3D has it) | 272 of MotionStreamer and MotionMillion |
| `interleaved` | the first two columns, read row by row | HY-Motion's 201, DART's 276, InterHuman's 262 |

Shapes: `...` any leading axes. Quaternions wxyz, unit length.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from motionunion import rotation

Array = npt.NDArray[np.float64]
Layout = Literal["columns", "rows", "interleaved"]


def to_6d(quats: npt.ArrayLike, layout: Layout) -> Array:
    """Six numbers (..., 6) of unit quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(np.asarray(quats, dtype=np.float64), -1, 0)
    # Rows come from the conjugate: row k of a matrix is column k of its transpose.
    if layout == "rows":
        w = -w
    six = np.empty((*w.shape, 6))
    six[..., 0] = 1.0 - 2.0 * (y * y + z * z)
    six[..., 1] = 2.0 * (x * y + w * z)
    six[..., 2] = 2.0 * (x * z - w * y)
    six[..., 3] = 2.0 * (x * y - w * z)
    six[..., 4] = 1.0 - 2.0 * (x * x + z * z)
    six[..., 5] = 2.0 * (y * z + w * x)
    return six[..., [0, 3, 1, 4, 2, 5]] if layout == "interleaved" else six


def matrix_from_6d(six: npt.ArrayLike, layout: Layout) -> Array:
    """Rotation matrices (..., 3, 3) of six numbers (..., 6).

    The first vector keeps its direction, the second what of it is across the first. Vectors without length, or parallel
    ones, give numbers that are not finite, so that they cannot pass unseen.
    """
    values = np.asarray(six, dtype=np.float64)
    if layout == "interleaved":
        values = values[..., [0, 2, 4, 1, 3, 5]]
    with np.errstate(invalid="ignore", divide="ignore"):
        first = values[..., :3] / np.linalg.norm(values[..., :3], axis=-1, keepdims=True)
        second = values[..., 3:] - np.sum(first * values[..., 3:], axis=-1, keepdims=True) * first
        second /= np.linalg.norm(second, axis=-1, keepdims=True)
    vectors = np.stack([first, second, np.cross(first, second)], axis=-2)
    return vectors if layout == "rows" else np.swapaxes(vectors, -1, -2)


def from_6d(six: npt.ArrayLike, layout: Layout) -> Array:
    """Unit quaternions (..., 4), w >= 0, of six numbers (..., 6); see `matrix_from_6d`."""
    return rotation.from_matrix(matrix_from_6d(six, layout))
