"""Motion at another rate: rotations are resampled and then posed, positions only where there are no rotations.

Shapes: T frames in, S frames out. Frame k of the result is at k / rate seconds after the first frame; the last one
lies at or before the last frame given.

The rules (`MODES`), which a representation's id names:

- `filtered`, the plain ids': what the lower rate cannot hold is filtered out first (`motionunion.low_pass`); a rate that
  is not lower is as in `compat`.
- `compat`: at integer ratios every n-th frame, from the first, unfiltered; otherwise values at exact times: rotations by
  slerp, roots and positions by cubic interpolation.
- `stride`, published by HumanML3D: every n-th frame, n = int(fps / rate), whatever rate that leaves. 30 and 24 fps then
  pass for 20 as they are, 59.9999886 becomes 30, 250 becomes 20.83 (`EricGuo5513/HumanML3D#176`).

"Integer" is decided on the rate rounded to two decimals, 59.9999886 fps is 60; `stride` takes the rate to all its digits,
as the reference does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.clip import Clip
from motionunion.errors import ClipError, UsageError
from motionunion.low_pass import low_pass, low_pass_rotations
from motionunion.motion import Motion, model_of, posed
from motionunion.skeleton import FloatArray

Array = npt.NDArray[np.float64]

MODES = ("filtered", "compat", "stride")


def integer_ratio(fps: Fraction | float, rate: Fraction | float) -> int | None:
    """How many source frames one frame at `rate` takes, where that is a whole number; else None.

    Raises:
        ClipError: If `fps` is not a positive number.
        UsageError: If `rate` is not.
    """
    if not (np.isfinite(float(fps)) and float(fps) > 0.0):
        raise ClipError(f"a frame rate of {fps} is none; it must be positive", reason="bad_fps")
    if not (np.isfinite(float(rate)) and float(rate) > 0.0):
        raise UsageError(f"rate: must be positive, got {rate}")
    ratio = Fraction(round(float(fps) * 100), 100) / Fraction(rate)
    return int(ratio) if ratio.denominator == 1 and ratio > 0 else None


def step_of(fps: Fraction | float, rate: Fraction | float, mode: str) -> Fraction:
    """How many source frames one frame at `rate` takes by the rule `mode`; need not be whole.

    Raises:
        ClipError: If `fps` is not a positive number; `too_slow` where `stride` leaves none, which crashes the reference.
        UsageError: If `rate` or `mode` is none.
    """
    _check_mode(mode)
    whole = integer_ratio(fps, rate)
    exact = Fraction(fps) / Fraction(rate)
    if mode == "stride":
        if exact < 1:
            raise ClipError(
                f"{float(fps):g} frames a second are fewer than {float(rate):g}, and taking every n-th frame cannot make more: "
                "take a representation that interpolates",
                reason="too_slow",
            )
        return Fraction(int(exact))
    return exact if whole is None else Fraction(whole)


def frames_at(frames: int, fps: Fraction | float, rate: Fraction | float, *, mode: str = "compat") -> int:
    """How many frames at `rate` come out of `frames` frames at `fps`; errors are those of `step_of`."""
    step = step_of(fps, rate, mode)
    return int((frames - 1) / step) + 1 if frames else 0


def stated_fps(clip: Clip) -> Fraction:
    """The rate that the clip's file states, to all its digits; `fps` may be rounded (59.9999886 is 60)."""
    return Fraction(float(clip.labels["stated_fps"])) if "stated_fps" in clip.labels else clip.fps


def joints_at(
    clip: Clip, rate: Fraction | float, *, frames: tuple[int, int] | None = None, mode: str = "compat"
) -> Array:
    """World joints (S, 22, 3) of a clip at `rate`, metres, +Y up; arguments and errors are those of `motion_at`."""
    return np.asarray(motion_at(clip, rate, frames=frames, mode=mode, tracks=False).joints_T22x3, dtype=np.float64)


def motion_at(
    clip: Clip,
    rate: Fraction | float,
    *,
    frames: tuple[int, int] | None = None,
    mode: str = "compat",
    tracks: bool = True,
) -> Motion:
    """A clip, or a part of it, at `rate`.

    Args:
        clip: With rotations, these and the root are resampled, then posed; interpolated positions bend bones by up to
            4 %. Without, its joints are resampled.
        rate: Frames per second wanted.
        frames: Half-open interval of the clip's own frames; its `valid` interval where None. Nothing outside is used.
        mode: A name of `MODES`.
        tracks: Take hands and face along.

    Raises:
        ClipError: If the interval is empty or leaves the clip.
    """
    fps = stated_fps(clip) if mode == "stride" else clip.fps
    start, stop = clip.valid if frames is None else frames
    if not 0 <= start < stop <= clip.frames:
        raise ClipError(
            f"{clip.key}: frames {start} to {stop} of a clip of {clip.frames} frames", reason="empty_interval"
        )
    if clip.joints_T22x3 is not None:
        joints = joints_to_rate(clip.joints_T22x3[start:stop], fps, rate, mode=mode)
        return Motion(fps=Fraction(rate), joints_T22x3=joints)
    if clip.rotvecs_T22x3 is None or clip.root_T3 is None or clip.offsets_22x3 is None:
        raise ClipError(f"{clip.key}: has neither joints nor rotations, root and offsets", reason="no_motion")
    times = _Times.of(stop - start, fps, rate, mode)
    hands = None if clip.hands_T90 is None or not tracks else times.rotvecs(clip.hands_T90[start:stop])
    face = {name: track[start:stop] for name, track in clip.face.items()} if tracks else {}
    return posed(
        Fraction(rate),
        times.values(clip.root_T3[start:stop]),
        times.quats_of_rotvecs(clip.rotvecs_T22x3[start:stop]),
        clip.offsets_22x3,
        model=model_of(clip),
        betas=clip.betas,
        gender=clip.gender,
        hands_T90=hands,
        face=times.face(face),
    )


