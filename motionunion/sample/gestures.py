"""What arms do while the body stands: waving, punching, throwing, raising, picking up, clapping.

Wrist targets are (outward, up, forward) from the shoulder, in arm lengths.
"""

from __future__ import annotations

import numpy as np

from motionunion.sample.choreography import SIDES, Array, Choreography, envelope
from motionunion.sample.locomotion import Done
from motionunion.sample.performer import Performer

_TIMES = {1: ("once",), 2: ("twice", "two times"), 3: ("three times",), 4: ("four times",)}


def count_words(count: int, rng: np.random.Generator) -> str:
    """How often, in words."""
    return str(rng.choice(_TIMES[count]))


def other(side: str) -> str:
    """The opposite side."""
    return SIDES[1 - SIDES.index(side)]


def one_side(rng: np.random.Generator) -> str:
    """Left or right."""
    return SIDES[int(rng.integers(2))]


def wave(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Raise a hand, or both, and wave."""
    which = ("left", "right", "both")[int(rng.choice(3, p=[0.4, 0.4, 0.2]))]
    sides = SIDES if which == "both" else (which,)
    high = rng.random() < 0.5
    quick = rng.random() < 0.5
    up = start_s + rng.uniform(0.6, 0.9) / who.tempo
    end = up + rng.uniform(1.0, 3.2)
    down = end + rng.uniform(0.6, 0.9) / who.tempo
    rate = rng.uniform(2.2, 2.8) if quick else rng.uniform(1.0, 1.4)
    size = rng.uniform(0.14, 0.22)
    for side in sides:
        wrist = (0.28, 0.82, 0.15) if high else (0.42, 0.3, 0.42)
        score.move(f"{side}_wrist", start_s, up, wrist)
        score.move(f"{side}_elbow", start_s, up, (1.0, -0.7, 0.0))
        score.settle(f"{side}_wrist", end, down)
        score.settle(f"{side}_elbow", end, down)

        def swung(times_T: Array) -> Array:
            side_to_side = (
                size * envelope(up - 0.15, end + 0.15, 0.3)(times_T) * np.sin(2 * np.pi * rate * (times_T - up))
            )
            return np.stack([side_to_side, -0.25 * np.abs(side_to_side), 0 * side_to_side], axis=-1)

        score.add(f"{side}_wrist", swung)
    hand = "both hands" if which == "both" else f"{{their}} {which} hand"
    pace = "quickly" if quick else "slowly"
    where = "above {their} head" if high else "at shoulder height"
    return Done(
        down,
        [
            f"waves {hand} {pace} {where}",
            f"{pace} waves with {hand} {where}",
            f"raises {hand} {where.replace('at ', 'to ')} and waves {pace}",
            f"stands and waves {hand} {where} {pace}",
        ],
    )


def punch(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Punch forward with one hand, or with both in turn."""
    which = ("left", "right", "alternately")[int(rng.integers(3))]
    count = int(rng.integers(1, 5)) if which != "alternately" else int(rng.choice([2, 4]))
    guard, guard_end = start_s, start_s + rng.uniform(0.45, 0.65) / who.tempo
    for side in SIDES:
        score.move(f"{side}_wrist", guard, guard_end, (-0.04, 0.02, 0.38))
        score.move(f"{side}_elbow", guard, guard_end, (0.5, -1.0, -0.3))
    score.move("crouch", guard, guard_end, 0.05)
    begin = guard_end + 0.1
    first = one_side(rng)
    for number in range(count):
        side = which if which != "alternately" else (first if number % 2 == 0 else other(first))
        hit, back = begin + rng.uniform(0.2, 0.26) / who.tempo, begin + rng.uniform(0.55, 0.65) / who.tempo
        score.move(f"{side}_wrist", begin, hit, (-0.22, 0.03, 0.97))
        score.move(f"{side}_wrist", hit, back, (-0.04, 0.02, 0.38))
        # The shoulder goes along: a left punch turns the chest right.
        score.move("spine_yaw", begin, hit, (-0.5 if side == "left" else 0.5))
        score.move("spine_yaw", hit, back, 0.0)
        begin = back + 0.05
    end = begin + rng.uniform(0.5, 0.7) / who.tempo
    for side in SIDES:
        score.settle(f"{side}_wrist", begin, end)
        score.settle(f"{side}_elbow", begin, end)
    score.move("crouch", begin, end, 0.0)
    often = count_words(count, rng)
    if which == "alternately":
        return Done(
            end,
            [
                f"punches {often} with alternating/ADJ hands",
                f"boxes {often}, using/VERB both hands by turns/NOUN",
                f"throws {'two' if count == 2 else 'four'} punches/NOUN with {{their}} left and right fist/NOUN",
            ],
        )
    return Done(
        end,
        [
            f"punches forward with {{their}} {which} hand {often}",
            f"throws a punch/NOUN with {{their}} {which} fist {often}",
            f"boxes {often} with {{their}} {which} arm",
        ],
    )


def throw(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Throw something, over the head or from below."""
    side = one_side(rng)
    overhand = rng.random() < 0.55
    wound = start_s + rng.uniform(0.7, 1.0) / who.tempo
    thrown = wound + rng.uniform(0.28, 0.36) / who.tempo
    through = thrown + rng.uniform(0.25, 0.35)
    end = through + rng.uniform(0.7, 1.0) / who.tempo
    toward = 1.0 if side == "left" else -1.0
    if overhand:
        path = ((0.45, 0.55, -0.45), (0.05, 0.55, 0.75), (-0.3, -0.5, 0.6))
        score.move(f"{side}_elbow", wound, thrown, (1.0, 0.0, -0.3))
    else:
        path = ((0.2, -0.6, -0.68), (0.05, -0.15, 0.93), (0.0, 0.35, 0.85))
        score.move(f"{side}_elbow", start_s, wound, (1.0, 0.0, -0.6))
    for (begin, stop), wrist in zip(((start_s, wound), (wound, thrown), (thrown, through)), path, strict=True):
        score.move(f"{side}_wrist", begin, stop, wrist)
    score.move(f"{other(side)}_wrist", start_s, wound, (0.3, -0.35, 0.6))
    score.move("spine_yaw", start_s, wound, 0.6 * toward)
    score.move("spine_yaw", wound, through, -0.5 * toward)
    score.move("spine_pitch", start_s, wound, score.now("spine_pitch")[0] - 0.1)
    score.move("spine_pitch", wound, through, 0.35)
    score.move("shift_forward", start_s, wound, -0.06)
    score.move("shift_forward", wound, through, 0.08)
    for channel in (
        f"{side}_wrist",
        f"{side}_elbow",
        f"{other(side)}_wrist",
        "spine_yaw",
        "spine_pitch",
        "shift_forward",
    ):
        score.settle(channel, max(through, wound), end)
    way = "overhand/ADV" if overhand else "underhand/ADV"
    return Done(
        end,
        [
            f"throws something {way} with {{their}} {side} hand",
            f"tosses an object {way} using/VERB {{their}} {side} arm",
            f"throws a ball forward {way} with {{their}} {side} arm",
        ],
    )


def raise_arms(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Raise one arm or both: overhead, to the side, or to the front; once or more often."""
    which = ("left", "right", "both")[int(rng.integers(3))]
    sides = SIDES if which == "both" else (which,)
    where = ("overhead", "side", "front")[int(rng.integers(3))]
    wrist = {"overhead": (0.08, 0.97, 0.05), "side": (0.98, 0.0, 0.0), "front": (0.0, 0.03, 0.98)}[where]
    pole = {"overhead": (1.0, 0.0, 0.3), "side": (0.0, -0.3, -1.0), "front": (0.7, -0.7, 0.0)}[where]
    count = int(rng.choice([1, 1, 2, 3]))
    slow = rng.random() < 0.5
    span = (1.15 if slow else 0.6) / who.tempo
    begin = start_s
    for _ in range(count):
        up, held = begin + span, begin + span + rng.uniform(0.2, 0.6)
        down = held + span
        for side in sides:
            score.move(f"{side}_wrist", begin, up, wrist)
            score.move(f"{side}_elbow", begin, up, pole)
            score.settle(f"{side}_wrist", held, down)
            score.settle(f"{side}_elbow", held, down)
        begin = down + 0.1
    arms = "both arms" if which == "both" else f"{{their}} {which} arm"
    place = {
        "overhead": ("above {their} head", "up high"),
        "side": ("out to the side", "sideways to shoulder height"),
        "front": ("in front of {their} body", "straight out in front"),
    }[where]
    pace, often = ("slowly" if slow else "quickly"), ("" if count == 1 else count_words(count, rng))
    return Done(
        begin,
        [
            f"{pace} raises {arms} {place[0]} {often}",
            f"lifts {arms} {place[1]} {pace} {often}",
            f"raises and lowers {arms} {place[0]} {pace} {often}",
        ],
    )


def pick_up(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Bend down to the floor with one hand or both, and come up with something."""
    which = ("left", "right", "both")[int(rng.integers(3))]
    sides = SIDES if which == "both" else (which,)
    down = start_s + rng.uniform(0.9, 1.3) / who.tempo
    held = down + rng.uniform(0.2, 0.5)
    end = held + rng.uniform(0.9, 1.3) / who.tempo
    knees = rng.uniform(0.2, 0.34)
    keeps = rng.random() < 0.5
    for channel, value in (("crouch", knees), ("spine_pitch", 1.05), ("pelvis_pitch", 0.45), ("shift_forward", -0.12)):
        score.move(channel, start_s, down, value)
        score.settle(channel, held, end)
    lean = 0.0 if which == "both" else (-0.22 if which == "left" else 0.22)
    score.move("spine_roll", start_s, down, lean)
    score.settle("spine_roll", held, end)
    for side in sides:
        score.move(f"{side}_wrist", start_s, down, (-0.05 if which == "both" else 0.05, -0.95, 0.22))
        if keeps:
            score.move(f"{side}_wrist", held, end, (-0.1, -0.35, 0.5))
            score.move(f"{side}_wrist", end + 0.3, end + 1.0, score.resting(f"{side}_wrist"))
        else:
            score.settle(f"{side}_wrist", held, end)
    end += 1.0 if keeps else 0.0
    hand = "both hands" if which == "both" else f"{{their}} {which} hand"
    tail = "and holds it/PRON in front" if keeps else ""
    return Done(
        end,
        [
            f"bends down and picks something up from the floor with {hand} {tail}",
            f"picks up an object from the ground using/VERB {hand} {tail}",
            f"bends over, picks something up with {hand} and stands up again"
            if not keeps
            else f"bends over, picks something up with {hand} and lifts it/PRON to {{their}} chest",
        ],
    )


def clap(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Clap in front of the chest or above the head."""
    high = rng.random() < 0.5
    rate = float(rng.choice([1.2, 2.2])) * rng.uniform(0.92, 1.08)
    ready = start_s + 0.6 / who.tempo
    end = ready + rng.uniform(1.2, 3.0)
    stop = end + 0.7 / who.tempo
    for side in SIDES:
        score.move(f"{side}_wrist", start_s, ready, (0.0, 0.85, 0.25) if high else (0.0, -0.2, 0.62))
        score.move(f"{side}_elbow", start_s, ready, (1.0, -0.4, 0.0))
        score.settle(f"{side}_wrist", end, stop)
        score.settle(f"{side}_elbow", end, stop)

        def apart(times_T: Array) -> Array:
            # Shoulders are about 0.35 arm lengths from the middle: -0.27 brings the hands together.
            swung = envelope(ready - 0.2, end + 0.2, 0.25)(times_T) * (
                -0.1 - 0.17 * np.cos(2 * np.pi * rate * (times_T - ready))
            )
            return np.stack([swung, 0 * swung, 0 * swung], axis=-1)

        score.add(f"{side}_wrist", apart)
    pace = "quickly" if rate > 1.7 else "slowly"
    where = "above {their} head" if high else "in front of {their} chest"
    return Done(
        stop,
        [
            f"claps {{their}} hands {pace} {where}",
            f"{pace} claps {where}",
            f"stands still/ADV and claps both hands {where} {pace}",
        ],
    )
