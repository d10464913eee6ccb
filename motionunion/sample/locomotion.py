"""Ways of getting about: gaits of many speeds and manners, turning on the spot, side steps.

Every action has the same shape: it writes itself into a choreography from `start_s` on, and returns when it has ended
and the verb phrases that describe it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motionunion.sample.choreography import SIDES, Array, Choreography, Layer, Step, envelope
from motionunion.sample.performer import Performer


@dataclass(frozen=True, slots=True)
class Done:
    """When an action has ended, and what to say of it: alternative verb phrases."""

    end_s: float
    phrases: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gait:
    """How the legs and arms go. Speeds in m/s along and across, turn in rad/s, cadence in steps per second."""

    forward: float = 0.0
    sideways: float = 0.0
    turn: float = 0.0
    cadence: float = 1.8
    duty: float = 0.62
    """Share of a stride that a foot is planted; below one half there is flight."""
    lift_m: float = 0.09
    bob_m: float = 0.018
    crouch_m: float = 0.02
    arm_swing: float = 0.35
    arms: str = "hang"
    """`hang`, `run`, `zombie` (held out in front), `hips`."""
    lean: float = 0.0
    twist: float = 0.07
    push: float = 0.85
    strike: float = 0.28
    sway: float = 0.0
    """Sideways wandering in m/s, as of someone unsteady."""


_AFTER_S = 0.12  # the last foot comes down this long after the body has stopped

_ARMS = {
    "run": ((0.16, -0.42, 0.36), (0.5, -0.6, -1.0)),
    "zombie": ((0.05, -0.02, 0.97), (0.6, -1.0, 0.0)),
    "hips": ((0.12, -0.52, 0.1), (1.0, 0.1, -0.5)),
}


def go(score: Choreography, gait: Gait, start_s: float, end_s: float, rng: np.random.Generator, swing: float) -> None:
    """Perform a gait between two times, speeding up from standing and slowing down to it."""
    ramp = min(0.7, (end_s - start_s) / 3)
    for channel, value in (("forward", gait.forward), ("sideways", gait.sideways), ("turn", gait.turn)):
        if value:
            score.move(channel, start_s, start_s + ramp, value)
            score.move(channel, end_s - ramp, end_s, 0.0)
    if gait.sway:
        rate, phase = rng.uniform(0.35, 0.5), rng.uniform(0, 2 * np.pi)
        window = envelope(start_s, end_s, ramp)
        score.add("sideways", lambda t: gait.sway * window(t) * np.sin(2 * np.pi * rate * t + phase))
    _posture(score, gait, start_s, end_s, ramp)
    first = _lead(gait, rng)
    # The body leans into the first step before a foot leaves the ground, and stands before the last one is down.
    begun, landed = start_s + 0.3 * ramp, end_s + _AFTER_S
    count = max(2, round((landed - begun) * gait.cadence) - 1)
    period = (landed - begun) / (count + 1)
    swing_s = 2 * period * (1 - gait.duty)
    for number in range(count + 1):
        finish = begun + (number + 1) * period
        begin = max(finish - swing_s, begun + 0.35 * number * period)
        edge = number in (0, count)
        score.steps.append(
            Step(
                foot=SIDES[(first + number) % 2], lift_s=begin, land_s=finish,
                height_m=gait.lift_m * (0.7 if edge else 1.0),
                push=gait.push * (0.5 if edge else 1.0), strike=gait.strike * (0.4 if edge else 1.0),
            )
        )  # fmt: skip
    _oscillate(score, gait, begun, landed, period, first, swing)


def _lead(gait: Gait, rng: np.random.Generator) -> int:
    if gait.sideways or gait.turn:
        return 0 if gait.sideways > 0 or (not gait.sideways and gait.turn > 0) else 1
    return int(rng.integers(2))


def _posture(score: Choreography, gait: Gait, start_s: float, end_s: float, ramp: float) -> None:
    held: dict[str, float | tuple[float, ...]] = {
        "crouch": gait.crouch_m,
        "spine_pitch": score.now("spine_pitch")[0] + gait.lean,
    }
    if gait.arms in _ARMS:
        wrist, elbow = _ARMS[gait.arms]
        for side in SIDES:
            held[f"{side}_wrist"], held[f"{side}_elbow"] = wrist, elbow
    for channel, value in held.items():
        score.move(channel, start_s, start_s + ramp, value)
        score.settle(channel, end_s - ramp, end_s + 0.1)


def _oscillate(
    score: Choreography, gait: Gait, start_s: float, end_s: float, period: float, first: int, swing: float
) -> None:
    """Everything that goes with the rhythm of the steps: bob, hips, shoulders, arms."""
    window = envelope(start_s - 0.15, end_s + 0.1, 0.6)
    # At `landing` the foot `first` comes down in front; one step is half a turn of the phase.
    landing = start_s + period
    onward = 1.0 if gait.forward >= 0 else -0.6
    lead = 1.0 if first == 0 else -1.0

    def wave(size: float, per_step: float, shift_s: float = 0.0) -> Layer:
        def layer(times_T: Array) -> Array:
            swung: Array = size * window(times_T) * np.cos(np.pi * per_step * (times_T - landing - shift_s) / period)
            return swung

        return layer

    # Lowest in double support when walking, lowest in the middle of the stance when running.
    low = 0.1 * period if gait.duty > 0.5 else gait.duty * period
    score.add("crouch", wave(gait.bob_m, 2.0, low))
    # The hip of the foot in front is ahead: the left one ahead turns the pelvis right.
    score.add("pelvis_yaw", wave(-lead * onward * gait.twist, 1.0))
    score.add("spine_yaw", wave(lead * onward * gait.twist * 1.9 * swing, 1.0))
    score.add("shift_left", wave(lead * 0.018, 1.0, 0.5 * period))
    score.add("pelvis_roll", wave(-lead * 0.035, 1.0, 0.4 * period))
    if gait.arms not in {"hang", "run"}:
        return
    for side, sign in zip(SIDES, (-lead, lead), strict=True):
        size = gait.arm_swing * swing * sign * onward
        ahead = wave(size, 1.0)
        rise = 0.45 if gait.arms == "run" else 0.12

        def carried(times_T: Array, ahead: Layer = ahead, rise: float = rise) -> Array:
            forth = ahead(times_T)
            return np.stack([-0.1 * np.maximum(forth, 0), rise * forth, forth], axis=-1)

        score.add(f"{side}_wrist", carried)


SPEEDS = ("slow", "normal", "fast")
_SPEED_WORDS = {
    "slow": ("slowly", "at a slow/ADJ pace", "very slowly"),
    "normal": ("", "at a normal pace", "at a steady pace"),
    "fast": ("quickly", "fast", "briskly"),
}


def _speed(rng: np.random.Generator) -> tuple[str, float]:
    name = SPEEDS[int(rng.choice(3, p=[0.33, 0.34, 0.33]))]
    return name, {"slow": 0.55, "normal": 1.0, "fast": 1.5}[name] * rng.uniform(0.92, 1.08)


def _spoken(template: str, speed: str) -> list[str]:
    return [f"{template} {word}" for word in _SPEED_WORDS[speed]]


def _length(rng: np.random.Generator, low: float = 2.2, high: float = 7.0) -> float:
    """Mostly a few seconds, now and then many."""
    return float(low + (high - low) * rng.beta(1.1, 1.9))


def walk(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Walk straight on, slowly, normally or quickly."""
    speed, factor = _speed(rng)
    end = start_s + _length(rng)
    gait = Gait(
        forward=1.05 * factor, cadence=1.95 * factor**0.5, duty=0.62 - 0.05 * (factor - 1), arm_swing=0.33 * factor**0.7
    )
    go(score, gait, start_s, end, rng, who.swing)
    return Done(
        end + 0.25,
        _spoken("walks forward", speed)
        + _spoken("walks straight ahead/ADV", speed)
        + _spoken("is walking/VERB forward", speed),
    )


