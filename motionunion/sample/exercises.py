"""What the whole body does on the spot: squats, sitting, kicks, jumps, bows, standing on one leg."""

from __future__ import annotations

import numpy as np

from motionunion.sample.choreography import SIDES, Array, Choreography, Step, minimum_jerk
from motionunion.sample.gestures import count_words, one_side, other
from motionunion.sample.locomotion import Done
from motionunion.sample.performer import Performer

_GRAVITY = 9.81


def squat(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Go down on bent knees and come up again, one to three times."""
    count = int(rng.integers(1, 4))
    deep = rng.random() < 0.5
    slow = rng.random() < 0.5
    depth = rng.uniform(0.38, 0.46) if deep else rng.uniform(0.18, 0.25)
    span = (1.2 if slow else 0.7) / who.tempo
    begin = start_s
    for _ in range(count):
        down = begin + span
        held = down + rng.uniform(0.1, 0.4)
        up = held + span
        bent = depth / 0.45
        moves = {"crouch": depth, "spine_pitch": 0.45 * bent, "pelvis_pitch": 0.3 * bent, "shift_forward": -0.16 * bent}
        for channel, value in moves.items():
            score.move(channel, begin, down, value)
            score.settle(channel, held, up)
        for side in SIDES:
            score.move(f"{side}_wrist", begin, down, (0.0, -0.1, 0.95))
            score.settle(f"{side}_wrist", held, up)
            score.move(f"{side}_knee_out", begin, down, 0.3)
            score.settle(f"{side}_knee_out", held, up)
        begin = up + 0.12
    pace, often = ("slowly" if slow else "quickly"), count_words(count, rng)
    how = "deeply" if deep else "slightly"
    return Done(
        begin,
        [
            f"squats down {how} {often} {pace}",
            f"{pace} performs a {'deep' if deep else 'small'} squat/NOUN {often}",
            f"bends {{their}} knees {how} and rises again {pace} {often}",
        ],
    )


def sit_down(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Sit down on a chair that is not seen, and perhaps stand up again."""
    rises = rng.random() < 0.6
    slow = rng.random() < 0.5
    span = (1.7 if slow else 1.1) / who.tempo
    down = start_s + span
    _fold(score, start_s, down, rng)
    held = down + rng.uniform(0.6, 2.0)
    pace = "slowly" if slow else "quickly"
    if not rises:
        return Done(
            held,
            [
                f"{pace} sits down on a chair",
                f"lowers {{their}} body onto a seat/NOUN {pace}",
                f"sits down {pace} and stays seated/ADJ",
            ],
        )
    up = held + span
    _unfold(score, held, up)
    return Done(
        up + 0.2,
        [
            f"sits down on a chair {pace} and stands up again",
            f"{pace} sits down and then gets up",
            f"takes a seat/NOUN {pace} and rises again",
        ],
    )


def stand_up(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Sit at first, then stand up."""
    slow = rng.random() < 0.5
    span = (1.7 if slow else 1.0) / who.tempo
    _fold(score, -2.0, -1.0, rng)
    begin = start_s + rng.uniform(0.5, 1.5)
    _unfold(score, begin, begin + span)
    pace = "slowly" if slow else "quickly"
    return Done(
        begin + span + 0.3,
        [f"{pace} stands up from a chair", f"is sitting/VERB and gets up {pace}", f"rises {pace} from a seat"],
    )


def _fold(score: Choreography, start_s: float, end_s: float, rng: np.random.Generator) -> None:
    middle = start_s + 0.55 * (end_s - start_s)
    score.move("crouch", start_s, end_s, rng.uniform(0.36, 0.42))
    score.move("shift_forward", start_s, end_s, -rng.uniform(0.36, 0.42))
    score.move("spine_pitch", start_s, middle, 0.55)
    score.move("spine_pitch", middle, end_s, 0.08)
    score.move("pelvis_pitch", start_s, middle, 0.35)
    score.move("pelvis_pitch", middle, end_s, -0.05)
    for side in SIDES:
        score.move(f"{side}_wrist", start_s, end_s, (0.02, -0.7, 0.48))
        score.move(f"{side}_elbow", start_s, end_s, (0.6, 0.0, -1.0))


def _unfold(score: Choreography, start_s: float, end_s: float) -> None:
    middle = start_s + 0.4 * (end_s - start_s)
    score.settle("crouch", start_s, end_s)
    score.settle("shift_forward", start_s, end_s)
    score.move("spine_pitch", start_s, middle, 0.6)
    score.settle("spine_pitch", middle, end_s)
    score.move("pelvis_pitch", start_s, middle, 0.35)
    score.settle("pelvis_pitch", middle, end_s)
    for side in SIDES:
        score.settle(f"{side}_wrist", start_s, end_s)
        score.settle(f"{side}_elbow", start_s, end_s)


def _stand_on(score: Choreography, side: str, start_s: float, end_s: float) -> None:
    """Bring the weight over one foot."""
    toward = 1.0 if side == "left" else -1.0
    score.move("shift_left", start_s, end_s, toward * 0.92 * score.stance_m)
    score.move("spine_roll", start_s, end_s, toward * 0.06)


def _stand_on_both(score: Choreography, start_s: float, end_s: float) -> None:
    score.settle("shift_left", start_s, end_s)
    score.settle("spine_roll", start_s, end_s)


def kick(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Kick forward or to the side, high or low, once or twice."""
    side = one_side(rng)
    high = rng.random() < 0.5
    sideways = rng.random() < 0.3
    count = int(rng.choice([1, 1, 2]))
    ready = start_s + rng.uniform(0.4, 0.55) / who.tempo
    _stand_on(score, other(side), start_s, ready)
    begin = ready
    for arm in SIDES:
        score.move(f"{arm}_wrist", start_s, ready, (0.35, -0.55, 0.45))
    up = rng.uniform(0.78, 0.92) if high else rng.uniform(0.3, 0.42)
    for _ in range(count):
        drawn = begin + rng.uniform(0.28, 0.36) / who.tempo
        hit = drawn + rng.uniform(0.2, 0.26) / who.tempo
        landed = hit + rng.uniform(0.45, 0.6) / who.tempo
        if sideways:
            score.move(f"{side}_foot", begin, drawn, (0.1, 0.22, -0.05))
            score.move(f"{side}_foot", drawn, hit, (0.62 if high else 0.5, up * 0.85, 0.05))
        else:
            score.move(f"{side}_foot", begin, drawn, (0.0, 0.18, -0.3))
            score.move(f"{side}_foot", drawn, hit, (0.0, up, 0.6 if high else 0.55))
        score.move(f"{side}_toe_up", begin, drawn, -0.7)
        score.move(f"{side}_toe_up", drawn, hit, 0.7 if high else 0.25)
        score.settle(f"{side}_foot", hit, landed)
        score.settle(f"{side}_toe_up", hit, landed)
        score.move("spine_pitch", drawn, hit, -0.18 if high else -0.05)
        score.settle("spine_pitch", hit, landed)
        score.move("pelvis_pitch", drawn, hit, -0.25 if high else -0.1)
        score.settle("pelvis_pitch", hit, landed)
        begin = landed + 0.1
    end = begin + 0.45
    _stand_on_both(score, begin, end)
    for arm in SIDES:
        score.settle(f"{arm}_wrist", begin, end)
    level = "high" if high else "low"
    way = "to the side" if sideways else "forward"
    often = "" if count == 1 else count_words(count, rng)
    return Done(
        end,
        [
            f"kicks {level} {way} with {{their}} {side} leg {often}",
            f"performs a {level}/ADJ kick/NOUN {way} with {{their}} {side} foot {often}",
            f"lifts {{their}} {side} leg and kicks {way} {level} {often}",
        ],
    )


def balance(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Stand on one leg with the arms out."""
    side = one_side(rng)
    raised = other(side)
    ready = start_s + rng.uniform(0.6, 0.8) / who.tempo
    up = ready + rng.uniform(0.6, 0.9) / who.tempo
    held = up + rng.uniform(0.8, 3.0)
    down = held + 0.8 / who.tempo
    end = down + 0.5
    arms = rng.random() < 0.6
    _stand_on(score, side, start_s, ready)
    behind = rng.random() < 0.4
    score.move(f"{raised}_foot", ready, up, (0.0, 0.32, -0.34) if behind else (-0.02, 0.42, 0.22))
    score.move(f"{raised}_toe_up", ready, up, -0.9 if behind else -0.35)
    score.settle(f"{raised}_foot", held, down)
    score.settle(f"{raised}_toe_up", held, down)
    score.move("spine_pitch", ready, up, 0.3 if behind else 0.0)
    score.settle("spine_pitch", held, down)
    if arms:
        for arm in SIDES:
            score.move(f"{arm}_wrist", start_s, up, (0.97, 0.02, 0.08))
            score.settle(f"{arm}_wrist", held, end)
    _stand_on_both(score, down, end)
    tail = "with both arms out to the side" if arms else ""
    where = "behind {their} body" if behind else "in front"
    return Done(
        end,
        [
            f"balances on {{their}} {side} leg {tail}",
            f"stands on {{their}} {side} foot, holding the {raised} leg {where} {tail}",
            f"lifts {{their}} {raised} leg {where} and balances on the {side} foot {tail}",
        ],
    )


def bow(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Bow, slightly or deeply."""
    deep = rng.random() < 0.5
    slow = rng.random() < 0.5
    span = (1.2 if slow else 0.7) / who.tempo
    down = start_s + span
    held = down + rng.uniform(0.3, 0.9)
    end = held + span
    size = rng.uniform(0.9, 1.0) if deep else rng.uniform(0.4, 0.5)
    for channel, value in (
        ("pelvis_pitch", 0.75 * size),
        ("spine_pitch", 0.6 * size),
        ("head_pitch", 0.5 * size),
        ("shift_forward", -0.14 * size),
    ):
        score.move(channel, start_s, down, value)
        score.settle(channel, held, end)
    hands = rng.random() < 0.4
    if hands:
        for side in SIDES:
            score.move(f"{side}_wrist", start_s, down, (-0.18, -0.6, 0.35))
            score.settle(f"{side}_wrist", held, end)
    how, pace = ("deeply" if deep else "slightly"), ("slowly" if slow else "quickly")
    return Done(
        end + 0.1,
        [
            f"bows {how} {pace}",
            f"{pace} bends {{their}} body forward {how} to bow/VERB",
            f"takes a {'deep' if deep else 'small'} bow/NOUN {pace}",
        ],
    )


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
            f"jumps {place} {often} {size}",
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
    _stand_on(score, side, start_s, ready)
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
    _stand_on_both(score, begin + 0.3, end)
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
