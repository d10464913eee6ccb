"""Representations: motion to feature vectors and back, by id (`hml263@20/compat`).

features = encode(joints_TJ3, "hml263@20/compat", fps=20)
joints = decode(features, "hml263@20/compat")
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import overload

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError, UsageError
from motionunion.motion import Motion
from motionunion.representations.registry import Representation, RepresentationError
from motionunion.representations.registry import get as get_representation
from motionunion.resample import to_rate
from motionunion.skeleton import FloatArray

__all__ = ["Representation", "RepresentationError", "decode", "decode_motion", "encode", "get_representation"]

Float32 = npt.NDArray[np.float32]


@overload
def encode(motion: FloatArray, representation: str, *, fps: Fraction | float) -> Float32: ...
@overload
def encode(motion: Motion, representation: str) -> Float32: ...
@overload
def encode(motion: Sequence[FloatArray], representation: str, *, fps: Fraction | float) -> list[Float32]: ...
@overload
def encode(motion: Sequence[Motion], representation: str) -> list[Float32]: ...
def encode(
    motion: FloatArray | Motion | Sequence[FloatArray] | Sequence[Motion],
    representation: str,
    *,
    fps: Fraction | float | None = None,
) -> Float32 | list[Float32]:
    """Features of world joints, or of motions with rotations.

    Motion at another rate than the representation's is resampled by its rule (`motionunion.resample`): rotations are, and
    then posed, where there are any; joints by position.

    Args:
        motion: Joints (T, 22, 3) in SMPL-22 order, metres, +Y up; or a `Motion` (`motionunion.resample.motion_at` makes one of
            a clip), which representations of rotations need; or a list of either, which is faster than one by one and
            gives the same values.
        representation: An id, e.g. `hml263@20/compat`.
        fps: Frames per second of joints; a `Motion` knows its own.

    Returns:
        float32 (R, D), or a list of such. R is T - 1 for `hml263@20/compat` at 20 fps.

    Raises:
        RepresentationError: If the id is not known.
        ClipError: If joints have another shape, too few frames, or values that are not finite; `no_rotations` where the
            representation needs some.
        UsageError: If joints come without a frame rate.
    """
    entry = get_representation(representation)
    single = isinstance(motion, (np.ndarray, Motion))
    given: list[FloatArray | Motion] = [motion] if isinstance(motion, (np.ndarray, Motion)) else [*motion]
    motions = [to_rate(_as_motion(each, fps), entry.rate, mode=entry.resampling) for each in given]
    encoded = entry.encode_batch(motions)
    return encoded[0] if single else encoded


def _as_motion(motion: FloatArray | Motion, fps: Fraction | float | None) -> Motion:
    if isinstance(motion, Motion):
        return motion
    if motion.ndim != 3:
        raise ClipError(f"joints have shape {motion.shape}, expected (frames, 22, 3)", reason="bad_shape")
    if fps is None:
        raise UsageError("fps: joints alone do not say how many frames there are in a second; give it")
    if not (np.isfinite(float(fps)) and fps > 0):
        raise ClipError(f"a frame rate of {fps} is none; it must be positive", reason="bad_fps")
    return Motion(fps=Fraction(fps), joints_T22x3=motion)


@overload
def decode(features: FloatArray, representation: str) -> Float32: ...
@overload
def decode(features: Sequence[FloatArray], representation: str) -> list[Float32]: ...
def decode(features: FloatArray | Sequence[FloatArray], representation: str) -> Float32 | list[Float32]:
    """World joints (R, 22, 3) of features (R, D), or a list of such: metres, +Y up, at the representation's rate.

    `decode_motion` gives rotations too, where the representation holds them.

    Raises:
        RepresentationError: If the id is not known.
        ClipError: If features have another shape.
    """
    if isinstance(features, np.ndarray):
        return decode_motion(features, representation).joints_T22x3.astype(np.float32, copy=False)
    return [motion.joints_T22x3.astype(np.float32, copy=False) for motion in decode_motion(features, representation)]


@overload
def decode_motion(features: FloatArray, representation: str) -> Motion: ...
@overload
def decode_motion(features: Sequence[FloatArray], representation: str) -> list[Motion]: ...
def decode_motion(features: FloatArray | Sequence[FloatArray], representation: str) -> Motion | list[Motion]:
    """The motion (R frames at the representation's rate) that features (R, D) hold, or a list of such.

    Raises:
        RepresentationError: If the id is not known.
        ClipError: If features have another shape.
    """
    entry = get_representation(representation)
    if isinstance(features, np.ndarray):
        return entry.decode_batch([features])[0]
    return entry.decode_batch(list(features))
