"""What the whole body does on the spot: squats, sitting, kicks, bows, standing on one leg.

Every action has the shape that `locomotion` describes.
"""

from __future__ import annotations

import numpy as np

from motionunion.sample.choreography import SIDES, Choreography
from motionunion.sample.gestures import count_words, one_side, other
from motionunion.sample.locomotion import Done
from motionunion.sample.performer import Performer


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


def stand_on(score: Choreography, side: str, start_s: float, end_s: float) -> None:
    """Bring the weight over one foot."""
    toward = 1.0 if side == "left" else -1.0
    score.move("shift_left", start_s, end_s, toward * 0.92 * score.stance_m)
    score.move("spine_roll", start_s, end_s, toward * 0.06)


def stand_on_both(score: Choreography, start_s: float, end_s: float) -> None:
    score.settle("shift_left", start_s, end_s)
    score.settle("spine_roll", start_s, end_s)


def kick(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Kick forward or to the side, high or low, once or twice."""
    side = one_side(rng)
    high = rng.random() < 0.5
    sideways = rng.random() < 0.3
    count = int(rng.choice([1, 1, 2]))
    ready = start_s + rng.uniform(0.4, 0.55) / who.tempo
    stand_on(score, other(side), start_s, ready)
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
    stand_on_both(score, begin, end)
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
    stand_on(score, side, start_s, ready)
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
    stand_on_both(score, down, end)
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
            f"{pace} bows {how}",
            f"bends {{their}} body forward {how} to bow/VERB {pace}",
            f"takes a {'deep' if deep else 'small'} bow/NOUN {pace}",
        ],
    )
