"""What a representation keeps of one motion, and what it loses: measured on that motion, by decoding what was encoded.

Shapes: T frames of the motion at the representation's rate, R rows. Metres, +Y up.

Most representations forget where a motion starts and which way it faces first, and mean to. So the decoded motion is laid over
the original by one turn about the vertical and one shift, and what differs then is the error; turn and shift are told apart from
it. The turn is the mean one of the root's rotations, where both motions have any, else the best for joints in the sense of least
squares, which other bones can mislead by a degree or two.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.motion import Motion
from motionunion.representations.registry import Representation
from motionunion.skeleton import SMPL22_PARENTS, FloatArray

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """How far a motion decoded from its features is from what was encoded."""

    frames: int
    """Of the motion at the representation's rate."""
    rows: int
    joints_mean_m: float
    """Distance of joints after one turn and one shift, mean over rows and joints."""
    joints_max_m: float
    posture_mean_m: float
    """The same with the pelvis of every row laid on that of the original: without what the path adds."""
    rotations_max_deg: float | None
    """Largest angle between a joint's local rotation and what it was; None where either motion has no rotations."""
    bones_max_m: float
    """Largest change of a bone's length, each bone's being its mean over the rows."""
    turned_deg: float
    """How far the decoded motion was turned about the vertical against the original."""
    shifted_m: float
    """How far away it starts."""
    lost: dict[str, str]
    """What the motion had and the features do not hold at all, with what is left of it."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, by name."""
        return asdict(self)


def measure(motion: Motion, features: FloatArray, representation: Representation) -> RoundTrip:
    """Decode features (R, D) of a motion at the representation's rate, and compare.

    Args:
        motion: What was encoded. Its first R frames are compared; a representation that loses frames loses the last ones.
    """
    (decoded,) = representation.decode_batch([features])
    rows = min(decoded.frames, motion.frames)
    there = np.asarray(motion.joints_T22x3[:rows], dtype=np.float64)
    back = np.asarray(decoded.joints_T22x3[:rows], dtype=np.float64)
    if decoded.quats_T22x4 is not None and motion.quats_T22x4 is not None:
        angle = _turn_of_roots(decoded.quats_T22x4[:rows, 0], motion.quats_T22x4[:rows, 0])
    else:
        angle = _turn_of_joints(back, there)
    laid = rotation.rotate(_yaw(angle), back - back.mean(axis=(0, 1))) + there.mean(axis=(0, 1))
    apart = np.linalg.norm(laid - there, axis=-1)
    posture = np.linalg.norm((laid - laid[:, :1]) - (there - there[:, :1]), axis=-1)
    return RoundTrip(
        frames=motion.frames,
        rows=len(features),
        joints_mean_m=float(apart.mean()),
        joints_max_m=float(apart.max()),
        posture_mean_m=float(posture.mean()),
        rotations_max_deg=_rotations_apart_deg(decoded, motion, rows, angle),
        bones_max_m=float(np.abs(_bone_lengths(back) - _bone_lengths(there)).max()),
        turned_deg=float(np.degrees(-angle)),
        shifted_m=float(np.linalg.norm(back[0, 0] - there[0, 0])),
        lost=_lost(motion, decoded),
    )


def _turn_of_joints(moved: Array, still: Array) -> float:
    """The yaw in radians that turns `moved` (R, 22, 3) onto `still` best."""
    a, b = moved - moved.mean(axis=(0, 1)), still - still.mean(axis=(0, 1))
    # A yaw by t takes (x, z) to (x cos t + z sin t, z cos t - x sin t); the best t maximises the sum of products with `still`.
    along = (a[..., 0] * b[..., 0] + a[..., 2] * b[..., 2]).sum()
    across = (a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]).sum()
    return float(np.arctan2(across, along))


def _turn_of_roots(moved: FloatArray, still: FloatArray) -> float:
    """The mean yaw in radians by which rotations (R, 4) have to be turned from `moved` to `still`."""
    apart = rotation.multiply(still, rotation.conjugate(moved))
    # Twice the angle, so that a quaternion and its negative count alike.
    twice = (apart[:, 0] + 1j * apart[:, 2]) ** 2
    return float(np.angle(twice.sum()))


def _yaw(angle_rad: float) -> Array:
    return rotation.from_rotvec(np.array([0.0, angle_rad, 0.0]))


def _bone_lengths(joints_R22x3: Array) -> Array:
    bones = joints_R22x3[:, 1:] - joints_R22x3[:, list(SMPL22_PARENTS[1:])]
    lengths: Array = np.linalg.norm(bones, axis=-1).mean(axis=0)
    return lengths


def _rotations_apart_deg(decoded: Motion, motion: Motion, rows: int, angle_rad: float) -> float | None:
    if decoded.quats_T22x4 is None or motion.quats_T22x4 is None:
        return None
    back = np.array(decoded.quats_T22x4[:rows], dtype=np.float64)
    back[:, 0] = rotation.multiply(_yaw(angle_rad), back[:, 0])
    apart = rotation.multiply(rotation.conjugate(back), motion.quats_T22x4[:rows])
    return float(np.degrees(np.linalg.norm(rotation.to_rotvec(apart), axis=-1).max()))


def _lost(motion: Motion, decoded: Motion) -> dict[str, str]:
    lost = {}
    if motion.has_rotations and not decoded.has_rotations:
        lost["rotations"] = "positions are left, and twist about bones cannot be told from them"
    if motion.frames > decoded.frames:
        lost["frames"] = f"the last {motion.frames - decoded.frames} of {motion.frames}"
    if motion.gender is not None and decoded.gender is None:
        lost["gender"] = motion.gender
    if motion.betas is not None and np.any(motion.betas):
        kept = 0 if decoded.betas is None else min(len(decoded.betas), len(motion.betas))
        beyond = int(np.count_nonzero(motion.betas[kept:]))
        if kept and not np.any(decoded.betas):
            kept, beyond = 0, int(np.count_nonzero(motion.betas))
        if beyond:
            lost["betas"] = f"{kept} of {len(motion.betas)} are left"
    tracks: dict[str, tuple[FloatArray | None, FloatArray | None]] = {
        "hands": (motion.hands_T90, decoded.hands_T90),
        **{name: (track, decoded.face.get(name)) for name, track in motion.face.items()},
    }
    for name, (before, after) in tracks.items():
        if before is None or not np.any(before):
            continue
        if after is None:
            lost[name] = "nothing is left"
        elif after.shape[1] < before.shape[1]:
            lost[name] = f"{after.shape[1]} of {before.shape[1]} numbers are left"
    return lost
