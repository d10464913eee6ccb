"""Whether the declared frame rate can be true: bodies fall at 9.81 m/s2, and legs swing like pendulums.

Positions in metres are a clock. Whoever jumps falls freely, so the centre of mass goes on evenly over the ground while its height
is a parabola, whose bend tells how long a frame lasts; on real clips of nine sources this is right to 7 %. Where nobody jumps,
steps of some length come at a pace that is anyone's guess within a factor of two, and of nobody beyond it: that finds
30 frames a second that are called 120. A rate is never changed here; what does not fit becomes a flag, and a person decides.

Segment masses and centres are those of Winter, *Biomechanics and Motor Control of Human Movement* (4th ed. 2009, table 4.1).
Walkers choose their pace to their step: step length over cadence is about 0.4 m s, and 0.18 to 0.7 m s at the extremes
(Sekiya & Nagasaki 1998 call it the walk ratio; the range is that of the real clips at hand).

Shapes: T frames; joints (T, 22, 3) in SMPL-22 order, metres, +Y up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion.measure import facing, joint, leg_length
from motionunion.skeleton import SMPL22_NAMES

FloatArray = npt.NDArray[np.float64]

SUSPECT_RATIO = 1.15
"""A declared rate is suspect where jumps give one that is so many times higher or lower: 25 frames a second are not 30."""

_GRAVITY = 9.81
_FEET = [SMPL22_NAMES.index(f"{side}_{part}") for part in ("ankle", "foot") for side in ("left", "right")]
_NO_FEET = [place for place in range(len(SMPL22_NAMES)) if place not in _FEET]

# Share of the body's mass, and where along the segment its centre lies.
_SEGMENTS = (
    ("hip", "knee", 0.1, 0.433), ("knee", "ankle", 0.0465, 0.433), ("ankle", "foot", 0.0145, 0.5),
    ("shoulder", "elbow", 0.028, 0.436), ("elbow", "wrist", 0.022, 0.58), ("shoulder", "hip", 0.2485, 0.5),
)  # fmt: skip
_HEAD = ("neck", "head", 0.081, 0.9)

_OFF_THE_GROUND = 0.05  # leg lengths that all of both feet are above their usual place
_CLEAR_OF_THE_FLOOR = 0.25  # leg lengths that all other joints are above the feet: who stands on the hands does not fly
_SHORTEST_FLIGHT = 6  # frames
_SWERVE = 0.06  # rises by which the centre of mass may leave an even, straight path over the ground
_LOWEST_JUMP_M = 0.06
_HIGH_JUMP_M = 0.15  # one such jump counts, where it takes two lower ones

_STRIDE = 0.12  # leg lengths that one foot leads the other, so that a step is one
_FEWEST_STEPS = 4
_PACE = (0.6, 4.2)  # steps a second: nobody keeps below, nobody runs above
_SPRINT_M = 1.6  # but for steps as long as a sprinter's
_SLOW_WALK_RATIO = 0.9  # m s


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """The frame rate that a motion shows."""

    fps: float
    evidence: str
    """`free fall, 3 jumps`, or `gait, 12 steps`."""


def suspect_rate(joints_T22x3: FloatArray, fps: float) -> RateEstimate | None:
    """The rate that the motion shows, where it contradicts the declared one; None where it does not, or nothing tells.

    Args:
        joints_T22x3: World positions, metres, +Y up.
        fps: The declared frames per second.
    """
    fall = free_fall_rate(joints_T22x3)
    if fall is not None:
        ratio = fall.fps / fps
        return fall if max(ratio, 1 / ratio) > SUSPECT_RATIO else None
    return impossible_gait(joints_T22x3, fps)


def free_fall_rate(joints_T22x3: FloatArray) -> RateEstimate | None:
    """The frame rate at which the clip's jumps fall with 9.81 m/s2; None where there is no clear jump.

    A jump is a stretch in which nothing is near the floor, neither foot nor hand, knee or back, and the centre of mass follows a
    parabola that opens downwards, with its top inside, and goes evenly over the ground: in cartwheels and rolls, on a bar or a rope
    it swerves. Two jumps must agree within 15 %, or one must rise 15 cm from where the feet are clear.
    """
    joints = np.asarray(joints_T22x3, dtype=np.float64)
    centre: FloatArray = np.einsum("tjc,j->tc", joints, centre_of_mass_weights())
    feet = joints[:, _FEET, 1]
    usual = np.sort(feet, axis=0)[len(joints) // 20]
    leg = leg_length(joints)
    airborne = (feet - usual).min(axis=1) > _OFF_THE_GROUND * leg
    airborne &= joints[:, _NO_FEET, 1].min(axis=1) > usual.min() + _CLEAR_OF_THE_FLOOR * leg
    jumps = [
        found
        for start, stop in _runs(airborne)
        if start > 0 and stop < len(joints) and (found := _parabola(centre[start:stop])) is not None
    ]
    if not jumps or (len(jumps) == 1 and jumps[0][1] < _HIGH_JUMP_M):
        return None
    rates = np.array([rate for rate, _ in jumps])
    fps = float(np.median(rates))
    if len(jumps) > 1 and np.median(np.abs(np.log(rates / fps))) > 0.15:
        return None
    return RateEstimate(fps, f"free fall, {len(jumps)} jump{'s' * (len(jumps) > 1)}")


def impossible_gait(joints_T22x3: FloatArray, fps: float) -> RateEstimate | None:
    """The rate at which the clip's steps come at a usual pace, where at the declared one nobody could walk so."""
    joints = np.asarray(joints_T22x3, dtype=np.float64)
    leg = leg_length(joints)
    front = facing(joints)
    ahead = np.einsum("tc,tc->t", joint(joints, "left_ankle") - joint(joints, "right_ankle"), front) / leg
    passing = _passings(ahead)
    if len(passing) < _FEWEST_STEPS + 2:
        return None
    frames = np.arange(len(joints))
    places = np.stack([np.interp(passing, frames, joints[:, 0, axis]) for axis in (0, 2)], axis=-1)
    strides_m = np.linalg.norm(places[2:] - places[:-2], axis=-1)
    first, second = np.diff(passing)[:-1], np.diff(passing)[1:]
    even = (np.abs(first - second) < 0.2 * (first + second)) & (strides_m > 0.9 * leg)
    if even.sum() < _FEWEST_STEPS:
        return None
    step_m = float(np.median(strides_m[even])) / 2
    pace = fps / float(np.median((first + second)[even] / 2))
    too_fast = pace > _PACE[1] and step_m < _SPRINT_M
    too_slow = pace < _PACE[0] and step_m / pace > _SLOW_WALK_RATIO
    if not too_fast and not too_slow:
        return None
    usual = float(np.clip(step_m / 0.35, 1.4, 3.0))
    return RateEstimate(fps * usual / pace, f"gait, {int(even.sum())} steps")


