"""Who performs: the habits of one synthetic subject, and the small irregularities in which all of them stand alive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motionunion.sample.choreography import CHANNELS, SIDES, Array, Choreography, Layer

# How far targets are missed, and how large the slow sway is: metres, radians, or arm lengths for wrists.
_MISS = {"wrist": 0.05, "elbow": 0.12, "spine_pitch": 0.04, "spine_roll": 0.02, "spine_yaw": 0.04, "head_pitch": 0.05}
_SWAY = {
    "spine_pitch": 0.025, "spine_roll": 0.02, "spine_yaw": 0.045, "head_pitch": 0.05, "head_yaw": 0.14,
    "head_roll": 0.03, "pelvis_yaw": 0.03, "pelvis_roll": 0.015, "shift_left": 0.012, "shift_forward": 0.01,
}  # fmt: skip
_ARM_SWAY = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """Habits that every clip of one subject shares. Lengths in metres, angles in radians."""

    stance_m: float
    toe_out: float
    posture: float
    """How far the spine leans forward at rest."""
    arms_out: float
    """How far the hands hang from the body, in arm lengths."""
    swing: float
    """How lively arms and hips go along; 1 is usual."""
    tempo: float
    """How quickly gestures are made; 1 is usual."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Performer:
        """A random subject."""
        return cls(
            stance_m=rng.uniform(0.08, 0.13),
            toe_out=rng.uniform(0.02, 0.25),
            posture=rng.uniform(-0.03, 0.1),
            arms_out=rng.uniform(0.08, 0.22),
            swing=rng.uniform(0.75, 1.3),
            tempo=rng.uniform(0.88, 1.15),
        )

    def choreography(self, rng: np.random.Generator) -> Choreography:
        """An empty script, with the resting pose of the day, breathing, sway, and targets that are a little missed."""
        rest: dict[str, tuple[float, ...]] = {side_wrist: self._hang(rng) for side_wrist in _wrists()}
        for side in SIDES:
            rest[f"{side}_elbow"] = (rng.uniform(0.1, 0.8), rng.uniform(-0.2, 0.2), -1.0)
        posture = self.posture + rng.normal(0, 0.04)
        rest["spine_pitch"] = (posture,)
        rest["spine_roll"] = (rng.normal(0, 0.02),)
        rest["spine_yaw"] = (rng.normal(0, 0.06),)
        rest["head_pitch"] = (0.6 * posture + rng.normal(0, 0.08),)
        rest["shift_left"] = (rng.normal(0, 0.02),)
        rest["shift_forward"] = (rng.normal(0, 0.012),)
        rest["crouch"] = (abs(rng.normal(0, 0.012)),)
        score = Choreography(
            stance_m=self.stance_m * rng.uniform(0.85, 1.35),
            toe_out=self.toe_out + rng.uniform(-0.05, 0.08),
            stagger_m=rng.normal(0, 0.06),
            rest=rest,
            hand=_missing(rng),
        )
        for channel, size in _SWAY.items():
            score.add(channel, _sway(rng, size))
        for channel in _wrists():
            axes = [_sway(rng, _ARM_SWAY) for _ in range(3)]
            score.add(channel, _together(axes))
        return score

    def _hang(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Where a hand hangs: beside the body, sometimes a little bent forward."""
        out, ahead = self.arms_out + rng.uniform(-0.05, 0.08), rng.uniform(-0.02, 0.22)
        reach = rng.uniform(0.88, 0.98)
        return (out, -float(np.sqrt(reach**2 - out**2 - ahead**2)), ahead)


def _wrists() -> tuple[str, ...]:
    return tuple(f"{side}_wrist" for side in SIDES)


def _missing(rng: np.random.Generator) -> Callable[[str], Array]:
    def miss(channel: str) -> Array:
        size = _MISS.get(channel.removeprefix("left_").removeprefix("right_"), 0.0)
        missed: Array = rng.normal(0.0, size, len(CHANNELS[channel]))
        return missed

    return miss


def _together(axes: list[Layer]) -> Layer:
    return lambda times_T: np.stack([axis(times_T) for axis in axes], axis=-1)


def _sway(rng: np.random.Generator, size: float) -> Layer:
    """A slow irregular wave of about `size`: sines of unrelated periods, the quicker the smaller."""
    periods = np.array([rng.uniform(3.5, 7.0), rng.uniform(1.7, 3.2), rng.uniform(0.7, 1.5)])
    sizes = size * np.array([0.9, 0.5, 0.15])
    phases = rng.uniform(0, 2 * np.pi, 3)

    def wave(times_T: Array) -> Array:
        waves: Array = np.sin(2 * np.pi * times_T[:, None] / periods + phases) @ sizes
        return waves

    return wave
