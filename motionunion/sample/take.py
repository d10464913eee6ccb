"""One recorded take: a subject performs one or two actions, and what there is to say about each part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motionunion import rotation
from motionunion.sample import exercises, gestures, jumps, locomotion
from motionunion.sample.choreography import Array, Choreography
from motionunion.sample.locomotion import Done
from motionunion.sample.performer import Performer
from motionunion.sample.posing import Performance, pose_body
from motionunion.sample.wording import Sentence, describe
from motionunion.skeleton import FloatArray

Action = Callable[[Choreography, float, np.random.Generator, Performer], Done]

ACTIONS: dict[str, Action] = {
    action.__name__: action
    for action in (
        locomotion.walk, locomotion.walk_back, locomotion.run, locomotion.circle, locomotion.curve,
        locomotion.sidestep, locomotion.turn, locomotion.styled_walk,
        gestures.wave, gestures.punch, gestures.throw, gestures.raise_arms, gestures.pick_up, gestures.clap,
        exercises.squat, exercises.sit_down, exercises.stand_up, exercises.kick, exercises.balance, exercises.bow,
        jumps.jump, jumps.hop, jumps.jumping_jacks,
    )
}  # fmt: skip
GAITS = frozenset(("walk", "walk_back", "run", "circle", "curve", "sidestep", "turn", "styled_walk"))
GESTURES = frozenset(("wave", "punch", "throw", "raise_arms", "pick_up", "clap"))
ONLY_FIRST = frozenset(("stand_up",))  # begins on a seat
ONLY_LAST = frozenset(("sit_down",))  # may end on one

FRAME_RATE = 20
"""Frames per second in which HumanML3D counts, and in which the parts of a take are cut."""
SHORTEST_S, LONGEST_S = 2.1, 9.8
"""HumanML3D keeps 40 to 199 frames; the encoder loses one."""

_RUNNING_IN_S = 1.1  # a take of a gait may begin and end in mid-stride: so much of it is not recorded
_CROPPED = frozenset(("walk", "walk_back", "run", "styled_walk"))
_ATTEMPTS = 200


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a take that has captions of its own: half-open, in frames at 20 per second."""

    start: int
    end: int
    captions: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """A finished script of `seconds`, recorded from time 0, its captioned parts, and where in the room it happens."""

    score: Choreography
    seconds: float
    parts: tuple[Part, ...]
    facing: float
    """Heading at time 0, radians to the left of +Z."""
    place: tuple[float, float]
    """Ground position (x, z) at time 0."""

    def perform(self, fps: float, offsets_22x3: FloatArray) -> Performance:
        """Pose every frame at `fps` on a body with the given rest offsets; world +Y up, metres."""
        times: Array = np.arange(int(self.seconds * fps + 1e-6)) / fps
        posed = pose_body(self.score, times, self.seconds, offsets_22x3)
        turned = np.array([np.cos(self.facing / 2), 0.0, np.sin(self.facing / 2), 0.0])
        root = rotation.rotate(turned, posed.root_T3) + np.array([self.place[0], 0.0, self.place[1]])
        quats = posed.quats_T22x4.copy()
        quats[:, 0] = rotation.multiply(turned, quats[:, 0])
        return Performance(root, quats, posed.planted_T2)


def rehearse(actions: tuple[str, ...], apart: bool, rng: np.random.Generator, who: Performer) -> Take:
    """Write a take of one action, or of two in a row.

    Args:
        actions: Names out of `ACTIONS`.
        apart: Two actions are two parts with their own captions, rather than one part with joint captions.
        rng: Every random choice comes from it.
        who: The subject.

    A draw that comes out too short or too long is drawn again.
    """
    for _ in range(_ATTEMPTS):
        take = _draw(actions, apart, rng, who)
        if all(SHORTEST_S <= (part.end - part.start) / FRAME_RATE <= LONGEST_S for part in take.parts):
            return take
    raise ValueError(f"sample: no take of {' and '.join(actions)} fits {SHORTEST_S} to {LONGEST_S} s")


def _draw(actions: tuple[str, ...], apart: bool, rng: np.random.Generator, who: Performer) -> Take:
    score = who.choreography(rng)
    cropped = len(actions) == 1 and actions[0] in _CROPPED and rng.random() < 0.45
    clock = -_RUNNING_IN_S if cropped else rng.uniform(0.1, 0.4)
    ends, phrases = [], []
    for name in actions:
        done = ACTIONS[name](score, clock, rng, who)
        phrases.append(done.phrases)
        clock = done.end_s + rng.uniform(0.1, 0.4)
        ends.append(clock)
    seconds = ends[-1] - _RUNNING_IN_S - 0.3 if cropped else ends[-1]
    frames = int(seconds * FRAME_RATE)
    if apart:
        cut = int(ends[0] * FRAME_RATE)
        spans = [(0, cut), (cut, frames)]
        told = [describe([words], rng) for words in phrases]
    else:
        spans, told = [(0, frames)], [describe(phrases, rng)]
    parts = tuple(Part(start, end, tuple(said)) for (start, end), said in zip(spans, told, strict=True))
    facing, place = rng.uniform(-np.pi, np.pi), (rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5))
    return Take(score, frames / FRAME_RATE, parts, facing, place)
