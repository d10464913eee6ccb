"""What a motion shows of its own axes, unit, facing and size, whatever its file says.

A body is a measuring stick: its head is above its feet most of the time, its thigh is some 40 cm long, its left hip is to
the left of where it faces, and it walks across the floor rather than up. Each function takes SMPL-22 joints in the file's
own unit and axes, and says how sure it is and why. Nothing here decides: `motionunion.normalise` holds what a file or a
manifest states against what is measured, `motionunion skeleton inspect` shows it, and a manifest may ask for it.

Shapes: T frames; joints (T, 22, 3) in SMPL-22 order, finite, right-handed.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from motionunion.skeleton import SMPL22_NAMES

FloatArray = npt.NDArray[np.float64]
Value = TypeVar("Value")

AXES: dict[str, tuple[float, float, float]] = {
    "x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0),
    "-x": (-1.0, 0.0, 0.0), "-y": (0.0, -1.0, 0.0), "-z": (0.0, 0.0, -1.0),
}  # fmt: skip
"""Directions by the names that files, manifests and `RawClip.up` use."""

UNITS_M: dict[str, float] = {
    "metres": 1.0, "feet": 0.3048, "inches / 0.45, as CMU has them": 0.0254 / 0.45, "inches": 0.0254,
    "centimetres": 0.01, "millimetres": 0.001,
}  # fmt: skip
"""Length units in which motion goes about. Any two are further apart than the shortest and the longest thigh."""

THIGH_M = (0.3, 0.55)
"""Shortest and longest thigh that passes for a person's: adults have about 0.36 to 0.48 m, children less."""
STANDING_M = (0.6, 1.15)
"""Lowest and highest pelvis of a standing person, above the balls of the feet."""
USUAL_THIGH_M = 0.41

_COS_LEANING = np.cos(np.deg2rad(45))


class Measured(NamedTuple, Generic[Value]):
    """A measurement, how far it can be trusted, and what speaks for and against it."""

    value: Value
    confidence: float
    """From 0 (a coin toss) to 1."""
    reasons: tuple[str, ...]


def measured_up(joints_T22x3: npt.ArrayLike) -> Measured[str]:
    """Which axis points up: the one along which trunk, thighs and shins mostly stand.

    Someone who lies along an axis for a whole clip looks as if standing along it; whether the body also walks across
    that axis, with feet that keep to one level, is in the confidence and the reasons.
    """
    joints = np.asarray(joints_T22x3, dtype=np.float64)
    upright = upright_direction(joints)
    mean = upright.mean(axis=0)
    name = axis_name(mean)
    axis = np.array(AXES[name])
    share = float((upright @ axis > _COS_LEANING).mean())
    leg = leg_length(joints)
    path = joints[:, 0]
    along, across = _span(path @ axis), _span_across(path, axis)
    level = lowest_foot(joints, axis)
    steady = _span(level, 10) < 0.2 * leg
    travels = across > 1.5 * leg and along < 0.75 * leg
    reasons = [f"trunk and legs stand within 45 degrees of {name} in {share:.0%} of the frames"]
    confidence = 0.6 * share
    if travels:
        confidence += 0.28 * share
        reasons.append(f"the body moves {across / leg:.1f} leg lengths across {name}, and {along / leg:.1f} along it")
    else:
        reasons.append(f"the body does not walk far across {name}, which would tell standing from lying")
    if steady:
        confidence += 0.1 * share
        reasons.append("the lower foot keeps to one level")
    return Measured(name, confidence, tuple(reasons))


def measured_unit_m(joints_T22x3: npt.ArrayLike, up: str | None = None) -> Measured[float]:
    """Metres per length unit, from the length of the thigh and the height of a standing pelvis together.

    The thigh decides, for no pose changes it; the pelvis confirms it where the body ever stands, and contradicts it where it
    is higher above the feet than anyone's. Where no usual unit makes both a person's, the value is what would make the thigh
    0.41 m, and the confidence is low.

    Args:
        joints_T22x3: Positions in the file's unit.
        up: Axis that points up, one of `AXES`; measured where not given.
    """
    joints = np.asarray(joints_T22x3, dtype=np.float64)
    thigh = thigh_length(joints)
    if not thigh > 0:
        return Measured(1.0, 0.0, ("the thigh has no length",))
    axis = np.array(AXES[up or measured_up(joints).value])
    pelvis = float(np.quantile(joints[:, 0] @ axis - lowest_foot(joints, axis), 0.9))
    fitting = [
        (name, unit)
        for name, unit in UNITS_M.items()
        if THIGH_M[0] <= thigh * unit <= THIGH_M[1] and pelvis * unit <= STANDING_M[1]
    ]
    said = f"the thigh is {thigh:.4g} units long, and the pelvis up to {pelvis:.4g} above the feet"
    if not fitting:
        guess = USUAL_THIGH_M / thigh
        return Measured(guess, 0.2, (said, f"no usual unit makes both a person's; {guess:.3g} m a unit would"))
    ((name, unit),) = fitting
    standing = pelvis * unit >= STANDING_M[0]
    stands = "as of one who stands" if standing else "nobody stands up straight here"
    reasons = (said, f"in {name} that is {thigh * unit:.3g} m and {pelvis * unit:.3g} m: {stands}")
    return Measured(unit, 0.95 if standing else 0.7, reasons)


