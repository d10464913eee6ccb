"""The 263 features the way the published program computes them, for comparison: one clip, one chain, one bone at a time.

Written anew from the algorithm (Guo et al., CVPR 2022, appendix; motion_representation.ipynb of HumanML3D): inverse kinematics on
the subject, forward kinematics on the target's bones, inverse kinematics again, every quaternion product over all frames of one
joint, float32. The published program converts to torch and back in each product; this one stays in numpy, so it is, if
anything, the faster of the two. Faults are kept, what it turns into NaN is not guarded.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from motionunion.representations import hml263_layout as layout

Array = npt.NDArray[np.float32]

CHAINS = ((0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20))
UP, AHEAD = np.array([[0.0, 1.0, 0.0]], dtype=np.float32), np.array([[0.0, 0.0, 1.0]], dtype=np.float32)
REST = layout.REST_DIRECTIONS_22x3.astype(np.float32)
TARGET = layout.TARGET_OFFSETS_22x3.astype(np.float32)


def encode(joints: Array) -> Array:
    """Features (T - 1, 263) of joints (T, 22, 3)."""
    joints = _retarget(joints)
    joints[..., 1] -= joints.min(axis=(0, 1))[1]
    joints -= joints[0, 0] * np.array([1, 0, 1], dtype=np.float32)
    across = (joints[0, 2] - joints[0, 1]) + (joints[0, 17] - joints[0, 16])
    forward = np.cross(UP, _unit(across)[None])
    turn = np.broadcast_to(_between(_unit(forward), AHEAD), (*joints.shape[:2], 4))
    joints = _rotate(turn, joints)

    feet = [
        ((joints[1:, foot] - joints[:-1, foot]) ** 2).sum(axis=-1) < layout.CONTACT_SQUARED_M2 for foot in layout.FEET
    ]
    quats = _inverse_kinematics(joints, smooth=True)
    columns = []
    for joint in range(1, 22):
        matrix = _matrix(quats[:, joint])
        columns.append(np.concatenate([matrix[..., 0], matrix[..., 1]], axis=-1))
    heading = quats[:, 0]
    travel = _rotate(heading[1:], joints[1:, 0] - joints[:-1, 0])
    turned = _multiply(heading[1:], _conjugate(heading[:-1]))
    local = joints - joints[:, :1] * np.array([1, 0, 1], dtype=np.float32)
    local = _rotate(np.repeat(heading[:, None], 22, axis=1), local)
    velocity = _rotate(np.repeat(heading[:-1, None], 22, axis=1), joints[1:] - joints[:-1])
    rows = len(joints) - 1
    return np.concatenate(
        [
            np.arcsin(turned[:, 2:3]),
            travel[:, [0, 2]],
            joints[:-1, 0, 1:2],
            local[:-1, 1:].reshape(rows, -1),
            np.concatenate(columns, axis=-1)[:-1],
            velocity.reshape(rows, -1),
            np.stack(feet, axis=-1).astype(np.float32),
        ],
        axis=-1,
    )


def _retarget(joints: Array) -> Array:
    lengths = [float(np.linalg.norm(joints[0, joint] - joints[0, joint - 3])) for joint in layout.LEG_JOINTS]
    scale = float(np.linalg.norm(TARGET[list(layout.LEG_JOINTS)], axis=-1).sum()) / sum(lengths)
    quats = _inverse_kinematics(joints, smooth=False)
    placed = np.zeros_like(joints)
    placed[:, 0] = joints[:, 0] * np.float32(scale)
    for chain in CHAINS:
        turn = quats[:, 0]
        for parent, joint in pairwise(chain):
            turn = _multiply(turn, quats[:, joint])
            offset = np.repeat(TARGET[joint][None], len(joints), axis=0)
            placed[:, joint] = _rotate(turn, offset) + placed[:, parent]
    return placed


def _inverse_kinematics(joints: Array, *, smooth: bool) -> Array:
    across = _unit((joints[:, 1] - joints[:, 2]) + (joints[:, 17] - joints[:, 16]))
    forward = np.cross(UP, across)
    if smooth:
        forward = gaussian_filter1d(forward, layout.SMOOTHING_FRAMES, axis=0, mode="nearest")
    root = _between(_unit(forward), np.repeat(AHEAD, len(joints), axis=0))
    root[0] = 1.0, 0.0, 0.0, 0.0
    quats = np.zeros((*joints.shape[:2], 4), dtype=np.float32)
    quats[:, 0] = root
    for chain in CHAINS:
        turn = root
        for parent, joint in pairwise(chain):
            rest = np.repeat(REST[joint][None], len(joints), axis=0)
            own = _between(rest, _unit(joints[:, joint] - joints[:, parent]))
            quats[:, joint] = _multiply(_conjugate(turn), own)
            turn = _multiply(turn, quats[:, joint])
    return quats


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.sqrt((vectors**2).sum(axis=-1, keepdims=True)), dtype=np.float32)


def _between(start: Array, end: Array) -> Array:
    lengths = np.sqrt((start**2).sum(axis=-1, keepdims=True) * (end**2).sum(axis=-1, keepdims=True))
    w = lengths + (start * end).sum(axis=-1, keepdims=True)
    return _unit(np.concatenate([w, np.cross(start, end)], axis=-1))


def _conjugate(quats: Array) -> Array:
    return quats * np.array([1, -1, -1, -1], dtype=np.float32)


def _multiply(first: Array, second: Array) -> Array:
    terms = second[..., :, None] * first[..., None, :]
    return np.stack(
        [
            terms[..., 0, 0] - terms[..., 1, 1] - terms[..., 2, 2] - terms[..., 3, 3],
            terms[..., 0, 1] + terms[..., 1, 0] - terms[..., 2, 3] + terms[..., 3, 2],
            terms[..., 0, 2] + terms[..., 1, 3] + terms[..., 2, 0] - terms[..., 3, 1],
            terms[..., 0, 3] - terms[..., 1, 2] + terms[..., 2, 1] + terms[..., 3, 0],
        ],
        axis=-1,
    )


def _rotate(quats: Array, vectors: Array) -> Array:
    axis = quats[..., 1:]
    once = np.cross(axis, vectors)
    return np.asarray(vectors + 2 * (quats[..., :1] * once + np.cross(axis, once)), dtype=np.float32)


def _matrix(quats: Array) -> Array:
    w, x, y, z = np.moveaxis(quats, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