def to_rate(motion: Motion, rate: Fraction | float, *, mode: str = "compat") -> Motion:
    """A motion at another rate, by the same rules as `motion_at`."""
    if motion.quats_T22x4 is None or motion.root_T3 is None or motion.offsets_22x3 is None:
        joints = joints_to_rate(motion.joints_T22x3, motion.fps, rate, mode=mode)
        return replace(motion, fps=Fraction(rate), joints_T22x3=joints)
    if step_of(motion.fps, rate, mode) == 1:
        # Not posed again: joints that the rotations reproduce only nearly stay what they are.
        return replace(motion, fps=Fraction(rate))
    times = _Times.of(motion.frames, motion.fps, rate, mode)
    return posed(
        Fraction(rate),
        times.values(motion.root_T3),
        times.quats(np.asarray(motion.quats_T22x4, dtype=np.float64)),
        motion.offsets_22x3,
        model=motion.model,
        betas=motion.betas,
        gender=motion.gender,
        hands_T90=None if motion.hands_T90 is None else times.rotvecs(motion.hands_T90),
        face=times.face(motion.face),
    )


def joints_to_rate(
    joints_TJ3: FloatArray, fps: Fraction | float, rate: Fraction | float, *, mode: str = "compat"
) -> Array:
    """Joints (T, J, 3) at `fps` to (S, J, 3) at `rate`, by position."""
    return _Times.of(len(joints_TJ3), fps, rate, mode).values(joints_TJ3)


@dataclass(frozen=True, slots=True)
class _Times:
    """Where the frames wanted lie among those given: each is one of them, a mean around its time, or between two."""

    step: Fraction
    """Source frames that one frame of the result takes."""
    count: int
    """Frames of the result."""
    filtered: bool

    @staticmethod
    def of(frames: int, fps: Fraction | float, rate: Fraction | float, mode: str) -> _Times:
        step = step_of(fps, rate, mode)
        return _Times(step, frames_at(frames, fps, rate, mode=mode), mode == "filtered" and step > 1)

    @property
    def stride(self) -> int | None:
        """Take every n-th frame as it is; None where values have to be computed."""
        return int(self.step) if self.step.denominator == 1 and not self.filtered else None

    def values(self, values: FloatArray) -> Array:
        """Positions and other numbers (T, ...) that may be averaged."""
        if self.filtered:
            return low_pass(values, self.step, self.count)
        if self.stride is not None:
            return np.asarray(values[:: self.stride], dtype=np.float64)
        return _cubic(values, *self._between())

    def quats(self, quats: Array) -> Array:
        """Rotations (T, J, 4)."""
        if self.filtered:
            return low_pass_rotations(quats, self.step, self.count)
        if self.stride is not None:
            return quats[:: self.stride]
        index, weight = self._between()
        return rotation.slerp(quats[index], quats[np.minimum(index + 1, len(quats) - 1)], weight[:, None])

    def _between(self) -> tuple[npt.NDArray[np.int64], Array]:
        """For each frame wanted: the source frame at or before it, and how far it is towards the next one."""
        # In whole numbers: k * step would drift by a frame in long clips if its floor were taken in floating point.
        whole = [divmod(k * self.step.numerator, self.step.denominator) for k in range(self.count)]
        index = np.array([quotient for quotient, _ in whole], dtype=np.int64)
        return index, np.array([rest / self.step.denominator for _, rest in whole])

    def quats_of_rotvecs(self, rotvecs: FloatArray) -> Array:
        """Rotations (T, J, 3) as quaternions; of those that are left out none is converted."""
        if self.stride is not None:
            return rotation.from_rotvec(rotvecs[:: self.stride])
        return self.quats(rotation.from_rotvec(rotvecs))

    def rotvecs(self, rotvecs: FloatArray) -> FloatArray:
        """Axis-angle tracks (T, 3 J), such as fingers."""
        if self.stride is not None:
            return rotvecs[:: self.stride]
        turned = rotation.to_rotvec(self.quats_of_rotvecs(rotvecs.reshape(len(rotvecs), -1, 3)))
        return turned.reshape(len(turned), -1)

    def face(self, face: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Jaw and eyes turn, an expression is a sum of shapes."""
        return {
            name: self.values(track) if name == "expression" else self.rotvecs(track) for name, track in face.items()
        }


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise UsageError(f"resampling {mode!r} is not known; there is: {', '.join(MODES)}")


def _cubic(values: FloatArray, index: npt.NDArray[np.int64], weight: Array) -> Array:
    """Catmull-Rom interpolation over the first axis; beyond the ends the line through the last two goes on."""
    known = np.asarray(values, dtype=np.float64)
    if len(known) == 1:
        return known[index]
    padded = np.concatenate([2 * known[:1] - known[1:2], known, 2 * known[-1:] - known[-2:-1], known[-1:]])
    t = weight.reshape(-1, *(1,) * (known.ndim - 1))
    before, here, after, later = (padded[index + shift] for shift in range(4))
    slope_here, slope_after = 0.5 * (after - before), 0.5 * (later - here)
    curve: Array = (
        here
        + t * slope_here
        + t**2 * (3 * (after - here) - 2 * slope_here - slope_after)
        + t**3 * (2 * (here - after) + slope_here + slope_after)
    )
    return curve
