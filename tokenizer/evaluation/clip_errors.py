"""How far one reconstructed motion is from the real one: the figures of a clip, from which those of a set are made.

Shapes: T rows, D features, 22 joints. Positions in metres, results in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError
from motionunion.joint_metrics import MM_PER_M, mpjpe, mpjpe_heading_free
from motionunion.skeleton import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipErrors:
    """Means over one clip's rows."""

    l1: float
    """Mean absolute error in the tokenizer's own normalised space."""
    mpjpe_mm: float
    """Pelvis subtracted in every frame: what papers call MPJPE (MoMask, MotionMillion)."""
    mpjpe_unaligned_mm: float
    """Where the joints are in the world, drift of the integrated root included (MLD, MotionLCM: MPJPE_unaligned)."""
    mpjpe_heading_free_mm: float
    """Posture alone: the integrated heading left out on both sides."""
    acceleration_mm: float
    """Mean distance of the joints' second differences, mm per frame squared (VIBE, MLD); nan under three rows."""


def clip_errors(
    made_TD: FloatArray,
    real_TD: FloatArray,
    made_T22x3: FloatArray,
    real_T22x3: FloatArray,
    *,
    std_D: FloatArray,
    representation: str,
) -> ClipErrors:
    """Errors of one clip, given as unnormalised features and as the joints that they decode to.

    Raises:
        ClipError: If the shapes do not fit each other.
    """
    return ClipErrors(
        l1=float(np.abs((made_TD - real_TD) / std_D).mean(dtype=np.float64)),
        mpjpe_mm=mpjpe(made_T22x3, real_T22x3),
        mpjpe_unaligned_mm=mpjpe_unaligned(made_T22x3, real_T22x3),
        mpjpe_heading_free_mm=mpjpe_heading_free(made_TD, real_TD, representation),
        acceleration_mm=acceleration_error(made_T22x3, real_T22x3),
    )


def mpjpe_unaligned(a_TJ3: FloatArray, b_TJ3: FloatArray) -> float:
    """Mean distance of the joints of two motions where they stand in the world, in millimetres.

    Raises:
        ClipError: If the shapes differ or are not (T, J, 3) with at least one frame.
    """
    difference = _difference(a_TJ3, b_TJ3)
    return float(MM_PER_M * np.linalg.norm(difference, axis=-1).mean())


def acceleration_error(a_TJ3: FloatArray, b_TJ3: FloatArray) -> float:
    """Mean distance of the second differences of two motions, over joints and inner frames; nan under three frames.

    In millimetres per frame squared, as published: times fps squared and over 1000 it is in m/s^2.

    Reference:
        VIBE (Kocabas et al. 2020), whose `compute_error_accel` MLD and MotionLCM call ACCEL.

    Raises:
        ClipError: If the shapes differ or are not (T, J, 3) with at least one frame.
    """
    difference = _difference(a_TJ3, b_TJ3)
    if len(difference) < 3:
        return float("nan")
    # Second differences are linear: those of the difference are the difference of those.
    second = difference[:-2] - 2.0 * difference[1:-1] + difference[2:]
    return float(MM_PER_M * np.linalg.norm(second, axis=-1).mean())


def _difference(a_TJ3: FloatArray, b_TJ3: FloatArray) -> npt.NDArray[np.float64]:
    if a_TJ3.shape != b_TJ3.shape or a_TJ3.ndim != 3 or a_TJ3.shape[2] != 3 or len(a_TJ3) == 0:
        raise ClipError(f"joints of shapes {a_TJ3.shape} and {b_TJ3.shape} cannot be compared", reason="bad_shape")
    return np.asarray(a_TJ3, dtype=np.float64) - np.asarray(b_TJ3, dtype=np.float64)
