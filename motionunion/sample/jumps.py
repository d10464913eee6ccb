"""Leaving the ground: jumps, hops on one leg, jumping jacks. Flight follows gravity.

Every action has the shape that `locomotion` describes.
"""

from __future__ import annotations

import numpy as np

from motionunion.sample.choreography import SIDES, Array, Choreography, Step, minimum_jerk
from motionunion.sample.exercises import stand_on, stand_on_both
from motionunion.sample.gestures import count_words, one_side, other
from motionunion.sample.locomotion import Done
from motionunion.sample.performer import Performer

_GRAVITY = 9.81


def _leap(
    score: Choreography, start_s: float, height_m: float, rng: np.random.Generator, *,
    feet: tuple[str, ...] = SIDES, tuck_m: float = 0.05, land_crouch: float = 0.2,
) -> tuple[float, float, float]:  # fmt: skip
    """Crouch, take off, fly as gravity says, land softly. Returns the times of take-off, landing and rest."""
    launch = float(np.sqrt(2 * _GRAVITY * height_m))
    dip = min(0.28, 0.12 + 0.45 * height_m)
    push_s = 2 * dip / launch  # from rest to launch speed over the depth of the dip
    bottom = start_s + rng.uniform(0.35, 0.5)
    take_off = bottom + push_s
    landing = take_off + 2 * launch / _GRAVITY
    absorb_s = 2 * land_crouch / launch
    rest = landing + absorb_s + 0.5

    def crouch(t: Array) -> Array:
        down = dip * minimum_jerk((t - start_s) / (bottom - start_s))
        pushed = dip * (1 - np.clip((t - bottom) / push_s, 0, 1) ** 2)
        landed = np.clip((t - landing) / absorb_s, 0, 1)
        soft = land_crouch * (1 - (1 - landed) ** 2) * (1 - minimum_jerk((t - landing - absorb_s) / 0.5))
        depth: Array = np.where(t < bottom, down, np.where(t < take_off, pushed, np.where(t < landing, 0.0, soft)))
        return depth

    def air(t: Array) -> Array:
        since = np.clip(t - take_off, 0.0, landing - take_off)
        flight: Array = launch * since - _GRAVITY * since**2 / 2
        return flight

    score.add("crouch", crouch)
    score.add("air", air)
    for foot in feet:
        score.steps.append(
            Step(
                foot=foot,
                lift_s=take_off,
                land_s=landing,
                height_m=height_m + tuck_m,
                push=0.7,
                strike=-0.3,
                ballistic=True,
            )
        )
    return take_off, landing, rest


