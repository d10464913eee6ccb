"""From a choreography to the rotations of SMPL-22: the torso by its angles, arms and legs by two-bone inverse kinematics.

Shapes: T frames. Quaternions wxyz; positions metres, +Y up. Rest pose: the T-pose of the given offsets, facing +Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.kinematics import local_rotations
from motionunion.sample.choreography import SIDES, Array, Choreography, minimum_jerk
from motionunion.sample.footwork import FootTrack, foot_track, walk_path
from motionunion.skeleton import SMPL22_PARENTS, FloatArray

_TOE_HEIGHT_M = 0.02  # of the toe joint above the ground when the foot is flat
_STRAIGHT = 0.992  # share of the full leg that a standing leg uses; a fully straight one has no bend direction

_HIP = {"left": 1, "right": 2}
_COLLAR = {"left": 13, "right": 14}
_SPINE = (3, 6, 9)


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """A posed motion: pelvis position and local rotations, and which foot was meant to be planted."""

    root_T3: Array
    quats_T22x4: Array
    planted_T2: npt.NDArray[np.bool_]
    """Left, right."""


def pose_body(score: Choreography, times_T: Array, end_s: float, offsets_22x3: FloatArray) -> Performance:
    """Perform a choreography at the given times (ascending, seconds) on a body with the given rest offsets."""
    offsets = np.asarray(offsets_22x3, dtype=np.float64)
    path = walk_path(score, end_s)
    x, z, heading = path.at(times_T)
    feet = {side: foot_track(score, path, side, times_T) for side in SIDES}
    world = np.zeros((len(times_T), 22, 4))
    world[..., 0] = 1.0

    def angles(part: str, share: float = 1.0) -> Array:
        turns = [score.scalar(f"{part}_{name}", times_T) * share for name in ("yaw", "pitch", "roll")]
        return np.stack(turns, axis=-1)

    pelvis = angles("pelvis")
    pelvis[:, 0] += heading
    world[:, 0] = rotation.from_euler(pelvis, "YXZ")
    bend = rotation.from_euler(angles("spine", 1 / 3), "YXZ")
    above = world[:, 0]
    for joint in _SPINE:
        above = world[:, joint] = rotation.multiply(above, bend)
    world[:, 12], world[:, 15] = _head(score, times_T, above)

    ankles, ankle_T3 = _ankles(feet, offsets)
    root = np.empty((len(times_T), 3))
    left, ahead = score.scalar("shift_left", times_T), score.scalar("shift_forward", times_T)
    root[:, 0] = x + left * np.cos(heading) + ahead * np.sin(heading)
    root[:, 2] = z - left * np.sin(heading) + ahead * np.cos(heading)
    wanted = _standing_height(offsets) - score.scalar("crouch", times_T) + score.scalar("air", times_T)
    root[:, 1] = _within_reach(wanted, root, world[:, 0], ankle_T3, offsets, times_T)

    for side in SIDES:
        _pose_leg(score, times_T, side, world, root, ankle_T3[side], ankles[side], feet[side], heading, offsets)
        _pose_arm(score, times_T, side, world, root, heading, offsets)
    planted = np.stack([feet[side].planted_T for side in SIDES], axis=-1)
    return Performance(root, local_rotations(world, SMPL22_PARENTS), planted)


def _about(axis: int, angle_T: Array) -> Array:
    quats = np.zeros((len(angle_T), 4))
    quats[:, 0], quats[:, 1 + axis] = np.cos(angle_T / 2), np.sin(angle_T / 2)
    return quats


def _head(score: Choreography, times_T: Array, chest: Array) -> tuple[Array, Array]:
    """Neck and head look ahead: they take back half of what the torso leans."""
    leaning = score.scalar("pelvis_pitch", times_T) + score.scalar("spine_pitch", times_T)
    turned = score.scalar("pelvis_yaw", times_T) + score.scalar("spine_yaw", times_T)
    wanted = np.stack(
        [
            score.scalar("head_yaw", times_T) - 0.7 * turned,
            score.scalar("head_pitch", times_T) - 0.5 * np.clip(leaning, -1.2, 1.2),
            score.scalar("head_roll", times_T),
        ],
        axis=-1,
    )
    half = rotation.from_euler(wanted / 2, "YXZ")
    neck = rotation.multiply(chest, half)
    return neck, rotation.multiply(neck, half)


def _ankles(feet: dict[str, FootTrack], offsets: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """World rotation of each foot and position of each ankle: rolling about the toes or about the heel."""
    turned, placed = {}, {}
    for side, track in feet.items():
        toe = offsets[_HIP[side] + 9]
        flat = _about(1, track.yaw_T)
        rolled = rotation.multiply(flat, _about(0, -track.toe_up_T))
        height = _TOE_HEIGHT_M - toe[1]
        ankle = track.point_T3 + np.array([0.0, height, 0.0])
        # With the heel up the toe joint stays where it was; with the toes up the ankle does.
        on_toes = (track.toe_up_T < 0)[:, None]
        ankle = ankle + on_toes * (rotation.rotate(flat, toe) - rotation.rotate(rolled, toe))
        turned[side], placed[side] = rolled, ankle
    return turned, placed


def _leg_lengths(offsets: Array, side: str) -> tuple[float, float]:
    hip = _HIP[side]
    return float(np.linalg.norm(offsets[hip + 3])), float(np.linalg.norm(offsets[hip + 6]))


def _standing_height(offsets: Array) -> float:
    """Height of the pelvis with both feet flat and the legs all but straight."""
    heights = []
    for side in SIDES:
        hip = _HIP[side]
        ankle = _TOE_HEIGHT_M - float(offsets[hip + 9, 1])
        heights.append(ankle + _STRAIGHT * sum(_leg_lengths(offsets, side)) - float(offsets[hip, 1]))
    return min(heights) - 0.005


def _within_reach(
    wanted_T: Array, root_T3: Array, pelvis_T4: Array, ankle_T3: dict[str, Array], offsets: Array, times_T: Array
) -> Array:
    """Lower the pelvis where a leg would have to be longer than it is, smoothly over about a tenth of a second."""
    excess = np.zeros(len(times_T))
    for side in SIDES:
        hip = rotation.rotate(pelvis_T4, offsets[_HIP[side]])
        reach = _STRAIGHT * sum(_leg_lengths(offsets, side))
        flat = np.hypot(
            root_T3[:, 0] + hip[:, 0] - ankle_T3[side][:, 0], root_T3[:, 2] + hip[:, 2] - ankle_T3[side][:, 2]
        )
        highest = ankle_T3[side][:, 1] + np.sqrt(np.maximum(reach**2 - flat**2, 0.01)) - hip[:, 1]
        excess = np.maximum(excess, wanted_T - highest)
    if excess.max() <= 0 or len(times_T) < 5:
        return wanted_T - excess
    # A running maximum before the smoothing keeps the smoothed correction at least as large as the needed one.
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d

    rate = 1 / float(np.median(np.diff(times_T)))
    sigma = 0.035 * rate
    lifted = maximum_filter1d(excess, 2 * round(1.2 * sigma) + 1, mode="nearest")
    lowered: Array = wanted_T - gaussian_filter1d(lifted, sigma, mode="nearest")
    return lowered


def _pose_leg(
    score: Choreography, times_T: Array, side: str, world: Array, root: Array, ankle: Array, foot: Array,
    track: FootTrack, heading: Array, offsets: Array,
) -> None:  # fmt: skip
    hip = _HIP[side]
    start = root + rotation.rotate(world[:, 0], offsets[hip])
    outward = 1.0 if side == "left" else -1.0
    toward = (heading + track.yaw_T) / 2 + outward * score.scalar(f"{side}_knee_out", times_T)
    lean = np.clip(ankle[:, 1] - 0.1, 0.0, 1.0)  # a high foot: the knee points up rather than ahead
    knee = np.stack([np.sin(toward), lean, np.cos(toward)], axis=-1)
    thigh, shin = _two_bones(start, ankle, knee, offsets[hip + 3], offsets[hip + 6], np.array([-1.0, 0.0, 0.0]))
    world[:, hip], world[:, hip + 3] = thigh, shin
    world[:, hip + 6] = world[:, hip + 9] = foot


def _pose_arm(
    score: Choreography, times_T: Array, side: str, world: Array, root: Array, heading: Array, offsets: Array
) -> None:
    collar, shoulder = _COLLAR[side], _COLLAR[side] + 3
    outward = 1.0 if side == "left" else -1.0
    mirror = np.array([outward, 1.0, 1.0])
    wrist = score.evaluate(f"{side}_wrist", times_T) * mirror
    pole = score.evaluate(f"{side}_elbow", times_T) * mirror
    # Half of the torso's twist is the arms' own: a turned chest carries its arms along.
    frame = _about(1, heading + score.scalar("pelvis_yaw", times_T) + 0.8 * score.scalar("spine_yaw", times_T))
    raised = 0.35 * minimum_jerk((wrist[:, 1] + 0.2) / 1.1)
    world[:, collar] = rotation.multiply(world[:, 9], _about(2, outward * raised))
    start = root.copy()
    for joint, parent in ((3, 0), (6, 3), (9, 6), (collar, 9), (shoulder, collar)):
        start = start + rotation.rotate(world[:, parent], offsets[joint])
    length = float(np.linalg.norm(offsets[shoulder + 2]) + np.linalg.norm(offsets[shoulder + 4]))
    target = start + rotation.rotate(frame, wrist) * length
    upper, fore = _two_bones(
        start, target, rotation.rotate(frame, pole), offsets[shoulder + 2], offsets[shoulder + 4],
        np.array([0.0, outward, 0.0]),
    )  # fmt: skip
    world[:, shoulder] = upper
    world[:, shoulder + 2] = world[:, shoulder + 4] = fore


def _two_bones(
    start_T3: Array, target_T3: Array, pole_T3: Array, first: Array, second: Array, hinge: Array
) -> tuple[Array, Array]:
    """World rotations of two bones that reach from `start` to `target`, with the middle joint towards `pole`.

    `first`, `second` are the rest offsets of the bones; `hinge` is the rest axis about which the middle joint bends. A
    target out of reach is approached as far as the bones go.
    """
    a, b = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    reach = target_T3 - start_T3
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    ahead = reach / np.maximum(distance, 1e-9)
    distance = np.clip(distance, abs(a - b) + 0.2 * min(a, b), 0.9995 * (a + b))
    across = pole_T3 - np.sum(pole_T3 * ahead, axis=-1, keepdims=True) * ahead
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    cosine = np.clip((a * a + distance**2 - b * b) / (2 * a * distance), -1.0, 1.0)
    upper = cosine * ahead + np.sqrt(1 - cosine**2) * across
    lower = (distance * ahead - a * upper) / b
    axis = np.cross(ahead, across)
    return _turn(first / a, hinge, upper, axis), _turn(second / b, hinge, lower, axis)


def _turn(rest: Array, rest_axis: Array, bone_T3: Array, axis_T3: Array) -> Array:
    """The rotation that takes a rest direction and the axis across it to where they are now."""
    flat = rest_axis - np.dot(rest_axis, rest) * rest
    flat = flat / np.linalg.norm(flat)
    before = np.stack([rest, flat, np.cross(rest, flat)], axis=-1)
    after = np.stack([bone_T3, axis_T3, np.cross(bone_T3, axis_T3)], axis=-1)
    return rotation.from_matrix(after @ before.T)
