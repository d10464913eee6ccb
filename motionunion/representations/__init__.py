"""Representations: joints to feature vectors and back, by id (`hml263@20/compat`).

features = encode(joints_TJ3, "hml263@20/compat", fps=20)
joints = decode(features, "hml263@20/compat")
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import overload

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError
from motionunion.representations.registry import Representation, RepresentationError
from motionunion.representations.registry import get as get_representation
from motionunion.resample import joints_to_rate
from motionunion.skeleton import FloatArray

__all__ = ["Representation", "RepresentationError", "decode", "encode", "get_representation"]

Float32 = npt.NDArray[np.float32]


@overload
def encode(joints: FloatArray, representation: str, *, fps: Fraction | float) -> Float32: ...
@overload
def encode(joints: Sequence[FloatArray], representation: str, *, fps: Fraction | float) -> list[Float32]: ...
def encode(
    joints: FloatArray | Sequence[FloatArray], representation: str, *, fps: Fraction | float
) -> Float32 | list[Float32]:
    """Features of world joints.

    Joints at another rate than the representation's are resampled by its rule (`motionunion.resample`), by position.
    Where rotations exist, resample those and pose them: `motionunion.resample.joints_at` does.

    Args:
        joints: (T, 22, 3) in SMPL-22 order, metres, +Y up; or a list of such, which is faster than one by one and gives
            the same values.
        representation: An id, e.g. `hml263@20/compat`.
        fps: Frames per second of `joints`.

    Returns:
        float32 (R, D), or a list of such. R is T - 1 for `hml263@20/compat` at 20 fps.

    Raises:
        RepresentationError: If the id is not known.
        ClipError: If joints have another shape, too few frames, or values that are not finite.
    """
    entry = get_representation(representation)
    single = isinstance(joints, np.ndarray)
    clips = [joints] if isinstance(joints, np.ndarray) else list(joints)
    for clip in clips:
        if clip.ndim != 3:
            raise ClipError(f"joints have shape {clip.shape}, expected (frames, 22, 3)", reason="bad_shape")
    encoded = entry.encode_batch([joints_to_rate(clip, fps, entry.rate, mode=entry.resampling) for clip in clips])
    return encoded[0] if single else encoded


@overload
def decode(features: FloatArray, representation: str) -> Float32: ...
@overload
def decode(features: Sequence[FloatArray], representation: str) -> list[Float32]: ...
def decode(features: FloatArray | Sequence[FloatArray], representation: str) -> Float32 | list[Float32]:
    """World joints (R, 22, 3) of features (R, D), or a list of such: metres, +Y up, at the representation's rate.

    Raises:
        RepresentationError: If the id is not known.
        ClipError: If features have another shape.
    """
    entry = get_representation(representation)
    if isinstance(features, np.ndarray):
        return entry.decode_batch([features])[0]
    return entry.decode_batch(list(features))
