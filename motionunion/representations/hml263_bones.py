"""Joints to bones of the 263 skeleton and back, and the rotations of bones: what both kinds of the encoder share.

Shapes: N frames of several clips one after the other, B clips. Arrays are component-first, (3, row, N): numpy streams whole rows
then. Rows are bones in `ORDER`, chain beside chain and level below level, so that parents of a level are the level above,
one slice; joints have the pelvis before them as row 0.

Every large array is taken from a `Scratch`, which a thread keeps: asking the system for fresh memory in every step costs more
than the arithmetic.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError
from motionunion.representations import hml263_layout as layout
from motionunion.skeleton import FloatArray

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int_]

# Spine, left leg, right leg, left arm, right arm; level by level; the head is the spine's fifth.
ORDER = (3, 1, 2, 13, 14, 6, 4, 5, 16, 17, 9, 7, 8, 18, 19, 12, 10, 11, 20, 21, 15)
JOINT_ROWS = np.array([0, *(1 + ORDER.index(joint) for joint in range(1, layout.JOINTS))])
"""Row of each joint in a (3, 22, N) array."""
BONE_ROWS = JOINT_ROWS[1:] - 1
"""Row of the bone that ends in each of the joints 1 to 21."""
STARTS, PELVIS_STARTS, ARM_STARTS = slice(0, 5), slice(0, 3), slice(3, 5)
"""First bones of all chains, of spine and legs, of the arms."""
INNER, INNER_PARENTS = slice(5, 21), slice(0, 16)
CHEST = 10
"""The bone that ends in spine3, from which the arms hang."""

_UP, _LEFT, _RIGHT = (slice(0, 16, 5),), (slice(1, 4, 2),), (slice(2, 5, 2),)
_DOWN, _FORWARD = (slice(6, 10), slice(11, 15), slice(18, 20)), (slice(16, 18), slice(20, 21))
_REST = layout.REST_DIRECTIONS_22x3[list(ORDER)].T[:, :, None]
_TARGET_LENGTHS = layout.TARGET_LENGTHS_22[list(ORDER)][:, None]
_LEGS = [ORDER.index(joint) for joint in layout.LEG_JOINTS]

TINY = 1e-12


class Scratch(threading.local):
    """Memory for one group of frames, handed out piece by piece and taken back from the last piece on."""

    KEPT = 576 * 1024
    """Numbers that a thread keeps: enough for 1,024 frames. What does not fit is allocated and forgotten."""

    def __init__(self) -> None:
        self._memory: Array = np.empty(self.KEPT)
        self.used = 0
        """How much is handed out; set it to an earlier value to take back what was handed out since."""

    def take(self, *shape: int) -> Array:
        """An array of this shape, with whatever values lie there."""
        size = math.prod(shape)
        if self.used + size > self.KEPT:
            return np.empty(shape)
        piece: Array = self._memory[self.used : self.used + size].reshape(shape)
        self.used += size
        return piece


def bones_of(clips: Sequence[FloatArray], starts: Indices, stops: Indices, scratch: Scratch) -> tuple[Array, Array]:
    """Directions of all bones (3, 21, N), and root (3, N) scaled to the target's legs, from the origin of the ground.

    Only the right leg of the first frame decides the size of a subject (published so).

    Raises:
        ClipError: `no_leg`, where it has no length.
    """
    frames = int(stops[-1])
    bones = scratch.take(3, 21, frames)
    before = scratch.used
    source = scratch.take(3, layout.JOINTS, frames)
    for clip, a, b in zip(clips, starts, stops, strict=True):
        source[:, JOINT_ROWS, a:b] = clip.transpose(2, 1, 0)
    np.subtract(source[:, 6:], source[:, 1:17], out=bones[:, INNER])
    np.subtract(source[:, 1:4], source[:, :1], out=bones[:, PELVIS_STARTS])
    np.subtract(source[:, 4:6], source[:, 1 + CHEST, None], out=bones[:, ARM_STARTS])

    length, square = scratch.take(21, frames), scratch.take(21, frames)
    _sum_of_products(bones, bones, length, square)
    np.sqrt(length, out=length)
    leg_B = length[_LEGS[0], starts] + length[_LEGS[1], starts]
    if (leg_B < TINY).any():
        raise ClipError("the right leg has no length in the first frame, so the subject has no size", reason="no_leg")
    flat = length < TINY
    if flat.any():
        np.copyto(bones, _REST, where=flat)
        length[flat] = 1.0
    bones /= length

    frames_of = stops - starts
    scale_B = layout.TARGET_LENGTHS_22[list(layout.LEG_JOINTS)].sum() / leg_B
    root = source[:, 0] * np.repeat(scale_B, frames_of)
    root[0] -= np.repeat(root[0, starts], frames_of)
    root[2] -= np.repeat(root[2, starts], frames_of)
    scratch.used = before
    return bones, root


def hang(root: Array, bones: Array, joints: Array) -> Array:
    """Positions (3, 22, N), into `joints`, of bones with the target's lengths, hung from the root (3, N)."""
    joints[:, 0] = root
    np.multiply(bones, _TARGET_LENGTHS, out=joints[:, 1:])
    joints[:, 1:4] += joints[:, :1]
    for row in (6, 11, 16, 21):  # the spine
        joints[:, row] += joints[:, row - 5]
    joints[:, 4:6] += joints[:, 1 + CHEST, None]
    for row in (7, 12, 17):  # a level of all four limbs
        joints[:, row : row + 4] += joints[:, row - 5 : row - 1]
    return joints


