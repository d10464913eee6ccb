"""Whether a motion can be a human's in the stated unit and axes. Generous on purpose: only contradictions are found.

Sitting, lying, falling, crawling, standing on the hands for a while are motion, so nothing is asked of the height of the
pelvis alone. The unit is judged by the thigh, which no pose changes, and by how fast the body travels; the axis by a body
that walks, upright, along another one, which no lying person does.

Shapes: T frames; joints in SMPL-22 order, metres, +Y up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.measure import (
    AXES,
    THIGH_M,
    axis_name,
    bone_length,
    direction,
    facing,
    joint,
    leg_length,
    lowest_foot,
    measured_unit_m,
    upright_direction,
)
from motionunion.skeleton import SMPL22_NAMES

FloatArray = npt.NDArray[np.float64]

FARTHEST_M = 10_000.0
"""How far from the origin a body may be: beyond it float32 cannot hold a position to the millimetre."""

FASTEST_MEDIAN_M_PER_S = 12.0
"""A pelvis that is faster than any sprinter for half of the clip: its path is in another unit than its body, unless it is carried."""
_CARRIED_M_PER_S, _CARRIED_M_PER_S2 = 60.0, 20.0
"""What a skier, a cyclist, somebody in a car keeps below. Walks whose path is 10 to 100 times too long are jerked by 30 and more."""
_FAR_ENOUGH_M = 10.0  # what it must cover at that, for a few frames prove nothing

_LIMBS = {
    "thigh": ("hip", "knee"), "shin": ("knee", "ankle"), "upper arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist")
}  # fmt: skip
_PROPORTIONS = (("thigh", "shin", 0.5, 2.0), ("upper arm", "forearm", 0.5, 2.5), ("upper arm", "thigh", 0.3, 1.3))
"""How long one bone may be in lengths of another. On 279 real clips they are 0.74 to 1.31, 0.89 to 1.86 and 0.51 to 0.83."""
_MISTAKEN = "joints are taken for others (their order or the joint map is wrong), or it is not of a person"
_SIDES = 1.35  # how much longer one side may be than the other; on the same clips at most 1.08

_UPSIDE_DOWN_M = 0.5
_ALWAYS = 0.98
_SELDOM = 0.2
_COS_UPRIGHT = np.cos(np.deg2rad(35))
_MOSTLY = 0.9
_FLOOR_M = (
    0.12  # how close to zero the feet of one who stands still must keep, along an axis that is not the stated one
)


def implausibilities(
    joints_T22x3: FloatArray,
    offsets_22x3: FloatArray | None = None,
    fps: float | None = None,
    joint_mask: npt.NDArray[np.bool_] | None = None,
) -> dict[str, str]:
    """Reasons (short words) and explanations why this cannot be a person; empty where it can.

    Args:
        joints_T22x3: World positions, at least one frame.
        offsets_22x3: Rest offsets, where the clip has rotations; they decide over left and right without regard to the pose.
        fps: Frames per second; without it nothing is asked about speed.
        joint_mask: False for joints whose places are not the file's, and of which nothing is asked.
    """
    found: dict[str, str] = {}
    thigh_m = _thigh_m(joints_T22x3, offsets_22x3)
    if not THIGH_M[0] <= thigh_m <= THIGH_M[1]:
        found["implausible_size"] = (
            f"the thigh is {thigh_m:.3g} m long, a person's is {THIGH_M[0]} to {THIGH_M[1]} m: "
            f"{_better_unit(joints_T22x3)}"
        )
    elif (misshapen := _misshapen(joints_T22x3, offsets_22x3, joint_mask)) is not None:
        found["implausible_body"] = misshapen
    elif _is_mirrored(joints_T22x3, offsets_22x3):
        found["left_right_exchanged"] = (
            "the left hip lies to the right of where feet and knees point: left and right are exchanged, or the axes were "
            "converted by a reflection"
        )
    elif _is_upside_down(joints_T22x3):
        found["upside_down"] = (
            f"the head is more than {_UPSIDE_DOWN_M} m below the feet in nearly every frame: another axis points up"
        )
    elif (contradiction := _walks_along_another_axis(joints_T22x3)) is not None:
        found["axis_disagrees"] = contradiction
    farthest_m = float(np.abs(joints_T22x3).max())
    speed = 0.0 if fps is None else _travelling_speed(joints_T22x3, fps)
    if farthest_m > FARTHEST_M:
        found["implausible_place"] = (
            f"the body is {farthest_m:.3g} m from the origin, more than {FARTHEST_M:,.0f}: the path is in another unit, or "
            "its numbers are damaged"
        )
    elif (
        speed > FASTEST_MEDIAN_M_PER_S and "implausible_size" not in found and not _is_carried(joints_T22x3, speed, fps)
    ):
        found["unit_disagrees"] = (
            f"the pelvis moves at {speed:.3g} m/s in half of the frames, though the body is a person's: the path is in another "
            "unit than the bones, or the frame rate is wrong"
        )
    return found


def _better_unit(joints: FloatArray) -> str:
    unit_m, confidence, _ = measured_unit_m(joints)
    if confidence < 0.5:
        return "the file is in another unit, or not of a person"
    return f"one unit of length is more likely {unit_m:.4g} times what is stated"


def _thigh_m(joints: FloatArray, offsets: FloatArray | None) -> float:
    return float(np.mean([_bone_m(joints, offsets, f"{side}_hip", f"{side}_knee") for side in ("left", "right")]))


def _bone_m(joints: FloatArray, offsets: FloatArray | None, start: str, end: str) -> float:
    """Length of a limb's bone: of the rest offset where there is one, else over the frames."""
    return bone_length(joints, start, end) if offsets is None else float(np.linalg.norm(joint(offsets, end)))


