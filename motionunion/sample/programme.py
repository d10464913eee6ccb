"""What is recorded: which subject performs what, in which file, on which side of the split. A pure function of the seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from motionunion.sample.performer import Performer
from motionunion.sample.take import ACTIONS, GAITS, GESTURES, ONLY_FIRST, ONLY_LAST, Take, rehearse

SUBJECTS = 12
_SHARES = {"test": 0.19, "val": 0.06}
_COMBINED, _APART = 0.12, 0.16  # shares of files with two actions under one caption, and with two captioned parts
# How often an action comes by; 1 where nothing is said. Walking is what most recordings hold.
_WEIGHTS = {"walk": 3, "styled_walk": 2, "turn": 2, "run": 2, "wave": 2, "kick": 2, "jump": 2, "raise_arms": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file to come. Plain values: it crosses process borders."""

    number: int
    seed: int
    subset: str
    subject: int
    name: str
    """File name without its suffix."""
    fps: float
    actions: tuple[str, ...]
    apart: bool
    split: str
    clips: tuple[str, ...]
    """Names of its captioned parts, `900000` and on: above HumanML3D's own numbers."""

    @property
    def address(self) -> str:
        """`<subset>/<subject>/<name>`, as AMASS names files."""
        return f"{self.subset}/s{self.subject:02d}/{self.name}"

    def take(self) -> Take:
        """Write the script of this recording."""
        who = Performer.draw(np.random.default_rng([self.seed, 1, self.subject]))
        return rehearse(self.actions, self.apart, np.random.default_rng([self.seed, 2, self.number]), who)


def split_sizes(clips: int) -> dict[str, int]:
    """How many captioned clips go to which split; no split is empty from three clips on."""
    sizes = {split: max(1, round(clips * share)) for split, share in _SHARES.items()}
    return {"train": clips - sum(sizes.values()), **sizes}


def plan(clips: int, seed: int, *, first: int = 900_000, prefix: str = "Synthetic") -> list[Recording]:
    """Lay out the recordings that hold `clips` captioned clips.

    Every split goes through all actions in a shuffled order of its own, so that each holds a fair share of each.
    """
    rng = np.random.default_rng([seed, 0, first])
    recordings: list[Recording] = []
    named = first
    for split, size in split_sizes(clips).items():
        actions = _endless(rng)
        left = size
        while left:
            chance = rng.random()
            pair = chance < _COMBINED + _APART
            apart = pair and chance >= _COMBINED and left >= 2
            chosen = _two(actions) if pair else (next(actions),)
            count = 2 if apart else 1
            subset, fps = _subset(chosen[0])
            recordings.append(
                Recording(
                    number=named, seed=seed, subset=f"{prefix}_{subset}", subject=int(rng.integers(1, SUBJECTS + 1)),
                    name=f"{'_and_'.join(chosen)}_{len(recordings):04d}", fps=fps, actions=chosen, apart=apart,
                    split=split, clips=tuple(f"{named + part:06d}" for part in range(count)),
                )
            )  # fmt: skip
            named, left = named + count, left - count
    return recordings


def _endless(rng: np.random.Generator) -> Iterator[str]:
    deck = [name for name in ACTIONS for _ in range(_WEIGHTS.get(name, 1))]
    while True:
        for index in rng.permutation(len(deck)):
            yield deck[index]


def _two(actions: Iterator[str]) -> tuple[str, str]:
    first = next(name for name in actions if name not in ONLY_LAST)
    return first, next(name for name in actions if name not in ONLY_FIRST and name != first)


def _subset(action: str) -> tuple[str, float]:
    if action in GAITS:
        return "Gaits", 120.0
    return ("Gestures", 100.0) if action in GESTURES else ("Exercises", 120.0)
