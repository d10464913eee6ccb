"""Who performs: the habits of one synthetic subject, and the ways in which all of them stand alive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motionunion.sample.choreography import SIDES, Array, Choreography, Layer


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
        """An empty script with this performer's resting pose, breathing and sway."""
        arm = (self.arms_out, -float(np.sqrt(0.945 - self.arms_out**2)), rng.uniform(0.02, 0.12))
        rest: dict[str, tuple[float, ...]] = {f"{side}_wrist": arm for side in SIDES}
        rest["spine_pitch"] = (self.posture,)
        rest["head_pitch"] = (0.6 * self.posture,)
        score = Choreography(stance_m=self.stance_m, toe_out=self.toe_out, rest=rest)
        for channel, size in (("spine_pitch", 0.012), ("spine_yaw", 0.02), ("head_yaw", 0.05), ("shift_left", 0.006)):
            score.add(channel, _sway(rng, size))
        return score


def _sway(rng: np.random.Generator, size: float) -> Layer:
    """A slow irregular wave: two sines of unrelated periods."""
    periods, phases = rng.uniform(2.0, 5.0, 2), rng.uniform(0, 2 * np.pi, 2)

    def wave(times_T: Array) -> Array:
        slow: Array = np.sin(2 * np.pi * times_T / periods[0] + phases[0])
        fast: Array = np.sin(2 * np.pi * times_T / periods[1] + phases[1])
        return size * 0.6 * (slow + fast)

    return wave
