"""Joints from their places beside the root: what the 263 of HumanML3D and the 251 of KIT-ML decode by (`recover_from_ric`).

Both begin with half the turn of the heading, two columns of travel and the root's height; then come the other joints, the
root's X and Z subtracted, seen from the heading. Shapes: R rows, J joints.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.skeleton import FloatArray

Array = npt.NDArray[np.float64]
Joints = npt.NDArray[np.float32]


def decode_local_joints(rows_RD: FloatArray, count: int) -> Joints:
    """World joints (R, count, 3), in the features' own unit, from columns 0 to 1 + 3 * count."""
    values = np.asarray(rows_RD, dtype=np.float64)
    root, cosine, sine = root_path(values)
    local = values[:, 4 : 1 + 3 * count].reshape(len(values), count - 1, 3)
    joints = np.empty((len(values), count, 3), dtype=np.float32)
    joints[:, 0] = root
    x, z = local[:, :, 0], local[:, :, 2]
    joints[:, 1:, 0] = cosine[:, None] * x - sine[:, None] * z + root[:, 0, None]
    joints[:, 1:, 1] = local[:, :, 1]
    joints[:, 1:, 2] = sine[:, None] * x + cosine[:, None] * z + root[:, 2, None]
    return joints


def root_path(values: Array) -> tuple[Array, Array, Array]:
    """Root (R, 3), and cosine and sine (R,) of the yaw from world to heading."""
    half = np.zeros(len(values))
    np.cumsum(values[:-1, 0], out=half[1:])
    cosine, sine = np.cos(2.0 * half), np.sin(2.0 * half)
    root = np.zeros((len(values), 3))
    x, z = values[:-1, 1], values[:-1, 2]
    np.cumsum(cosine[1:] * x - sine[1:] * z, out=root[1:, 0])
    np.cumsum(sine[1:] * x + cosine[1:] * z, out=root[1:, 2])
    root[:, 1] = values[:, 3]
    return root, cosine, sine
