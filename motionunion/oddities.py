"""What is odd about a motion that may be a person's all the same: short words that become flags of its clip.

Nothing is refused for these. Markers slip and swap, fits to video jump, hands that nobody captured keep one pose for ever,
joints that were estimated one by one stretch the bones between them. Whoever selects clips decides with `flags` in SQL.

Shapes: T frames; joints (T, 22, 3) in SMPL-22 order, metres, +Y up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.measure import upright_direction
from motionunion.skeleton import SMPL22_PARENTS

FloatArray = npt.NDArray[np.float64]

FASTEST_ROOT_M_PER_S = 8.0
"""A sprinter's pelvis moves at 10 m/s, one in a studio at 6."""
FASTEST_JOINT_M_PER_S = 15.0
FASTEST_TURN_RAD_PER_S = 40.0
LARGEST_DRIFT = 0.01
"""Standard deviation of a bone's length over its mean."""
_SELDOM_UPRIGHT = 0.5
_COS_LEANING = np.cos(np.deg2rad(45))


def oddities(
    joints_T22x3: FloatArray,
    fps: float,
    *,
    quats_T22x4: FloatArray | None = None,
    hands_T90: npt.NDArray[np.floating] | None = None,
    joint_mask: npt.NDArray[np.bool_] | None = None,
) -> tuple[str, ...]:
    """Flags of one motion, in a fixed order.

    - `not_upright`: trunk and legs are within 45 degrees of the vertical in less than half of the frames: lying, crawling,
      or another axis points up.
    - `fast_root`, `fast_joint`: the pelvis, or any joint, is once faster than `FASTEST_ROOT_M_PER_S`, `FASTEST_JOINT_M_PER_S`.
    - `fast_turn`: a joint once turns faster than `FASTEST_TURN_RAD_PER_S` against its parent.
    - `bone_drift`: the length of a bone varies by more than `LARGEST_DRIFT` (positions only; rotations keep lengths).
    - `frozen_hands`: there are finger joints, and none ever moves.

    Args:
        joints_T22x3: World positions, metres, +Y up.
        fps: Frames per second.
        quats_T22x4: Local rotations, where the clip has them.
        hands_T90: Axis-angle of the finger joints, where the clip has them.
        joint_mask: False for joints whose places are not the file's; bones to them are left out.
    """
    found = []
    if (upright_direction(joints_T22x3)[:, 1] > _COS_LEANING).mean() < _SELDOM_UPRIGHT:
        found.append("not_upright")
    steps = np.diff(joints_T22x3, axis=0)
    speeds = np.sqrt(np.einsum("tjc,tjc->tj", steps, steps).max(axis=0, initial=0)) * fps
    if speeds[0] > FASTEST_ROOT_M_PER_S:
        found.append("fast_root")
    if speeds.max() > FASTEST_JOINT_M_PER_S:
        found.append("fast_joint")
    if quats_T22x4 is not None:
        # Between two unit quaternions lies twice the angle whose cosine is their product; none is more than a half turn.
        cosines = np.abs(np.einsum("tjc,tjc->tj", quats_T22x4[1:], quats_T22x4[:-1]))
        if cosines.min(initial=1) < np.cos(min(FASTEST_TURN_RAD_PER_S / fps / 2, np.pi / 2)):
            found.append("fast_turn")
    elif _drift(joints_T22x3, joint_mask) > LARGEST_DRIFT:
        found.append("bone_drift")
    if hands_T90 is not None and not np.ptp(hands_T90, axis=0).any():
        found.append("frozen_hands")
    return tuple(found)


def _drift(joints: FloatArray, mask: npt.NDArray[np.bool_] | None) -> float:
    bones = np.linalg.norm(joints[:, 1:] - joints[:, SMPL22_PARENTS[1:]], axis=-1)
    own = np.ones(22, dtype=np.bool_) if mask is None else mask
    bones = bones[:, own[1:] & own[list(SMPL22_PARENTS[1:])]]
    mean = bones.mean(axis=0)
    # Bones without length (a joint that stands in its parent's place) have no drift to speak of.
    return float((bones.std(axis=0)[mean > 0] / mean[mean > 0]).max(initial=0))
