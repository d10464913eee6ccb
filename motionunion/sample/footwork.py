"""Where the feet are: planted between steps, without sliding, and on smooth arcs during them.

Shapes: T frames. +Y up, metres; a heading h faces (sin h, 0, cos h) and grows to the left. A foot is described by the
point under its ankle when it is flat, by its yaw, and by how far its toes are up (negative: the heel is up).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from motionunion.sample.choreography import SIDES, Array, Choreography, Step, minimum_jerk

_MARGIN_S = 3.0
_RATE = 200.0
_FLAT_AFTER = 0.15  # share of the stance after which a foot that landed on its heel is flat
_AHEAD_S = 0.45  # the body leans into its first step up to this long before a foot lifts
_ROLL_M = 0.06  # how far a foot that pushes off stands back: rolling onto the toes carries its ankle forward again
_HEEL_FROM = 0.5  # share of the stance from which the heel rises


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """The way of the body over the ground, sampled finely enough to read it at any time."""

    times: Array
    x: Array
    z: Array
    heading: Array

    def at(self, times_T: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """x, z and heading at some times."""
        t = np.asarray(times_T, dtype=np.float64)
        return (
            np.interp(t, self.times, self.x),
            np.interp(t, self.times, self.z),
            np.interp(t, self.times, self.heading),
        )


@dataclass(frozen=True, slots=True, eq=False)
class FootTrack:
    """One foot over time: `point_T3` under the ankle of the flat foot, `yaw_T`, `toe_up_T`, `planted_T`."""

    point_T3: Array
    yaw_T: Array
    toe_up_T: Array
    planted_T: npt.NDArray[np.bool_]


def walk_path(score: Choreography, end_s: float) -> Path:
    """Integrate speeds and turns from well before 0 to well after `end_s`; at time 0 the body is at the origin."""
    times = np.arange(-_MARGIN_S, end_s + _MARGIN_S, 1 / _RATE)
    heading = _integral(score.scalar("turn", times)) + score.scalar("heading", times)
    forward, left = score.scalar("forward", times), score.scalar("sideways", times)
    x = _integral(forward * np.sin(heading) + left * np.cos(heading))
    z = _integral(forward * np.cos(heading) - left * np.sin(heading))
    zero = round(_MARGIN_S * _RATE)
    return Path(times, x - x[zero], z - z[zero], heading)


def _integral(rate: Array) -> Array:
    total: Array = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / (2 * _RATE))])
    return total


def foot_track(score: Choreography, path: Path, foot: str, times_T: Array) -> FootTrack:
    """Follow one foot through its steps, and through what the channels `*_foot`, `*_toe_up` add to it."""
    steps = sorted((step for step in score.steps if step.foot == foot), key=lambda step: step.lift_s)
    for before, after in pairwise(steps):
        if after.lift_s <= before.land_s:
            raise ValueError(
                f"footwork: {foot} lifts at {after.lift_s:.2f} s before it landed at {before.land_s:.2f} s"
            )
    spots = _spots(score, path, foot, steps)
    point = np.empty((len(times_T), 3))
    yaw, toe_up = np.empty(len(times_T)), np.zeros(len(times_T))
    planted = np.ones(len(times_T), dtype=np.bool_)
    for number, (x, z, turned) in enumerate(spots):
        landed = steps[number - 1].land_s if number else -np.inf
        lifts = steps[number].lift_s if number < len(steps) else np.inf
        here = (times_T >= landed) & (times_T < lifts)
        point[here], yaw[here] = (x, 0.0, z), turned
        toe_up[here] = _stance_roll(steps, number, times_T[here])
    for number, step in enumerate(steps):
        there = (times_T >= step.lift_s) & (times_T < step.land_s)
        u = (times_T[there] - step.lift_s) / (step.land_s - step.lift_s)
        planted[there] = False
        progress = u if step.ballistic else minimum_jerk(u)
        (x0, z0, yaw0), (x1, z1, yaw1) = spots[number], spots[number + 1]
        point[there, 0], point[there, 2] = x0 + progress * (x1 - x0), z0 + progress * (z1 - z0)
        point[there, 1] = step.height_m * (4 * u * (1 - u) if step.ballistic else _swing_lift(u))
        yaw[there] = yaw0 + progress * (yaw1 - yaw0)
        toe_up[there] = -step.push + minimum_jerk(u / 0.85) * (step.push + step.strike)
    offset = score.evaluate(f"{foot}_foot", times_T)
    outward = 1.0 if foot == SIDES[0] else -1.0
    heading = path.at(times_T)[2]
    point[:, 0] += outward * offset[:, 0] * np.cos(heading) + offset[:, 2] * np.sin(heading)
    point[:, 2] += -outward * offset[:, 0] * np.sin(heading) + offset[:, 2] * np.cos(heading)
    point[:, 1] += offset[:, 1]
    planted &= np.abs(offset).max(axis=1) < 1e-6
    return FootTrack(point, yaw, toe_up + score.scalar(f"{foot}_toe_up", times_T), planted)


def _spots(score: Choreography, path: Path, foot: str, steps: list[Step]) -> list[tuple[float, float, float]]:
    """Ground point and yaw of each stance: beside the body as it is in the middle of that stance."""
    outward = score.stance_m if foot == SIDES[0] else -score.stance_m
    first = min((step.lift_s for step in score.steps), default=0.0)
    moments = [first - _AHEAD_S]
    for before, after in pairwise(steps):
        moments.append((before.land_s + after.lift_s) / 2)
    if steps:
        moments.append(float(path.times[-1]))
    x, z, heading = path.at(moments)
    # Standing, one foot may be ahead; walking, the steps themselves put it there.
    ahead = (0.5 if outward > 0 else -0.5) * score.stagger_m
    for number in {0, len(moments) - 1}:
        x[number] += ahead * np.sin(heading[number])
        z[number] += ahead * np.cos(heading[number])
    # The foot that is about to push off, and did land, stands a little behind the middle.
    for number in range(1, len(steps)):
        x[number] -= _ROLL_M * steps[number].push * np.sin(heading[number])
        z[number] -= _ROLL_M * steps[number].push * np.cos(heading[number])
    turned = heading + np.sign(outward) * score.toe_out
    return list(
        zip(
            (x + outward * np.cos(heading)).tolist(),
            (z - outward * np.sin(heading)).tolist(),
            turned.tolist(),
            strict=True,
        )
    )


def _swing_lift(u: Array) -> Array:
    """Height of a foot in the air, 0..1, highest before the middle, without speed at either end."""
    lift: Array = (u**2) * (1 - u) ** 3 / (0.4**2 * 0.6**3)
    return lift


def _stance_roll(steps: list[Step], number: int, times_T: Array) -> Array:
    """Toe-up angle while planted: from the heel onto the sole, then up on the toes."""
    roll = np.zeros(len(times_T))
    landed = steps[number - 1].land_s if number else None
    lifts = steps[number].lift_s if number < len(steps) else None
    stance = min(lifts - landed, 0.8) if landed is not None and lifts is not None else 0.6
    if landed is not None:
        roll += steps[number - 1].strike * (1 - minimum_jerk((times_T - landed) / (_FLAT_AFTER * stance)))
    if lifts is not None:
        rising = minimum_jerk(1 - (lifts - times_T) / ((1 - _HEEL_FROM) * stance))
        roll -= steps[number].push * rising
    return roll