def _misshapen(joints: FloatArray, offsets: FloatArray | None, mask: npt.NDArray[np.bool_] | None) -> str | None:
    """Which bones cannot be those of one person; None where they can."""
    own = np.ones(22, dtype=np.bool_) if mask is None else mask
    lengths_m: dict[str, list[float]] = {}
    for bone, (start, end) in _LIMBS.items():
        ends = [(f"{side}_{start}", f"{side}_{end}") for side in ("left", "right")]
        if not all(own[SMPL22_NAMES.index(name)] for pair in ends for name in pair):
            continue
        left, right = lengths_m[bone] = [_bone_m(joints, offsets, *pair) for pair in ends]
        if max(left, right) > _SIDES * min(left, right):
            return f"the left {bone} is {left:.3g} m long, the right one {right:.3g} m: {_MISTAKEN}"
    for bone, other, least, most in _PROPORTIONS:
        if bone in lengths_m and other in lengths_m:
            one, two = (float(np.mean(lengths_m[name])) for name in (bone, other))
            if not least * two <= one <= most * two:
                return f"the {bone} is {one:.3g} m long, the {other} {two:.3g} m: {_MISTAKEN}"
    return None


def _is_mirrored(joints: FloatArray, offsets: FloatArray | None) -> bool:
    if offsets is not None:
        return bool(joint(offsets, "left_hip")[0] <= joint(offsets, "right_hip")[0])
    # Toes point to the front, and knees bend so that shins go to the back: both tell left from right in any pose.
    up = joint(joints, "neck") - joint(joints, "pelvis")
    toes = sum((_bone(joints, f"{side}_ankle", f"{side}_foot") for side in ("left", "right")), np.zeros(3))
    bent = [
        np.cross(_bone(joints, f"{side}_hip", f"{side}_knee"), _bone(joints, f"{side}_knee", f"{side}_ankle"))
        for side in ("left", "right")
    ]
    leftwards = direction(np.cross(up, toes)) + 2 * (bent[0] + bent[1])
    to_left = np.einsum("tc,tc->t", leftwards, joint(joints, "left_hip") - joint(joints, "right_hip"))
    return bool((to_left > 0).mean() < _SELDOM)


