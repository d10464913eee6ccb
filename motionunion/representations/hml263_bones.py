"""Joints to bones of the 263 skeleton and back, and the rotations of bones: what both kinds of the encoder share.

Shapes: N frames of several clips one after the other, B clips. Arrays are component-first, (3, 22, N) for joints and
(3, 21, N) for bones, the bone that ends in joint j in row j - 1: numpy streams whole components then. In SMPL's order of joints the
parents of a stretch of bones are a stretch too (`BELOW`), so that nothing is gathered row by row.

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
Single = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int_]

BELOW = ((slice(3, 12), slice(0, 9)), (slice(14, 17), slice(11, 14)), (slice(17, 21), slice(15, 19)))
"""Bones and the bones that they hang on, each the one before it on its chain."""
PELVIS_STARTS, ARM_STARTS, CHEST = slice(0, 3), slice(12, 14), slice(8, 9)
"""First bones of spine and legs, first bones of the arms, and the bone that ends in spine3, from which the arms hang."""

_LEVELS = (
    (slice(4, 7), slice(1, 4)), (slice(7, 10), slice(4, 7)), (slice(10, 13), slice(7, 10)), (slice(13, 15), slice(9, 10)),
    (slice(15, 18), slice(12, 15)), (slice(18, 20), slice(16, 18)), (slice(20, 22), slice(18, 20)),
)  # fmt: skip
"""Joints and their parents, whose places are known when theirs are asked for."""
_ALONG = (
    (0, slice(0, 2)), (0, slice(12, 14)), (1, slice(2, 9)), (1, slice(11, 12)), (1, slice(15, 21)), (2, slice(9, 11)),
    (2, slice(14, 15)),
)  # fmt: skip
"""Axes, and bones that rest along them one way or the other."""
_REST = layout.REST_DIRECTIONS_22x3[1:].T[:, :, None]
_AGAINST = -_REST.sum(axis=0).astype(np.float32)
_TARGET_LENGTHS = layout.TARGET_LENGTHS_22[1:, None]
_LEGS = [joint - 1 for joint in layout.LEG_JOINTS]
# Across both the resting axis and the axis of an exact half turn: that is Z for bones along Y and to the left, else Y.
_HALF_TURN_AXIS = np.where(np.isin(np.arange(1, 22), (*layout.RIGHT, *layout.FORWARD))[:, None], (0, 1, 0), (0, 0, 1))
_ASIDE = np.cross(layout.REST_DIRECTIONS_22x3[1:], _HALF_TURN_AXIS).T[:, :, None]

TINY = 1e-12


class Scratch(threading.local):
    """Memory for one group of frames, handed out piece by piece and taken back from the last piece on."""

    KEPT = 640 * 1024
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

    def take_single(self, *shape: int) -> Single:
        """As `take`, of float32."""
        size = math.prod(shape)
        piece: Single = self.take((size + 1) // 2).view(np.float32)[:size].reshape(shape)
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
        source[:, :, a:b] = clip.transpose(2, 1, 0)
    np.subtract(source[:, 1:4], source[:, :1], out=bones[:, PELVIS_STARTS])
    np.subtract(source[:, 13:15], source[:, 9:10], out=bones[:, ARM_STARTS])
    ends = source[:, 1:]
    for own, parents in BELOW:
        np.subtract(ends[:, own], ends[:, parents], out=bones[:, own])

    squares = scratch.take(*bones.shape)
    np.multiply(bones, bones, out=squares)
    length = squares[0]
    length += squares[1]
    length += squares[2]
    np.sqrt(length, out=length)
    leg_B = length[_LEGS[0], starts] + length[_LEGS[1], starts]
    if (leg_B < TINY).any():
        raise ClipError("the right leg has no length in the first frame, so the subject has no size", reason="no_leg")
    if length.min() < TINY:
        none = length < TINY
        np.copyto(bones, _REST, where=none)
        length[none] = 1.0
    bones /= length

    scale_B = layout.TARGET_LENGTHS_22[list(layout.LEG_JOINTS)].sum() / leg_B
    root = source[:, 0] * np.repeat(scale_B, stops - starts)
    root[::2] -= np.repeat(root[::2, starts], stops - starts, axis=1)
    scratch.used = before
    return bones, root


def hang(root: Array, bones: Array, joints: Array) -> Array:
    """Positions (3, 22, N), into `joints`, of bones with the target's lengths, hung from the root (3, N)."""
    joints[:, 0] = root
    np.multiply(bones, _TARGET_LENGTHS, out=joints[:, 1:])
    joints[:, 1:4] += joints[:, :1]
    for own, parents in _LEVELS:
        joints[:, own] += joints[:, parents]
    return joints


def turn(cosine: Array, sine: Array, vectors: Array, out: Array, scratch: Scratch) -> None:
    """Turn (3, rows, N) by a yaw of this cosine and sine (N,), into X and Z of `out`, which may be the same array."""
    before = scratch.used
    swap, product = scratch.take(*vectors.shape[1:]), scratch.take(*vectors.shape[1:])
    np.multiply(vectors[0], sine, out=swap)
    np.multiply(vectors[2], sine, out=product)
    np.multiply(vectors[0], cosine, out=out[0])
    out[0] += product
    np.multiply(vectors[2], cosine, out=out[2])
    out[2] -= swap
    scratch.used = before


def rest_to(bones: Array, scratch: Scratch) -> Single:
    """The shortest turn from each bone's resting axis a to its direction d: minus the matrix (column, row, 21, N), float32.

    With u = a + d it is I - 2 u u' / |u|^2 + 2 d a', whose column along the axis is d itself: no angle, no root. Where a bone
    points against its axis u keeps few digits, and 2 u / |u|^2 loses none of what counts as long as both are float64; only the
    products are float32, as the features are. The sign is left out because a product of two has none.
    """
    matrices = scratch.take_single(3, 3, *bones.shape[1:])
    before = scratch.used
    between = scratch.take(*bones.shape)
    np.add(bones, _REST, out=between)
    squares = scratch.take(*bones.shape)
    np.multiply(between, between, out=squares)
    square = squares[0]
    square += squares[1]
    square += squares[2]
    if square.min() < TINY * TINY:
        opposite = square < TINY * TINY
        np.copyto(between, _ASIDE, where=opposite)
        square[opposite] = 1.0
    np.divide(2.0, square, out=square)
    single, scaled = scratch.take_single(*bones.shape), scratch.take_single(*bones.shape)
    single[...] = between
    between *= square
    scaled[...] = between
    np.multiply(single[None], scaled[:, None], out=matrices)
    matrices.reshape(9, *bones.shape[1:])[::4] -= 1.0
    single[...] = bones
    single *= _AGAINST
    for axis, own in _ALONG:
        matrices[axis, :, own] = single[:, own]
    scratch.used = before
    return matrices


def relative(parents: Single, own: Single, out: Single, scratch: Scratch) -> None:
    """First two columns, seen from the parents, (2, 3, rows, N) into `out`; matrices as of `rest_to`, parents one or many."""
    before = scratch.used
    product = scratch.take_single(*out.shape)
    np.multiply(own[:2, None, 0], parents[None, :, 0], out=out)
    for row in (1, 2):
        np.multiply(own[:2, None, row], parents[None, :, row], out=product)
        out += product
    scratch.used = before