def jump(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Jump with both feet: up, forward, backward or to a side; one to three times."""
    way = ("up", "forward", "backward", "left", "right")[int(rng.choice(5, p=[0.35, 0.3, 0.11, 0.12, 0.12]))]
    count = int(rng.choice([1, 2, 3]))
    high = rng.random() < 0.5
    begin = start_s
    for _ in range(count):
        height = rng.uniform(0.3, 0.4) if high else rng.uniform(0.1, 0.16)
        take_off, landing, rest = _leap(score, begin, height, rng)
        reach = {"up": 0.0, "forward": 0.8, "backward": -0.4, "left": 0.45, "right": -0.45}[way] * rng.uniform(
            0.85, 1.15
        )
        if reach:
            channel = "sideways" if way in SIDES else "forward"
            score.move(channel, take_off - 0.2, take_off, reach / (landing - take_off + 0.2))
            score.move(channel, landing, landing + 0.2, 0.0)
        score.move("spine_pitch", begin, take_off - 0.15, 0.45)
        score.move("spine_pitch", take_off - 0.15, take_off + 0.1, 0.0)
        score.move("spine_pitch", landing, landing + 0.2, 0.3)
        score.settle("spine_pitch", landing + 0.2, rest)
        for side in SIDES:
            score.move(f"{side}_wrist", begin, take_off - 0.15, (0.15, -0.75, -0.5))
            score.move(f"{side}_wrist", take_off - 0.15, take_off + 0.1, (0.2, 0.5, 0.7) if high else (0.25, -0.3, 0.7))
            score.settle(f"{side}_wrist", landing, rest)
        begin = rest + 0.05
    often = count_words(count, rng)
    size = "high" if high else "low"
    place = {
        "up": "up in the air",
        "forward": "forward",
        "backward": "backward",
        "left": "to the left/NOUN",
        "right": "to the right/NOUN",
    }[way]
    return Done(
        begin + 0.1,
        [
            f"jumps {size} {place} {often}",
            f"leaps {size} {place} with both feet {often}",
            f"performs a {size}/ADJ jump/NOUN {place} {often}",
            f"bends {{their}} knees and jumps {size} {place} {often}",
        ],
    )


def hop(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Hop on one leg, on the spot or forward."""
    side = one_side(rng)
    raised = other(side)
    ahead = rng.random() < 0.5
    count = int(rng.integers(2, 5))
    ready = start_s + 0.7
    stand_on(score, side, start_s, ready)
    score.move(f"{raised}_foot", start_s + 0.2, ready, (-0.02, 0.28, -0.2))
    score.move(f"{raised}_toe_up", start_s + 0.2, ready, -0.6)
    for arm in SIDES:
        score.move(f"{arm}_wrist", start_s, ready, (0.5, -0.5, 0.4))
    begin = ready
    for _ in range(count):
        take_off, landing, rest = _leap(
            score, begin, rng.uniform(0.06, 0.1), rng, feet=SIDES, tuck_m=0.02, land_crouch=0.1
        )
        if ahead:
            score.move("forward", take_off - 0.12, take_off, 1.1)
            score.move("forward", landing, landing + 0.12, 0.0)
        begin = rest - 0.3
    end = begin + 0.9
    score.settle(f"{raised}_foot", begin + 0.3, end)
    score.settle(f"{raised}_toe_up", begin + 0.3, end)
    stand_on_both(score, begin + 0.3, end)
    for arm in SIDES:
        score.settle(f"{arm}_wrist", begin + 0.3, end)
    way = "forward" if ahead else "in place"
    often = count_words(count, rng)
    return Done(
        end,
        [
            f"hops {way} on {{their}} {side} leg {often}",
            f"hops {often} {way} on the {side} foot",
            f"lifts {{their}} {raised} foot and hops {way} on the {side} leg {often}",
        ],
    )


def jumping_jacks(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Jumping jacks: feet apart and hands overhead, and back."""
    count = int(rng.integers(2, 5))
    quick = rng.random() < 0.5
    span = (0.42 if quick else 0.62) / who.tempo
    begin = start_s + 0.2
    for _ in range(count):
        for outward in (True, False):
            lift, land = begin + 0.3 * span, begin + 0.85 * span
            for side in SIDES:
                score.steps.append(
                    Step(foot=side, lift_s=lift, land_s=land, height_m=0.06, push=0.5, strike=-0.3, ballistic=True)
                )
                score.move(f"{side}_foot", lift, land, (0.24, 0.0, 0.0) if outward else (0.0, 0.0, 0.0))
                score.move(
                    f"{side}_wrist", begin, land, (0.12, 0.95, 0.05) if outward else score.resting(f"{side}_wrist")
                )
                score.move(
                    f"{side}_elbow", begin, land, (0.3, 0.0, -1.0) if outward else score.resting(f"{side}_elbow")
                )

            def rise(t: Array, lift: float = lift, land: float = land) -> Array:
                u = np.clip((t - lift) / (land - lift), 0, 1)
                height: Array = 0.07 * 4 * u * (1 - u)
                return height

            score.add("air", rise)
            begin = land + 0.15 * span
    pace, often = ("quickly" if quick else "slowly"), {2: "two", 3: "three", 4: "four"}[count]
    return Done(
        begin + 0.3,
        [
            f"does {often} jumping/VERB jacks {pace}",
            f"performs {often} jumping/VERB jacks {pace}",
            f"{pace} jumps with {{their}} feet apart/ADV and hands above {{their}} head {count_words(count, rng)}",
        ],
    )