def turn(cosine: Array, sine: Array, vectors: Array, out: Array, scratch: Scratch) -> None:
    """Turn (3, rows, N) by a yaw of this cosine and sine (N,), into `out`, which may be the same array."""
    before = scratch.used
    swap, product = scratch.take(*vectors.shape[1:]), scratch.take(*vectors.shape[1:])
    np.multiply(vectors[0], sine, out=swap)
    np.multiply(cosine, vectors[0], out=out[0])
    np.multiply(sine, vectors[2], out=product)
    out[0] += product
    np.multiply(cosine, vectors[2], out=out[2])
    out[2] -= swap
    if out is not vectors:
        out[1] = vectors[1]
    scratch.used = before


def rest_to(bones: Array, scratch: Scratch) -> Array:
    """Unit quaternions (4, 21, N) of the shortest turn from each bone's resting axis to its direction."""
    x, y, z = bones
    quats = scratch.take(4, *x.shape)
    quats.fill(0.0)
    # (1 + a.d, a x d) for the axis a of each slice.
    for rows in _UP:
        np.add(1.0, y[rows], out=quats[0, rows])
        quats[1, rows] = z[rows]
        np.negative(x[rows], out=quats[3, rows])
    for rows in _DOWN:
        np.subtract(1.0, y[rows], out=quats[0, rows])
        np.negative(z[rows], out=quats[1, rows])
        quats[3, rows] = x[rows]
    for rows in _LEFT:
        np.add(1.0, x[rows], out=quats[0, rows])
        np.negative(z[rows], out=quats[2, rows])
        quats[3, rows] = y[rows]
    for rows in _RIGHT:
        np.subtract(1.0, x[rows], out=quats[0, rows])
        quats[2, rows] = z[rows]
        np.negative(y[rows], out=quats[3, rows])
    for rows in _FORWARD:
        np.add(1.0, z[rows], out=quats[0, rows])
        np.negative(y[rows], out=quats[1, rows])
        quats[2, rows] = x[rows]
    before = scratch.used
    norm, square = scratch.take(*x.shape), scratch.take(*x.shape)
    _sum_of_products(quats, quats, norm, square)
    np.sqrt(norm, out=norm)
    opposite = norm < TINY
    if opposite.any():
        for rows in (*_UP, *_DOWN, *_LEFT):
            quats[3, rows][opposite[rows]] = 1.0  # about Z, for bones along Y and to the left
        for rows in (*_RIGHT, *_FORWARD):
            quats[2, rows][opposite[rows]] = 1.0  # about Y, for bones to the right and along Z
        np.copyto(norm, np.sqrt((quats * quats).sum(axis=0)), where=opposite)
    quats /= norm
    scratch.used = before
    return quats


def relative(parents: Array, own: Array, out: Array, scratch: Scratch) -> None:
    """conj(parents) * own (4, rows, N), into `out`; parents may be one row for all."""
    before = scratch.used
    product = scratch.take(*own.shape)
    pairs = own.reshape(2, 2, *own.shape[1:])
    np.multiply(parents[0], own, out=out)
    # Times (x, -w, z, -y), (y, -z, -w, x) and (z, y, -x, -w): the same rows in another order, some subtracted.
    np.multiply(parents[1], pairs[:, ::-1], out=product.reshape(pairs.shape))
    out[0::2] += product[0::2]
    out[1::2] -= product[1::2]
    np.multiply(parents[2], pairs[::-1], out=product.reshape(pairs.shape))
    out[0::3] += product[0::3]
    out[1:3] -= product[1:3]
    np.multiply(parents[3], own[::-1], out=product)
    out[:2] += product[:2]
    out[2:] -= product[2:]
    scratch.used = before


def write_columns(out: npt.NDArray[np.float32], quats: Array, scratch: Scratch) -> None:
    """The first two columns of the matrices of quaternions (4, rows, N), into (rows, 6, N)."""
    w, x, y, z = quats
    before = scratch.used
    entries = scratch.take(6, *w.shape)
    xx, xy, xz, yy, yz = entries[4], entries[1], entries[2], entries[0], entries[5]
    wx, wy, wz, zz = (scratch.take(*w.shape) for _ in range(4))
    for a, b, product in (
        (x, x, xx), (x, y, xy), (x, z, xz), (y, y, yy), (y, z, yz), (w, x, wx), (w, y, wy), (w, z, wz), (z, z, zz)
    ):  # fmt: skip
        np.multiply(a, b, out=product)
    np.subtract(xy, wz, out=entries[3])
    xy += wz
    xz -= wy
    yz += wx
    yy += zz
    xx += zz
    entries *= 2.0
    np.subtract(1.0, entries[0::4], out=entries[0::4])  # the diagonal
    out[...] = entries.transpose(1, 0, 2)
    scratch.used = before


def _sum_of_products(a: Array, b: Array, total: Array, product: Array) -> None:
    """Sum over the first axis of a * b, into `total`; `product` is room to work in."""
    np.multiply(a[0], b[0], out=total)
    for component in range(1, len(a)):
        np.multiply(a[component], b[component], out=product)
        total += product
