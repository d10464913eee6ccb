"""Posture alone: joints of every frame above the origin, facing +Z. Shapes: T frames; metres, +Y up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.skeleton import SMPL22_NAMES, FloatArray

_LEFT = [SMPL22_NAMES.index(f"left_{part}") for part in ("hip", "shoulder")]
_RIGHT = [SMPL22_NAMES.index(f"right_{part}") for part in ("hip", "shoulder")]
_TINY = 1e-9


def heading_free(joints_T22x3: FloatArray) -> npt.NDArray[np.float32]:
    """Joints (T, 22, 3) with pelvis X and Z subtracted and hips and shoulders turned to face +Z.

    A frame whose hips and shoulders point straight up, or cancel out, is not turned.
    """
    joints = np.array(joints_T22x3, dtype=np.float64)
    joints[:, :, [0, 2]] -= joints[:, :1, [0, 2]].copy()
    leftwards = (joints[:, _LEFT] - joints[:, _RIGHT]).sum(axis=1)
    length = np.hypot(leftwards[:, 0], leftwards[:, 2])
    known = length > _TINY
    safe = np.where(known, length, 1.0)
    cosine = np.where(known, leftwards[:, 0] / safe, 1.0)[:, None]
    sine = np.where(known, leftwards[:, 2] / safe, 0.0)[:, None]
    turned = joints.astype(np.float32)
    turned[:, :, 0] = cosine * joints[:, :, 0] + sine * joints[:, :, 2]
    turned[:, :, 2] = cosine * joints[:, :, 2] - sine * joints[:, :, 0]
    return turned