def facing(joints_T22x3: npt.ArrayLike, up: str = "y") -> FloatArray:
    """Where the body faces, a level unit vector per frame (T, 3): across hips and shoulders, turned about `up`.

    Right-handed axes are taken for granted: in a reflected file this is where the back is. A frame in which hips and
    shoulders cancel out, or stand upright, has the direction of the frame before.
    """
    joints = np.asarray(joints_T22x3, dtype=np.float64)
    leftwards = _between(joints, "right_hip", "left_hip") + _between(joints, "right_shoulder", "left_shoulder")
    (x, y, z), (up_x, up_y, up_z) = leftwards.T, AXES[up]
    front = np.stack([y * up_z - z * up_y, z * up_x - x * up_z, x * up_y - y * up_x], axis=-1)  # leftwards x up
    length = np.sqrt(np.einsum("tc,tc->t", front, front))[:, None]
    known = length[:, 0] > 1e-9 * max(leg_length(joints), 1e-300)
    if not known.any():
        raise ValueError("facing: hips and shoulders have no direction in any frame")
    # The last known frame at or before each; frames before the first known one take that.
    latest = np.maximum.accumulate(np.where(known, np.arange(len(joints)), int(np.argmax(known))))
    directed: FloatArray = front[latest] / length[latest]
    return directed


def axis_name(vector: npt.ArrayLike) -> str:
    """The axis nearest to a direction (3,): `z`, `-x`, ..."""
    values = np.asarray(vector, dtype=np.float64)
    return max(AXES, key=lambda name: float(values @ np.array(AXES[name])))


def height(joints_T22x3: npt.ArrayLike) -> float:
    """Head joint to balls of the feet of the body stretched out, in the file's unit.

    The 95th percentile over frames of the distance from the head to the middle between the feet: whoever stands up once
    has been measured, and no axis is needed. The crown is some 10 cm above the head joint.
    """
    joints = np.asarray(joints_T22x3, dtype=np.float64)
    feet = (joint(joints, "left_foot") + joint(joints, "right_foot")) / 2
    return float(np.quantile(np.linalg.norm(joint(joints, "head") - feet, axis=-1), 0.95))


def thigh_length(joints_T22x3: FloatArray) -> float:
    """Median of hip to knee, mean of both sides, in the file's unit."""
    return float(np.mean([bone_length(joints_T22x3, f"{side}_hip", f"{side}_knee") for side in ("left", "right")]))


def leg_length(joints_T22x3: FloatArray) -> float:
    """Thigh and shin together, in the file's unit."""
    shins = [bone_length(joints_T22x3, f"{side}_knee", f"{side}_ankle") for side in ("left", "right")]
    return thigh_length(joints_T22x3) + float(np.mean(shins))


def bone_length(joints_T22x3: FloatArray, start: str, end: str) -> float:
    """Median distance of two joints, over some hundred frames spread over the clip: more would not change a bone's."""
    bones = _between(joints_T22x3[:: max(1, len(joints_T22x3) // 128)], start, end)
    squares = np.sort(np.einsum("tc,tc->t", bones, bones))
    return float(np.sqrt(squares[len(squares) // 2]))


def upright_direction(joints_T22x3: FloatArray) -> FloatArray:
    """The way from below to above through the body, (T, 3): trunk twice, thighs and shins once, each of length 1.

    Sitting keeps trunk and shins, kneeling and crouching keep the trunk, so most of what people do stays within 45
    degrees of the vertical.
    """
    trunk = 2 * direction(_between(joints_T22x3, "pelvis", "neck"))
    legs = [
        direction(
            _between(joints_T22x3, f"left_{lower}", f"left_{upper}")
            + _between(joints_T22x3, f"right_{lower}", f"right_{upper}")
        )
        for lower, upper in (("knee", "hip"), ("ankle", "knee"))
    ]
    return direction(trunk + legs[0] + legs[1])


def lowest_foot(joints_T22x3: FloatArray, axis_3: npt.ArrayLike) -> FloatArray:
    """How far along an axis the lower of the two feet is, (T,)."""
    axis = np.asarray(axis_3, dtype=np.float64)
    lower: FloatArray = np.minimum(joint(joints_T22x3, "left_foot") @ axis, joint(joints_T22x3, "right_foot") @ axis)
    return lower


def joint(joints_T22x3: FloatArray, name: str) -> FloatArray:
    """Positions (T, 3) of one joint by its SMPL name."""
    values: FloatArray = joints_T22x3[..., SMPL22_NAMES.index(name), :]
    return values


def _between(joints: FloatArray, start: str, end: str) -> FloatArray:
    return joint(joints, end) - joint(joints, start)


def direction(vectors_T3: FloatArray) -> FloatArray:
    """Directions of vectors; a vector without length has none, and stays zero."""
    length = np.sqrt(np.einsum("tc,tc->t", vectors_T3, vectors_T3))[:, None]
    directions: FloatArray = vectors_T3 / np.where(length > 0, length, 1.0)
    return directions


def _span(values: FloatArray, cut_percent: float = 0.0) -> float:
    low, high = np.percentile(values, [cut_percent, 100 - cut_percent])
    return float(high - low)


def _span_across(path_T3: FloatArray, axis_3: FloatArray) -> float:
    """Diagonal of the box that a path fills in the plane across an axis of the file."""
    spans = np.ptp(path_T3, axis=0) * (axis_3 == 0)
    return float(np.linalg.norm(spans))
