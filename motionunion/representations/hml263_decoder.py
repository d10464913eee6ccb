"""HumanML3D's 263 features back to joints.

Shapes: R rows. Joints are (R, 22, 3) metres, +Y up, on the target skeleton, starting at the origin and facing +Z.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError
from motionunion.representations import hml263_layout as layout
from motionunion.representations.local_joints import decode_local_joints, root_path
from motionunion.skeleton import SMPL22_PARENTS, FloatArray

Array = npt.NDArray[np.float64]
Joints = npt.NDArray[np.float32]


def decode(features: Sequence[FloatArray]) -> list[Joints]:
    """Joints (R, 22, 3) from features (R, 263) by local positions (the reference's `recover_from_ric`).

    Heading and path are sums over the rows before, so that one wrong row moves all that follow.

    Raises:
        ClipError: If features have another shape.
    """
    for rows in features:
        _check(rows)
    return [decode_local_joints(rows, layout.JOINTS) for rows in features]


def decode_heading_free(features: Sequence[FloatArray]) -> list[Joints]:
    """As `decode`, with heading and travel left out: every row faces +Z above the origin.

    What two decodes differ in here is posture alone; integrated heading is about a third of a tokenizer's MPJPE.
    """
    decoded = []
    for rows in features:
        _check(rows)
        joints = np.zeros((len(rows), layout.JOINTS, 3), dtype=np.float32)
        joints[:, 0, 1] = rows[:, 3]
        joints[:, 1:] = rows[:, layout.LOCAL_JOINTS].reshape(-1, 21, 3)
        decoded.append(joints)
    return decoded


def decode_by_rotations(features: Sequence[FloatArray], *, published: bool = True) -> list[Joints]:
    """Joints (R, 22, 3) from the rotation block, posed on the target skeleton.

    Published features (`/compat`) hang every chain from the rotation of world to heading (the reference's
    `recover_from_rot`); those of `hml263@20` hang legs and spine from that of heading to world, and arms from the chest.
    """
    decoded = []
    parents = layout.CHAIN_PARENTS if published else SMPL22_PARENTS
    for rows in features:
        _check(rows)
        values = np.asarray(rows, dtype=np.float64)
        root, cosine, sine = root_path(values)
        matrices = _matrices(values[:, layout.ROTATIONS].reshape(-1, 21, 2, 3))
        heading = np.zeros((len(values), 3, 3))
        heading[:, 0, 0], heading[:, 0, 2], heading[:, 1, 1] = cosine, sine, 1.0
        heading[:, 2, 0], heading[:, 2, 2] = -sine, cosine
        world = [heading if published else heading.transpose(0, 2, 1)]
        joints = np.empty((len(values), layout.JOINTS, 3))
        joints[:, 0] = root
        for joint in range(1, layout.JOINTS):
            world.append(world[parents[joint]] @ matrices[:, joint - 1])
            joints[:, joint] = joints[:, SMPL22_PARENTS[joint]] + world[joint] @ layout.TARGET_OFFSETS_22x3[joint]
        decoded.append(joints.astype(np.float32))
    return decoded


def _matrices(columns: Array) -> Array:
    """Rotation matrices (R, 21, 3, 3) from their first two columns (R, 21, 2, 3), made orthonormal again."""
    first = columns[..., 0, :] / np.linalg.norm(columns[..., 0, :], axis=-1, keepdims=True)
    third = np.cross(first, columns[..., 1, :])
    third /= np.linalg.norm(third, axis=-1, keepdims=True)
    return np.stack([first, np.cross(third, first), third], axis=-1)


def _check(rows: FloatArray) -> None:
    if rows.ndim != 2 or rows.shape[1] != layout.DIMS or len(rows) == 0:
        raise ClipError(f"features have shape {rows.shape}, expected (rows, {layout.DIMS})", reason="bad_shape")