def centre_of_mass_weights() -> FloatArray:
    """(22,): the share of each joint in the centre of mass of the body; they add up to 1."""
    weights = np.zeros(22)
    sided = [
        (f"{side}_{start}", f"{side}_{end}", mass, along)
        for start, end, mass, along in _SEGMENTS
        for side in ("left", "right")
    ]
    for start, end, mass, along in (*sided, _HEAD):
        weights[SMPL22_NAMES.index(start)] += mass * (1 - along)
        weights[SMPL22_NAMES.index(end)] += mass * along
    return weights


def _runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _parabola(centre_n3: FloatArray) -> tuple[float, float] | None:
    """Frames per second at which a centre of mass (n, 3) falls freely, and the rise in metres; None where it does not fall so."""
    height_m, level = centre_n3[:, 1], centre_n3[:, [0, 2]]
    count = len(height_m)
    rise_m = float(height_m.max() - min(height_m[0], height_m[-1]))
    if count < _SHORTEST_FLIGHT or rise_m < _LOWEST_JUMP_M:
        return None
    time = np.linspace(-1, 1, count)
    bend, slope, middle = np.polyfit(time, height_m, 2)
    if bend >= 0 or abs(slope / (2 * bend)) > 0.6:
        return None
    left_over = height_m - np.polyval((bend, slope, middle), time)
    if left_over.var() > 0.01 * height_m.var():
        return None
    pace, place = np.polyfit(time, level, 1)
    if np.sqrt((level - time[:, None] * pace - place).var(axis=0).sum()) > _SWERVE * rise_m:
        return None
    per_frame = -2 * bend * (2 / (count - 1)) ** 2
    return float(np.sqrt(_GRAVITY / per_frame)), rise_m


def _passings(ahead: FloatArray) -> FloatArray:
    """Frames (fractional) at which one foot passes the other, between a clear lead of one and a clear lead of the other."""
    clear = np.flatnonzero(np.abs(ahead) > _STRIDE)
    changes = np.flatnonzero(np.signbit(ahead[clear[1:]]) != np.signbit(ahead[clear[:-1]])) if len(clear) else clear
    passings = []
    for before, after in zip(clear[changes], clear[changes + 1], strict=True):
        part = ahead[before : after + 1]
        step = int(np.flatnonzero(np.signbit(part[1:]) != np.signbit(part[:-1]))[0])
        passings.append(before + step + part[step] / (part[step] - part[step + 1]))
    return np.array(passings)