def _bone(joints: FloatArray, start: str, end: str) -> FloatArray:
    return direction(joint(joints, end) - joint(joints, start))


def _is_upside_down(joints: FloatArray) -> bool:
    ankles = (joint(joints, "left_ankle") + joint(joints, "right_ankle"))[:, 1] / 2
    return bool((joint(joints, "head")[:, 1] < ankles - _UPSIDE_DOWN_M).mean() >= _ALWAYS)


def _travelling_speed(joints: FloatArray, fps: float) -> float:
    """Median speed of the pelvis, m/s, where its path is one: what leaps from frame to frame goes nowhere, and gives 0."""
    if len(joints) < 3:
        return 0.0
    steps = np.diff(joints[:, 0], axis=0)
    lengths = np.linalg.norm(steps, axis=-1)
    step = float(np.median(lengths))
    change = float(np.median(np.linalg.norm(np.diff(steps, axis=0), axis=-1)))
    return step * fps if change < step / 2 and lengths.sum() > _FAR_ENOUGH_M else 0.0


def _is_carried(joints: FloatArray, speed_m_per_s: float, fps: float | None) -> bool:
    """Whether a pelvis so fast goes as evenly as who rides or slides: legs push it to and fro with every step."""
    assert fps is not None
    lag = max(1, round(fps / 10))
    path = joints[:, 0]
    if speed_m_per_s > _CARRIED_M_PER_S or len(path) <= 2 * lag:
        return False
    pull = np.linalg.norm(path[2 * lag :] - 2 * path[lag:-lag] + path[: -2 * lag], axis=-1) / (lag / fps) ** 2
    return float(np.median(pull)) < _CARRIED_M_PER_S2


def _walks_along_another_axis(joints: FloatArray) -> str | None:
    """What shows that another axis than +Y points up; None where nothing does.

    A body that lies along an axis looks like one that stands along it. But nobody who lies glides a leg's length to where
    the front of the body points, or climbs more than a leg's length sideways; and nobody who lies, and not on a floor at zero,
    keeps the soles at zero along the body's own axis.
    """
    upright = upright_direction(joints)
    name = axis_name(upright.mean(axis=0))
    axis = np.array(AXES[name])
    if axis[1] > 0 or (upright @ axis > _COS_UPRIGHT).mean() < _MOSTLY:
        return None
    leg = leg_length(joints)
    path = joints[:, 0]
    if np.ptp(path @ axis) > 0.75 * leg:
        return None
    stands = f"the body stands along {_in_words(name)} in the store's axes, not along +Y"
    sideways = path * (axis == 0)
    if np.linalg.norm(np.ptp(sideways, axis=0)) > 1.2 * leg:
        forwards = _forwards(joints, sideways, name)
        if forwards > 0.7:
            return f"{stands}, and walks the way it faces: another axis of the file points up than is stated"
        if np.ptp(path[:, 1]) > 1.5 * leg:
            return f"{stands}, and moves {np.ptp(path[:, 1]):.2g} m up or down: another axis of the file points up"
    soles = lowest_foot(joints, axis)
    on_the_floor = np.abs(np.percentile(soles, [2, 98])).max() < _FLOOR_M
    lies_on_it = abs(float(np.median(joints[..., 1].min(axis=1)))) < 2 * _FLOOR_M
    if on_the_floor and not lies_on_it:
        return f"{stands}, with the soles at zero: another axis of the file points up than is stated"
    return None


def _forwards(joints: FloatArray, sideways_T3: FloatArray, up: str) -> float:
    """Median cosine between where the body goes and where it faces, over the frames in which it goes anywhere."""
    lag = max(1, len(joints) // 20)
    moved = sideways_T3[lag:] - sideways_T3[:-lag]
    length = np.linalg.norm(moved, axis=-1)
    moving = length > 0.5 * length.max()
    along = np.einsum("tc,tc->t", moved, facing(joints, up)[:-lag])
    return float(np.median(along[moving] / length[moving]))


def _in_words(axis: str) -> str:
    return axis.upper() if axis.startswith("-") else f"+{axis.upper()}"
