"""The 272 features of MotionStreamer and MotionMillion back to joints and rotations.

Shapes: R rows. Metres, +Y up; a decoded motion begins above the origin and faces +Z. Nothing is fitted: the local
rotations are SMPL's own. The bones are measured, as the mean over frames of where each joint sits in its parent's frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.errors import ClipError
from motionunion.kinematics import global_rotations
from motionunion.motion import Motion
from motionunion.representations import ms272_layout as layout
from motionunion.representations.smpl_rest import MEAN_PELVIS
from motionunion.rotation_6d import from_6d, matrix_from_6d
from motionunion.skeleton import SMPL22_PARENTS, FloatArray

Array = npt.NDArray[np.float64]
HeadingPath = Callable[[Array], Array]
"""From the turns (R, 6) to the rotations (R, 3, 3) from heading to world."""


def decode(features: Sequence[FloatArray], heading_path: HeadingPath, pelvis_3: Array) -> list[Motion]:
    """Motions of R frames from features (R, 272).

    Args:
        features: In the dtype of the file; computed in float64.
        heading_path: `yaw_path` or `published_path`.
        pelvis_3: What the decoded offsets say of the rest pelvis, so that `trans` is the root less this.

    Raises:
        ClipError: If features have another shape.
    """
    return [_decode_one(rows, heading_path, pelvis_3) for rows in features]


def decode_heading_free(features: Sequence[FloatArray]) -> list[npt.NDArray[np.float32]]:
    """Joints (R, 22, 3) with heading and travel left out: every row faces +Z above the origin."""
    for rows in features:
        _check(rows)
    return [rows[:, layout.LOCAL_JOINTS].reshape(-1, layout.JOINTS, 3).astype(np.float32) for rows in features]


def yaw_path(turns_R6: Array) -> Array:
    """Heading as a sum of turns about +Y: what a prediction holds beside such a turn is left out, and tips nothing over."""
    matrices = matrix_from_6d(turns_R6, "rows")
    turned = -np.cumsum(np.arctan2(matrices[:, 0, 2], matrices[:, 0, 0]))
    return rotation.to_matrix(_about_y(turned))


def published_path(turns_R6: Array) -> Array:
    """Heading as the reference takes it: the product of all turns so far, whatever axis they are about, transposed."""
    product = matrix_from_6d(turns_R6, "rows")
    # Products of 1, 2, 4, ... rows up to each: as many steps as the number of rows has binary digits.
    reach = 1
    while reach < len(product):
        product[reach:] = product[reach:] @ product[:-reach]
        reach *= 2
    return np.swapaxes(product, -1, -2)


SMPL_PELVIS: Array = MEAN_PELVIS["smpl"]
"""Rest pelvis of SMPL's mean shape, which is what a motion without betas is posed with."""
NO_PELVIS: Array = np.zeros(3)
"""As published: `trans` is the pelvis joint itself, which lifts a body model by the height of its rest pelvis."""


def _decode_one(rows: FloatArray, heading_path: HeadingPath, pelvis_3: Array) -> Motion:
    _check(rows)
    values = np.asarray(rows, dtype=np.float64)
    to_world = heading_path(values[:, layout.TURN])
    steps = np.zeros((len(values), 3))
    steps[1:, [0, 2]] = values[1:, layout.TRAVEL]
    steps[1:] = np.einsum("tij,tj->ti", to_world[:-1], steps[1:])
    root = np.cumsum(steps, axis=0)
    root[:, 1] = values[:, layout.HEIGHT]

    local = values[:, layout.LOCAL_JOINTS].reshape(-1, layout.JOINTS, 3)
    joints = np.einsum("tij,tkj->tki", to_world, local)
    joints[:, :, [0, 2]] += root[:, None, [0, 2]]

    quats = from_6d(values[:, layout.ROTATIONS].reshape(-1, layout.JOINTS, 6), "rows")
    quats[:, 0] = rotation.multiply(rotation.from_matrix(to_world), quats[:, 0])
    return Motion(
        fps=layout.RATE,
        joints_T22x3=joints,
        quats_T22x4=quats,
        root_T3=root,
        offsets_22x3=_measured_offsets(joints, quats, pelvis_3),
        model="smpl",
    )


def _measured_offsets(joints: Array, quats: Array, pelvis_3: Array) -> Array:
    """Mean place (22, 3) of each joint in its parent's frame; row 0 is the rest pelvis as given."""
    parents = list(SMPL22_PARENTS[1:])
    world = global_rotations(quats, SMPL22_PARENTS)
    placed = rotation.rotate(rotation.conjugate(world[:, parents]), joints[:, 1:] - joints[:, parents])
    return np.concatenate([pelvis_3[None], placed.mean(axis=0)])


def _about_y(angles_T: Array) -> Array:
    quats = np.zeros((len(angles_T), 4))
    quats[:, 0], quats[:, 2] = np.cos(angles_T / 2), np.sin(angles_T / 2)
    return quats


def _check(rows: FloatArray) -> None:
    if rows.ndim != 2 or rows.shape[1] != layout.DIMS or len(rows) == 0:
        raise ClipError(f"features have shape {rows.shape}, expected (rows, {layout.DIMS})", reason="bad_shape")
