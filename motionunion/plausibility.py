"""Whether a motion can be a human's in the stated unit and axes. Generous on purpose: only contradictions are found.

Sitting, lying, falling, crawling, standing on the hands for a while are motion, so nothing is asked of the height of the
pelvis; the unit is judged by the thigh, which no pose changes.

Shapes: T frames; joints in SMPL-22 order, metres, +Y up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.skeleton import SMPL22_NAMES

FloatArray = npt.NDArray[np.float64]

THIGH_M = (0.3, 0.55)
"""Shortest and longest thigh that passes for a person's: adults have about 0.36 to 0.48 m, children less."""

FARTHEST_M = 10_000.0
"""How far from the origin a body may be: beyond it float32 cannot hold a position to the millimetre."""

_UPSIDE_DOWN_M = 0.5
_ALWAYS = 0.98
_SELDOM = 0.2


def implausibilities(joints_T22x3: FloatArray, offsets_22x3: FloatArray | None = None) -> dict[str, str]:
    """Reasons (short words) and explanations why this cannot be a person; empty where it can.

    Args:
        joints_T22x3: World positions, at least one frame.
        offsets_22x3: Rest offsets, where the clip has rotations; they decide over left and right without regard to the pose.
    """
    found: dict[str, str] = {}
    thigh_m = _thigh_m(joints_T22x3, offsets_22x3)
    if not THIGH_M[0] <= thigh_m <= THIGH_M[1]:
        found["implausible_size"] = (
            f"the thigh is {thigh_m:.3g} m long, a person's is {THIGH_M[0]} to {THIGH_M[1]} m: the file is in another unit, "
            "or not of a person"
        )
    elif _is_mirrored(joints_T22x3, offsets_22x3):
        found["left_right_exchanged"] = (
            "the left hip lies to the right of where the feet point: left and right are exchanged, or the axes were "
            "converted by a reflection"
        )
    elif _is_upside_down(joints_T22x3):
        found["upside_down"] = (
            f"the head is more than {_UPSIDE_DOWN_M} m below the feet in nearly every frame: another axis points up"
        )
    farthest_m = float(np.abs(joints_T22x3).max())
    if farthest_m > FARTHEST_M:
        found["implausible_place"] = (
            f"the body is {farthest_m:.3g} m from the origin, more than {FARTHEST_M:,.0f}: the path is in another unit, or "
            "its numbers are damaged"
        )
    return found


def _joint(joints: FloatArray, name: str) -> FloatArray:
    values: FloatArray = joints[..., SMPL22_NAMES.index(name), :]
    return values


def _thigh_m(joints: FloatArray, offsets: FloatArray | None) -> float:
    sides = ("left", "right")
    if offsets is not None:
        return float(np.mean([np.linalg.norm(_joint(offsets, f"{side}_knee")) for side in sides]))
    bones = [_joint(joints, f"{side}_knee") - _joint(joints, f"{side}_hip") for side in sides]
    return float(np.mean([np.median(np.linalg.norm(bone, axis=-1)) for bone in bones]))


def _is_mirrored(joints: FloatArray, offsets: FloatArray | None) -> bool:
    if offsets is not None:
        return bool(_joint(offsets, "left_hip")[0] <= _joint(offsets, "right_hip")[0])
    up = _joint(joints, "neck") - _joint(joints, "pelvis")
    feet = [_joint(joints, f"{side}_foot") - _joint(joints, f"{side}_ankle") for side in ("left", "right")]
    leftwards = np.cross(up, feet[0] + feet[1])
    to_left = np.einsum("tc,tc->t", leftwards, _joint(joints, "left_hip") - _joint(joints, "right_hip"))
    return bool((to_left > 0).mean() < _SELDOM)


def _is_upside_down(joints: FloatArray) -> bool:
    ankles = (_joint(joints, "left_ankle") + _joint(joints, "right_ankle"))[:, 1] / 2
    return bool((_joint(joints, "head")[:, 1] < ankles - _UPSIDE_DOWN_M).mean() >= _ALWAYS)
