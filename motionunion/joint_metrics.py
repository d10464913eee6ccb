"""How far two motions are apart, joint by joint.

Shapes: T frames, J joints. Positions in metres, results in millimetres. The 263-based figure that tokenizer papers
call MPJPE is `mpjpe` of two decoded feature sequences (as in the evaluation of MoMask and MotionMillion).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.errors import ClipError
from motionunion.representations import registry
from motionunion.skeleton import FloatArray

MM_PER_M = 1000.0


def pelvis_aligned_errors(a_TJ3: FloatArray, b_TJ3: FloatArray) -> npt.NDArray[np.float64]:
    """Distance (T, J) in millimetres between two motions with joint 0 of every frame moved to the origin.

    Raises:
        ClipError: If the shapes differ or are not (T, J, 3) with at least one frame.
    """
    if a_TJ3.shape != b_TJ3.shape or a_TJ3.ndim != 3 or a_TJ3.shape[2] != 3 or len(a_TJ3) == 0:
        raise ClipError(f"joints of shapes {a_TJ3.shape} and {b_TJ3.shape} cannot be compared", reason="bad_shape")
    a, b = np.asarray(a_TJ3, dtype=np.float64), np.asarray(b_TJ3, dtype=np.float64)
    difference = (a - a[:, :1]) - (b - b[:, :1])
    distances: npt.NDArray[np.float64] = MM_PER_M * np.sqrt(np.einsum("tjc,tjc->tj", difference, difference))
    return distances


def mpjpe(a_TJ3: FloatArray, b_TJ3: FloatArray) -> float:
    """Mean per-joint position error in millimetres, pelvis subtracted per frame, all joints counted, no scaling.

    The pelvis itself counts with its zero, as published. For the mean over a data set weigh clips by their frames
    (MoMask); the mean of per-clip means (MotionMillion) differs.

    Reference:
        MoMask (Guo et al. 2024), whose log calls it MAE.
    """
    return float(pelvis_aligned_errors(a_TJ3, b_TJ3).mean())


def mpjpe_heading_free(a_RD: FloatArray, b_RD: FloatArray, representation: str) -> float:
    """`mpjpe` of two feature sequences (R, D) decoded with the heading left out, in millimetres.

    A wrong turn of a fraction of a degree in one row turns every later frame; about a third of a tokenizer's MPJPE on
    long motions is this integrated heading. What remains here is posture alone.
    """
    decode = registry.get(representation).decode_heading_free_batch
    one, other = decode([a_RD, b_RD])
    return mpjpe(one, other)