def walk_back(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Walk backwards."""
    speed, factor = _speed(rng)
    end = start_s + _length(rng, 2.2, 6.0)
    gait = Gait(
        forward=-0.72 * factor,
        cadence=1.6 * factor**0.45,
        arm_swing=0.2,
        push=0.25,
        strike=-0.25,
        lift_m=0.07,
        lean=0.03,
    )
    go(score, gait, start_s, end, rng, who.swing)
    return Done(
        end + 0.25, _spoken("walks backwards", speed) + _spoken("steps backward", speed) + _spoken("backs up", speed)
    )


def run(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Jog or run straight on."""
    quick = rng.random() < 0.5
    end = start_s + _length(rng, 2.0, 4.8)
    speed = rng.uniform(2.6, 3.1) if quick else rng.uniform(1.7, 2.0)
    gait = Gait(
        forward=speed, cadence=3.1 if quick else 2.8, duty=0.28 if quick else 0.36, lift_m=0.3 if quick else 0.2,
        bob_m=0.035, crouch_m=0.06, arms="run", arm_swing=0.3 if quick else 0.22, lean=0.2 if quick else 0.1,
        twist=0.12, push=0.7, strike=0.1,
    )  # fmt: skip
    go(score, gait, start_s, end, rng, who.swing)
    words = (
        ["runs forward fast", "runs quickly in a straight/ADJ line", "runs very fast straight ahead/ADV"]
        if quick
        else ["jogs forward", "jogs slowly straight ahead/ADV", "goes for a slow/ADJ jog/NOUN forward"]
    )
    return Done(end + 0.25, words)


def circle(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Walk in a circle, to the left (counterclockwise seen from above) or to the right."""
    side = SIDES[int(rng.integers(2))]
    running = rng.random() < 0.25
    speed = rng.uniform(1.6, 1.9) if running else rng.uniform(0.8, 1.2)
    end = start_s + _length(rng, 4.0, 8.2)
    angle = (1 if side == "left" else -1) * rng.uniform(1.6 * np.pi, 2.1 * np.pi)
    rate = angle / (end - start_s - 0.5)
    if running:
        gait = Gait(
            forward=speed,
            turn=rate,
            cadence=2.8,
            duty=0.36,
            lift_m=0.2,
            bob_m=0.035,
            crouch_m=0.06,
            arms="run",
            arm_swing=0.22,
            lean=0.1,
            push=0.7,
            strike=0.1,
        )
    else:
        gait = Gait(forward=speed, turn=rate, cadence=1.95)
    go(score, gait, start_s, end, rng, who.swing)
    turned = "counterclockwise" if side == "left" else "clockwise"
    verb, ing = ("jogs", "jog/NOUN") if running else ("walks", "walk/NOUN")
    return Done(
        end + 0.25,
        [
            f"{verb} in a circle {turned}",
            f"{verb} around in a {turned}/ADJ circle",
            f"{verb} in a circle to the {side}/NOUN",
            f"takes a {ing} in a full circle {turned}",
        ],
    )


def curve(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Walk on a bend to one side."""
    side = SIDES[int(rng.integers(2))]
    speed, factor = _speed(rng)
    end = start_s + _length(rng, 2.6, 5.5)
    turn = (1 if side == "left" else -1) * rng.uniform(1.1, 1.7) / (end - start_s - 0.6)
    gait = Gait(forward=1.0 * factor, turn=turn, cadence=1.95 * factor**0.5, arm_swing=0.3 * factor**0.7)
    go(score, gait, start_s, end, rng, who.swing)
    phrases = _spoken(f"walks forward and curves/VERB to the {side}/NOUN", speed)
    return Done(
        end + 0.25,
        phrases
        + _spoken(f"walks in a curve/NOUN to {{their}} {side}/NOUN", speed)
        + _spoken(f"walks along/ADP a curve/NOUN that/PRON bends {side}/ADV", speed),
    )


def sidestep(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Step sideways, facing ahead."""
    side = SIDES[int(rng.integers(2))]
    speed, factor = _speed(rng)
    end = start_s + _length(rng, 2.0, 5.0)
    gait = Gait(
        sideways=(1 if side == "left" else -1) * 0.36 * factor, cadence=1.9 * factor**0.4, arm_swing=0.04, twist=0.02,
        push=0.1, strike=0.0, lift_m=0.07, crouch_m=0.04,
    )  # fmt: skip
    go(score, gait, start_s, end, rng, who.swing)
    phrases = _spoken(f"steps sideways to the {side}/NOUN", speed) + _spoken(
        f"shuffles to {{their}} {side}/NOUN", speed
    )
    return Done(end + 0.25, phrases + _spoken(f"side/NOUN steps to the {side}/NOUN", speed))


def turn(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Turn on the spot by a quarter, a half or the whole way round."""
    side = SIDES[int(rng.integers(2))]
    name, angle = (("quarter", np.pi / 2), ("half", np.pi), ("full", 2 * np.pi))[int(rng.integers(3))]
    slow = rng.random() < 0.5
    rate = (1.3 if slow else 2.4) * rng.uniform(0.92, 1.08) * who.tempo
    begin = start_s + rng.uniform(0.15, 0.5)
    span = angle / rate + 0.4
    end = begin + span
    signed = angle if side == "left" else -angle
    gait = Gait(
        turn=signed / (span - min(0.7, span / 3)),
        cadence=1.9 if slow else 2.4,
        arm_swing=0.05,
        push=0.15,
        strike=0.0,
        lift_m=0.07,
    )
    go(score, gait, begin, end, rng, who.swing)
    pace = "slowly" if slow else "quickly"
    degrees = {"quarter": "90", "half": "180", "full": "360"}[name]
    round_about = {"quarter": "", "half": "around/ADV", "full": "all the way around/ADV"}[name]
    turned = "counterclockwise" if side == "left" else "clockwise"
    phrases = [
        f"{pace} turns {round_about} to the {side}/NOUN",
        f"turns {degrees} degrees to {{their}} {side}/NOUN {pace}",
        f"makes/VERB a {'' if name == 'full' else name + '/ADJ'} {'full' if name == 'full' else ''} turn/NOUN {turned} {pace}",
    ]
    if name == "full":
        phrases.append(f"spins {turned} in place {pace}")
    return Done(end + 0.3, phrases)


def styled_walk(score: Choreography, start_s: float, rng: np.random.Generator, who: Performer) -> Done:
    """Walk in a manner: marching, sneaking, hunched, arms held out, hands on the hips, unsteadily."""
    manner = ("march", "sneak", "hunch", "zombie", "hips", "drunk")[int(rng.integers(6))]
    end = start_s + _length(rng, 2.6, 7.0)
    gaits = {
        "march": Gait(forward=0.85, cadence=1.8, lift_m=0.44, arm_swing=0.5, bob_m=0.01, push=0.3, strike=0.0),
        "sneak": Gait(
            forward=0.5, cadence=1.15, lift_m=0.17, crouch_m=0.15, lean=0.45, arm_swing=0.12, push=0.3, strike=0.0
        ),
        "hunch": Gait(forward=0.6, cadence=1.6, crouch_m=0.06, lean=0.7, arm_swing=0.1, push=0.3, strike=0.1),
        "zombie": Gait(forward=0.65, cadence=1.35, arms="zombie", lift_m=0.06, push=0.3, strike=0.05),
        "hips": Gait(forward=0.95, cadence=1.7, arms="hips", twist=0.12),
        "drunk": Gait(forward=0.65, cadence=1.45, sway=0.42, arm_swing=0.15, lift_m=0.08, push=0.3, strike=0.1),
    }
    phrases = {
        "march": ["marches forward", "marches ahead/ADV lifting {their} knees high", "walks forward raising {their} knees high like a soldier/NOUN"],
        "sneak": ["sneaks forward", "creeps forward slowly with bent/ADJ knees", "sneaks ahead/ADV, crouching/VERB low"],
        "hunch": ["walks forward hunched over", "walks slowly with {their} body bent/ADJ forward", "walks forward like an old/ADJ person, hunched over"],
        "zombie": ["walks forward with both arms stretched out in front", "walks like a zombie with {their} arms out in front of {their} body", "slowly walks ahead/ADV holding both arms straight out"],
        "hips": ["walks forward with {their} hands on {their} hips", "walks ahead/ADV with both hands on {their} waist", "walks forward holding {their} hips with both hands"],
        "drunk": ["walks unsteadily/ADV and sways/VERB from side to side", "stumbles/VERB forward like a drunk/ADJ person", "staggers/VERB forward, swaying/VERB from side to side"],
    }  # fmt: skip
    go(score, gaits[manner], start_s, end, rng, who.swing)
    return Done(end + 0.25, phrases[manner])
