"""Where the pelvis of a body model rests: what its `trans` lacks to be the pelvis.

A body model turns about its rest pelvis J0, which depends on model, gender and betas: pelvis = trans + J0. Leaving J0 out, as
published decoders do, lifts the body by 0.22 m (SMPL) to 0.35 m (SMPL-X).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion.body import SMPLX_PELVIS_3, TEMPLATE
from motionunion.motion import Motion

Array = npt.NDArray[np.float64]

MEAN_PELVIS: dict[str, Array] = {"smpl": TEMPLATE.pelvis_3, "smplx": SMPLX_PELVIS_3}
"""Rest pelvis of the mean shape (betas 0), metres."""


# SMPL+H is SMPL with fingers: one shape space, one rest pelvis.
_SAME_SHAPES = {"smpl": ("smpl", "smplh"), "smplx": ("smplx",)}


def trans_of(motion: Motion, model: str) -> Array:
    """`trans` (T, 3) that puts the pelvis of a body model (`smpl`, `smplx`) where the motion's is.

    A motion of that model has its own rest pelvis; any other one is posed with the mean shape, and takes that one's.
    """
    _, root, offsets = motion.pose()
    rest = np.asarray(offsets[0], dtype=np.float64) if motion.model in _SAME_SHAPES[model] else MEAN_PELVIS[model]
    trans: Array = np.asarray(root, dtype=np.float64) - rest
    return trans


def betas_of(motion: Motion, model: str, count: int) -> Array:
    """The first `count` betas; zeros where the motion has none, or none that mean anything to this model."""
    betas = np.zeros(count)
    if motion.betas is not None and motion.model in _SAME_SHAPES[model]:
        given = np.asarray(motion.betas, dtype=np.float64)[:count]
        betas[: len(given)] = given
    return betas
