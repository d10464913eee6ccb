"""Which way is up in Motion-X's subsets, and how its own scripts left the paths of three of them.

The clips of HumanML3D are +Y up, facing +Z. The others came from videos, each in its camera's axes, which differ from subset to
subset and even within one (IDEA-Research/Motion-X#95 #98, IDEA-Research/HumanTOMATO#30): there the motion itself is asked.

Three subsets have a `trans` that does not belong to their rotations, as long as nobody mended it:

- `aist`: 94 times too large and Z negated, until a script of Motion-X's is run;
- `GRAB`: rotations were turned to +Y up, `trans` was left +Z up;
- `EgoBody`: rotations were turned from the camera's axes (Y down) to +Y up, of `trans` only Z was negated.

Which of the two a file holds shows in the feet: in the right frame the lower one keeps to a level.

Shapes: T frames. Metres, radians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.body import SMPLX_TEMPLATE
from motionunion.kinematics import forward_kinematics
from motionunion.measure import lowest_foot
from motionunion.skeleton import SMPL22_PARENTS

Array = npt.NDArray[np.float64]

MEASURED = "measured"
AIST_SCALE = 94.0
_FARTHEST_M = 20.0
"""No dance floor is wider: a path that reaches further is AIST's, in its unit."""
_CLEARLY = 2.0

_Z_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_NEGATED_Y = np.diag([1.0, -1.0, 1.0])
_MENDED = {"grab": ("trans_turned_to_y_up", _Z_TO_Y_UP), "egobody": ("trans_y_negated", _NEGATED_Y)}


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A path that belongs to its rotations."""

    trans_T3: Array
    up: str
    """Axis that points up, or `measured`."""
    mended: str | None = None
    """What was done to `trans`, or None."""
    flags: tuple[str, ...] = ()


def placed(subset: str, rotvecs_T22x3: Array, trans_T3: Array) -> Placed:
    """The path of a clip in the frame of its rotations, by what is known of its subset.

    A clip whose feet do not tell keeps what Motion-X's script leaves behind, mended, and the flag `path_uncertain`.
    """
    name = subset.lower()
    if name == "aist":
        if np.abs(trans_T3).max(initial=0.0) <= _FARTHEST_M:
            return Placed(trans_T3, "y")
        return Placed(trans_T3 / AIST_SCALE * [1.0, 1.0, -1.0], "y", "trans_scaled")
    if name in _MENDED:
        what, turn = _MENDED[name]
        turned = trans_T3 @ turn.T
        as_it_is, mended = (_sinking(rotvecs_T22x3, path) for path in (trans_T3, turned))
        if as_it_is * _CLEARLY < mended:
            return Placed(trans_T3, "y")
        return Placed(turned, "y", what, () if mended * _CLEARLY < as_it_is else ("path_uncertain",))
    return Placed(trans_T3, "y" if name == "humanml" else MEASURED)


def _sinking(rotvecs_T22x3: Array, trans_T3: Array) -> float:
    """How far the level of the lower foot spreads over a clip, metres, in all but a tenth of the frames."""
    quats = rotation.from_rotvec(rotvecs_T22x3)
    root = trans_T3 + SMPLX_TEMPLATE.pelvis_3
    joints = forward_kinematics(root, quats, SMPLX_TEMPLATE.offsets_22x3, SMPL22_PARENTS)
    level = lowest_foot(joints, np.array([0.0, 1.0, 0.0]))
    return float(np.ptp(np.percentile(level, [5, 95])))
