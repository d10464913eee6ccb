"""What a performer does, written down as channels over time: keys joined by minimum-jerk moves, layers on top, steps.

Frame of all values: +Y up, facing +Z, left +X; lengths in metres, angles in radians, times in seconds. Limb targets are
written (outward, up, forward), so that one script serves both sides. The frame that limbs are written in turns with the
performer's heading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Layer = Callable[[Array], Array]

SIDES = ("left", "right")

# Channel name -> resting value. Speeds are m/s and rad/s; `heading` is added to the integral of `turn`.
# A positive `turn`, `heading`, `*_yaw` turns left; a positive `*_pitch` bends forward; `*_roll` leans right.
CHANNELS: dict[str, tuple[float, ...]] = {
    "forward": (0.0,), "sideways": (0.0,), "turn": (0.0,), "heading": (0.0,),
    "crouch": (0.0,), "air": (0.0,), "shift_left": (0.0,), "shift_forward": (0.0,),
    "pelvis_pitch": (0.0,), "pelvis_roll": (0.0,), "pelvis_yaw": (0.0,),
    "spine_pitch": (0.0,), "spine_roll": (0.0,), "spine_yaw": (0.0,),
    "head_pitch": (0.0,), "head_roll": (0.0,), "head_yaw": (0.0,),
    "left_wrist": (0.14, -0.93, 0.06), "right_wrist": (0.14, -0.93, 0.06),
    "left_elbow": (0.35, 0.0, -1.0), "right_elbow": (0.35, 0.0, -1.0),
    "left_foot": (0.0, 0.0, 0.0), "right_foot": (0.0, 0.0, 0.0),
    "left_toe_up": (0.0,), "right_toe_up": (0.0,),
    "left_knee_out": (0.1,), "right_knee_out": (0.1,),
}  # fmt: skip

_ARCS = frozenset(("left_wrist", "right_wrist"))


def minimum_jerk(fraction: npt.ArrayLike) -> Array:
    """Progress 0..1 of a point-to-point movement (Flash and Hogan 1985), flat outside 0..1."""
    u = np.clip(np.asarray(fraction, dtype=np.float64), 0.0, 1.0)
    progress: Array = u * u * u * (10.0 + u * (-15.0 + 6.0 * u))
    return progress


def envelope(start_s: float, end_s: float, ramp_s: float) -> Layer:
    """A window that rises over `ramp_s` from `start_s` and has fallen by `end_s`."""
    ramp = min(ramp_s, (end_s - start_s) / 2)
    return lambda t: minimum_jerk((t - start_s) / ramp) * minimum_jerk((end_s - t) / ramp)


def _straight(start: Array, end: Array, progress: Array) -> Array:
    along: Array = start + progress * (end - start)
    return along


def _swing(start: Array, end: Array, progress: Array) -> Array:
    """Turn from one direction to the other while the length changes evenly: hands swing round a shoulder, never through it."""
    near, far = np.linalg.norm(start, axis=-1, keepdims=True), np.linalg.norm(end, axis=-1, keepdims=True)
    a, b = start / near, end / far
    angle = np.arccos(np.clip(np.sum(a * b, axis=-1, keepdims=True), -1.0, 1.0))
    sine = np.maximum(np.sin(angle), 1e-6)
    turned = (np.sin((1 - progress) * angle) * a + np.sin(progress * angle) * b) / sine
    direction = np.where(angle < 1e-4, a, turned)
    swung: Array = direction * (near + progress * (far - near))
    return swung


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One foot leaves the ground and comes down elsewhere; where, follows from the path of the body."""

    foot: str
    lift_s: float
    land_s: float
    height_m: float = 0.08
    push: float = 0.0
    """How far the heel rises before the foot leaves, radians."""
    strike: float = 0.0
    """How far the toes are up when the foot lands, radians."""
    ballistic: bool = False
    """Both bodies in flight: even speed over ground, parabola above it."""


@dataclass(slots=True)
class Choreography:
    """A script under construction. Actions append to it in order of time; `posing.pose_body` performs it."""

    stance_m: float = 0.1
    """Half the distance between the feet when standing."""
    toe_out: float = 0.12
    """How far each foot points outward, radians."""
    keys: dict[str, list[tuple[float, tuple[float, ...]]]] = field(default_factory=dict)
    layers: list[tuple[str, Layer]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    rest: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """This performer's own resting values, over those of `CHANNELS`."""
    stagger_m: float = 0.0
    """How far the left foot stands ahead of the right one at rest."""
    hand: Callable[[str], npt.ArrayLike] = field(default=lambda _channel: 0.0)
    """What a move misses its target by: nobody reaches the same point twice."""

    def resting(self, channel: str) -> tuple[float, ...]:
        """Where a channel stands when nothing is asked of it."""
        return self.rest.get(channel, CHANNELS[channel])

    def now(self, channel: str) -> tuple[float, ...]:
        """Where the last move left a channel."""
        return self.keys[channel][-1][1] if self.keys.get(channel) else self.resting(channel)

    def move(self, channel: str, start_s: float, end_s: float, value: float | Sequence[float]) -> None:
        """Bring a channel from where it is to `value` between two times; it stays there afterwards."""
        target = (float(value),) if isinstance(value, int | float) else tuple(float(v) for v in value)
        if len(target) != len(CHANNELS[channel]):
            raise ValueError(f"choreography: {channel} takes {len(CHANNELS[channel])} values, got {len(target)}")
        keys = self.keys.setdefault(channel, [])
        begun = self.now(channel)
        if keys and start_s < keys[-1][0] - 1e-9:
            raise ValueError(
                f"choreography: {channel} moves at {start_s:.2f} s while still moving to {keys[-1][0]:.2f} s"
            )
        keys.append((start_s, begun))
        missed = np.asarray(target) + self.hand(channel)
        keys.append((end_s, tuple(float(v) for v in missed)))

    def settle(self, channel: str, start_s: float, end_s: float) -> None:
        """Bring a channel back to rest."""
        self.move(channel, start_s, end_s, self.resting(channel))

    def add(self, channel: str, layer: Layer) -> None:
        """Add a function of time on top of a channel's keys; it gives (T,) or (T, n)."""
        self.layers.append((channel, layer))

    def evaluate(self, channel: str, times_T: Array) -> Array:
        """Values of a channel, (T, n)."""
        keys = self.keys.get(channel) or [(0.0, self.resting(channel))]
        moments = np.array([key[0] for key in keys])
        values = np.array([key[1] for key in keys])
        after = np.clip(np.searchsorted(moments, times_T, side="right"), 1, len(moments) - 1) if len(keys) > 1 else None
        if after is None:
            track = np.repeat(values, len(times_T), axis=0)
        else:
            span = np.maximum(moments[after] - moments[after - 1], 1e-9)
            progress = minimum_jerk((times_T - moments[after - 1]) / span)[:, None]
            blend = _swing if channel in _ARCS else _straight
            track = blend(values[after - 1], values[after], progress)
        for name, layer in self.layers:
            if name == channel:
                added = layer(times_T)
                track = track + (added[:, None] if added.ndim == 1 else added)
        return track

    def scalar(self, channel: str, times_T: Array) -> Array:
        """Values of a channel that has one, (T,)."""
        return self.evaluate(channel, times_T)[:, 0]
