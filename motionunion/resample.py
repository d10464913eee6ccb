"""Motion at another rate: rotations are resampled and then posed, positions only where there are no rotations.

Shapes: T frames in, S frames out. Frame k of the result is at k / rate seconds after the first frame; the last one
lies at or before the last frame given.

`compat` is the one rule so far: at integer ratios every n-th frame, from the first, unfiltered; otherwise values at
exact times: rotations by slerp, roots and positions by cubic interpolation. "Integer" is decided on the rate rounded to
two decimals: 59.9999886 fps is 60.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from motionunion import kinematics, rotation
from motionunion.clip import Clip
from motionunion.errors import ClipError, UsageError
from motionunion.skeleton import SMPL22_PARENTS, FloatArray

Array = npt.NDArray[np.float64]

MODES = ("compat",)


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


def frames_at(frames: int, fps: Fraction | float, rate: Fraction | float) -> int:
    """How many frames at `rate` come out of `frames` frames at `fps`."""
    if frames == 0:
        return 0
    stride = integer_ratio(fps, rate)
    step = Fraction(stride) if stride is not None else Fraction(fps) / Fraction(rate)
    return int((frames - 1) / step) + 1


def joints_at(
    clip: Clip, rate: Fraction | float, *, frames: tuple[int, int] | None = None, mode: str = "compat"
) -> Array:
    """World joints (S, 22, 3) of a clip at `rate`, metres, +Y up.

    Args:
        clip: With rotations, these and the root are resampled, then posed; interpolated positions bend bones by up to
            4 %. Without, its joints are resampled.
        rate: Frames per second wanted.
        frames: Half-open interval of the clip's own frames; its `valid` interval where None. Nothing outside is used.
        mode: A name of `MODES`.

    Raises:
        ClipError: If the interval is empty or leaves the clip.
    """
    _check_mode(mode)
    start, stop = clip.valid if frames is None else frames
    if not 0 <= start < stop <= clip.frames:
        raise ClipError(
            f"{clip.key}: frames {start} to {stop} of a clip of {clip.frames} frames", reason="empty_interval"
        )
    stride = integer_ratio(clip.fps, rate)
    if clip.joints_T22x3 is not None:
        return joints_to_rate(clip.joints_T22x3[start:stop], clip.fps, rate, mode=mode)
    if clip.rotvecs_T22x3 is None or clip.root_T3 is None or clip.offsets_22x3 is None:
        raise ClipError(f"{clip.key}: has neither joints nor rotations, root and offsets", reason="no_motion")
    rotvecs, root = clip.rotvecs_T22x3[start:stop], clip.root_T3[start:stop].astype(np.float64)
    if stride is not None:
        quats, root = rotation.from_rotvec(rotvecs[::stride]), root[::stride]
    else:
        index, weight = _positions(stop - start, clip.fps, rate)
        after = np.minimum(index + 1, stop - start - 1)
        quats = rotation.slerp(
            rotation.from_rotvec(rotvecs[index]), rotation.from_rotvec(rotvecs[after]), weight[:, None]
        )
        root = _cubic(root, index, weight)
    return kinematics.forward_kinematics(root, quats, clip.offsets_22x3, SMPL22_PARENTS)


def joints_to_rate(
    joints_TJ3: FloatArray, fps: Fraction | float, rate: Fraction | float, *, mode: str = "compat"
) -> Array:
    """Joints (T, J, 3) at `fps` to (S, J, 3) at `rate`, by position."""
    _check_mode(mode)
    stride = integer_ratio(fps, rate)
    if stride is not None:
        return np.asarray(joints_TJ3[::stride], dtype=np.float64)
    index, weight = _positions(len(joints_TJ3), fps, rate)
    return _cubic(joints_TJ3, index, weight)


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise UsageError(f"resampling {mode!r} is not known; there is: {', '.join(MODES)}")


def _positions(frames: int, fps: Fraction | float, rate: Fraction | float) -> tuple[npt.NDArray[np.int64], Array]:
    """For each frame of the result: the source frame at or before it, and how far it is towards the next one."""
    step = Fraction(fps) / Fraction(rate)
    count = frames_at(frames, fps, rate)
    # In whole numbers: k * step would drift by a frame in long clips if its floor were taken in floating point.
    whole = [divmod(k * step.numerator, step.denominator) for k in range(count)]
    index = np.array([quotient for quotient, _ in whole], dtype=np.int64)
    weight = np.array([rest / step.denominator for _, rest in whole])
    return index, weight


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
