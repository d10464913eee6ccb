"""KIT-ML's 251 features as HumanML3D's authors made them (12.5 rows a second): what they are, and back to joints.

Guo et al., CVPR 2022, from the KIT Motion-Language set (Plappert et al., Big Data 2016): the algorithm of the 263 with 21 joints of the
Master Motor Map (Terlemez et al., Humanoids 2014).

| columns | content |
|---|---|
| 0 | half the turn of the heading since the row before, radians |
| 1:3 | travel of the root in X and Z, seen from the heading of the next frame |
| 3 | height of the root |
| 4:64 | joints 1 to 20, root X and Z subtracted, seen from the heading |
| 64:184 | rotations of the 20 bones, first two columns of the matrix |
| 184:247 | displacement of all 21 joints to the next frame, seen from the heading |
| 247:251 | contacts: two feet joints of each side, nominal only (the threshold is a fifth of a unit, which hardly any frame meets) |

Lengths are in the unit of the target skeleton, clip 03950, which is none of metres: measure it. Encoding is not offered, since KIT-ML
is no source of new motion: its recordings are in AMASS, with their shapes and rotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError
from motionunion.representations.local_joints import decode_local_joints
from motionunion.skeleton import FloatArray

ID = "kit251@12.5"
DIMS = 251
JOINTS = 21
RATE = Fraction(25, 2)
"""Every eighth frame of 100 a second."""

MMM_NAMES = (
    "root", "BP", "BT", "BLN", "BUN", "LS", "LE", "LW", "RS", "RE", "RW", "LH", "LK", "LA", "LMrot", "LF", "RH", "RK", "RA",
    "RMrot", "RF",
)  # fmt: skip
"""Pelvis, chest, thorax, lower and upper neck; shoulder, elbow, wrist; hip, knee, ankle, heel, toes: names of the Master Motor Map."""
MMM_PARENTS = (-1, 0, 1, 2, 3, 3, 5, 6, 3, 8, 9, 0, 11, 12, 13, 14, 0, 16, 17, 18, 19)
"""The five chains of the published code, joined: legs from the root, arms from the lower neck."""


def decode(features: Sequence[FloatArray]) -> list[npt.NDArray[np.float32]]:
    """Joints (R, 21, 3) of features (R, 251), in their own unit, +Y up, from the origin and facing +Z.

    Heading and path are sums over the rows before, so that one wrong row moves all that follow.

    Raises:
        ClipError: If features have another shape.
    """
    for rows in features:
        if rows.ndim != 2 or rows.shape[1] != DIMS or len(rows) == 0:
            raise ClipError(f"features have shape {rows.shape}, expected (rows, {DIMS})", reason="bad_shape")
    return [decode_local_joints(rows, JOINTS) for rows in features]
