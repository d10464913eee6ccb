"""Rotations as unit quaternions, wxyz, over any leading axes; the other notations come and go through them.

Shapes: `...` any leading axes. A quaternion array ends in 4 (w, x, y, z), a matrix array in (3, 3) and acts on column
vectors, a rotation vector in 3 (axis times angle, radians). `multiply(a, b)` rotates by b first, as matrices do. All
functions are pure, keep float64 as float64, and compute other dtypes in float64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

AXES = "XYZ"

_SMALL_ANGLE = 1e-4  # below this the series is exact to float64; above it the quotient is
_BLOCK = 1024  # rotations whose intermediate numbers stay in a core's own cache


def _float64(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def normalise(quats: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Scale quaternions (..., 4) to unit length. A zero quaternion stays non-finite, so that it cannot pass unseen."""
    values = _float64(quats)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit: npt.NDArray[np.float64] = values / np.sqrt(np.einsum("...i,...i->...", values, values))[..., None]
    return unit


def conjugate(quats: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Inverse of unit quaternions (..., 4)."""
    inverse: npt.NDArray[np.float64] = _float64(quats) * np.array([1.0, -1.0, -1.0, -1.0])
    return inverse


def multiply(first: npt.ArrayLike, second: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Hamilton product (..., 4): the rotation that applies `second`, then `first`. Leading axes broadcast."""
    a, b = _float64(first), _float64(second)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    product = np.empty((*np.broadcast_shapes(a.shape[:-1], b.shape[:-1]), 4))
    product[..., 0] = aw * bw - ax * bx - ay * by - az * bz
    product[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    product[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    product[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return product


def rotate(quats: npt.ArrayLike, vectors: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Rotate vectors (..., 3) by unit quaternions (..., 4). Leading axes broadcast."""
    q, v = _float64(quats), _float64(vectors)
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    vx, vy, vz = v[..., 0], v[..., 1], v[..., 2]
    # v + 2 w (u x v) + 2 u x (u x v), written out: np.cross costs several times as much.
    tx, ty, tz = 2 * (y * vz - z * vy), 2 * (z * vx - x * vz), 2 * (x * vy - y * vx)
    rotated = np.empty((*np.broadcast_shapes(q.shape[:-1], v.shape[:-1]), 3))
    rotated[..., 0] = vx + w * tx + y * tz - z * ty
    rotated[..., 1] = vy + w * ty + z * tx - x * tz
    rotated[..., 2] = vz + w * tz + x * ty - y * tx
    return rotated


def from_rotvec(rotvecs: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Quaternions (..., 4) of rotation vectors (..., 3) in radians; exact near zero."""
    vectors = _float64(rotvecs)
    flat = vectors.reshape(-1, 3)
    quats = np.empty((len(flat), 4))
    for start in range(0, len(flat), _BLOCK):
        _quats_of(flat[start : start + _BLOCK], quats[start : start + _BLOCK])
    return quats.reshape(*vectors.shape[:-1], 4)


def _quats_of(vectors_N3: npt.NDArray[np.float64], quats_N4: npt.NDArray[np.float64]) -> None:
    angle = np.sqrt(np.einsum("ni,ni->n", vectors_N3, vectors_N3))
    half = angle / 2
    small = angle < _SMALL_ANGLE
    if small.any():
        safe = np.where(small, 1.0, angle)
        scale = np.where(small, 0.5 - angle**2 / 48.0, np.sin(safe / 2) / safe)
    else:
        scale = np.sin(half) / angle
    quats_N4[:, 0] = np.cos(half)
    np.multiply(vectors_N3, scale[:, None], out=quats_N4[:, 1:])


def to_rotvec(quats: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Rotation vectors (..., 3) of unit quaternions (..., 4), with angles in [0, pi]."""
    values = _float64(quats)
    values = np.where(values[..., :1] < 0, -values, values)
    sine = np.sqrt(np.einsum("...i,...i->...", values[..., 1:], values[..., 1:]))
    small = sine < _SMALL_ANGLE
    safe = np.where(small, 1.0, sine)
    # angle / sin(angle / 2), whose series is 2 + sin^2 / 3 + ...
    scale = np.where(small, 2.0 + sine**2 / 3.0, 2.0 * np.arctan2(sine, values[..., 0]) / safe)
    rotvecs: npt.NDArray[np.float64] = values[..., 1:] * scale[..., None]
    return rotvecs


def to_matrix(quats: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Matrices (..., 3, 3) of unit quaternions (..., 4)."""
    q = _float64(quats)
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    matrix = np.empty((*q.shape[:-1], 3, 3))
    matrix[..., 0, 0] = 1 - 2 * (y * y + z * z)
    matrix[..., 0, 1] = 2 * (x * y - w * z)
    matrix[..., 0, 2] = 2 * (x * z + w * y)
    matrix[..., 1, 0] = 2 * (x * y + w * z)
    matrix[..., 1, 1] = 1 - 2 * (x * x + z * z)
    matrix[..., 1, 2] = 2 * (y * z - w * x)
    matrix[..., 2, 0] = 2 * (x * z - w * y)
    matrix[..., 2, 1] = 2 * (y * z + w * x)
    matrix[..., 2, 2] = 1 - 2 * (x * x + y * y)
    return matrix


def from_matrix(matrices: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Unit quaternions (..., 4) of rotation matrices (..., 3, 3), w >= 0.

    Each of the four components can be the pivot; the largest one is taken per matrix, so that no half turn divides by
    a vanishing root (Shepperd 1978, "Quaternion from rotation matrix").
    """
    m = _float64(matrices)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    a, b, c = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    d, e, f = m[..., 1, 0] + m[..., 0, 1], m[..., 2, 0] + m[..., 0, 2], m[..., 2, 1] + m[..., 1, 2]
    # Row k is 4 q_k (w, x, y, z): the same quaternion up to length, and longest for the largest q_k.
    rows = np.empty((*m.shape[:-2], 4, 4))
    rows[..., 0, :] = np.stack([1 + xx + yy + zz, a, b, c], axis=-1)
    rows[..., 1, :] = np.stack([a, 1 + xx - yy - zz, d, e], axis=-1)
    rows[..., 2, :] = np.stack([b, d, 1 - xx + yy - zz, f], axis=-1)
    rows[..., 3, :] = np.stack([c, e, f, 1 - xx - yy + zz], axis=-1)
    pivot = np.argmax(np.diagonal(rows, axis1=-2, axis2=-1), axis=-1)
    quats = normalise(np.take_along_axis(rows, pivot[..., None, None], axis=-2)[..., 0, :])
    return np.where(quats[..., :1] < 0, -quats, quats)


def from_euler(angles_rad: npt.ArrayLike, order: str) -> npt.NDArray[np.float64]:
    """Quaternions (..., 4) of angles (..., len(order)) about the moving axes named by `order`, e.g. `ZXY`.

    The matrix is the product in reading order, R = Rz Rx Ry for `ZXY`, which is what BVH channels in that order mean
    (and scipy's upper-case `Rotation.from_euler("ZXY", ...)`). Any number of axes, repeats allowed.
    """
    angles = _float64(angles_rad)
    if not order or set(order) - set(AXES) or angles.shape[-1:] != (len(order),):
        raise ValueError(f"from_euler: order {order!r} does not fit angles of shape {angles.shape}")
    cosines, sines = np.cos(angles / 2), np.sin(angles / 2)
    quats = np.zeros((*angles.shape[:-1], 4))
    quats[..., 0], quats[..., 1 + AXES.index(order[0])] = cosines[..., 0], sines[..., 0]
    for k, axis in enumerate(order[1:], start=1):
        # Multiplying by a rotation about one axis needs 8 products, not 16: q (c + s u) = c q + s (q u).
        turned = quats[..., _UNIT_PRODUCT[axis][0]] * _UNIT_PRODUCT[axis][1]
        quats = cosines[..., k, None] * quats + sines[..., k, None] * turned
    return quats


# q times the unit imaginary of an axis: component k of the product is sign[k] * q[index[k]].
_UNIT_PRODUCT: dict[str, tuple[list[int], npt.NDArray[np.float64]]] = {
    "X": ([1, 0, 3, 2], np.array([-1.0, 1.0, 1.0, -1.0])),
    "Y": ([2, 3, 0, 1], np.array([-1.0, -1.0, 1.0, 1.0])),
    "Z": ([3, 2, 1, 0], np.array([-1.0, 1.0, -1.0, 1.0])),
}


def to_euler(quats: npt.ArrayLike, order: str) -> npt.NDArray[np.float64]:
    """Angles (..., 3) in radians about the moving axes of `order` (three different ones); inverse of `from_euler`.

    The middle angle lies in [-pi/2, pi/2]. At the pole, where only a sum of the outer angles is defined, the last one
    is 0.
    """
    if sorted(order) != sorted(AXES):
        raise ValueError(f"to_euler: order must name three different axes, got {order!r}")
    i, j, k = (AXES.index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    m = to_matrix(quats)
    # For R = Ri Rj Rk: R[i,k] = sign sin(b); R[i,i], R[i,j] carry the last angle, R[k,k], R[j,k] the first.
    sine = np.clip(sign * m[..., i, k], -1.0, 1.0)
    pole = np.abs(sine) > 1.0 - 1e-12
    first = np.where(
        pole, np.arctan2(sign * m[..., k, j], m[..., j, j]), np.arctan2(-sign * m[..., j, k], m[..., k, k])
    )
    last = np.where(pole, 0.0, np.arctan2(-sign * m[..., i, j], m[..., i, i]))
    return np.stack([first, np.arctan2(sine, np.hypot(m[..., i, i], m[..., i, j])), last], axis=-1)


def slerp(start: npt.ArrayLike, end: npt.ArrayLike, weight: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Constant-speed interpolation (..., 4) along the shorter arc; `weight` (...) 0 gives start, 1 gives end.

    Shoemake 1985. Where both are nearly equal the chord is as good as the arc, and has no division by zero.
    """
    a, b, t = _float64(start), _float64(end), _float64(weight)[..., None]
    dot = np.einsum("...i,...i->...", a, b)[..., None]
    b = np.where(dot < 0, -b, b)
    # The half angle between them from a sine and a cosine: arccos loses half its digits near 0.
    half = 2 * np.arctan2(np.linalg.norm(a - b, axis=-1, keepdims=True), np.linalg.norm(a + b, axis=-1, keepdims=True))
    small = half < _SMALL_ANGLE
    sine = np.where(small, 1.0, np.sin(half))
    weight_a = np.where(small, 1 - t, np.sin((1 - t) * half) / sine)
    weight_b = np.where(small, t, np.sin(t * half) / sine)
    return normalise(weight_a * a + weight_b * b)


def shortest_arc(start: npt.ArrayLike, end: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The rotation (..., 4) of least angle that turns the direction of `start` (..., 3) into that of `end`.

    Lengths do not matter, zero vectors give non-finite results. For opposite directions, where every axis across is as
    short, the axis is the cross product with the coordinate axis that is furthest from `start`.
    """
    a, b = np.broadcast_arrays(_float64(start), _float64(end))
    with np.errstate(invalid="ignore", divide="ignore"):
        a = a / np.linalg.norm(a, axis=-1, keepdims=True)
        b = b / np.linalg.norm(b, axis=-1, keepdims=True)
    across = np.cross(a, np.eye(3)[np.argmin(np.abs(a), axis=-1)])
    opposite = np.einsum("...i,...i->...", a, b) < -1.0 + 1e-14
    quats = np.empty((*a.shape[:-1], 4))
    # (1 + a.b, a x b) is twice the half-angle quaternion; 1 + a.b = |a + b|^2 / 2 keeps its digits near a half turn.
    quats[..., 0] = np.where(opposite, 0.0, np.sum((a + b) ** 2, axis=-1) / 2)
    quats[..., 1:] = np.where(opposite[..., None], across, np.cross(a, b))
    return normalise(quats)
