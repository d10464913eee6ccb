"""Whose body a SMPL-family motion moves: the rest joints of a real body model, or of the template.

AMASS files hold rotations, a translation and shape numbers, no joints. Joints need a body: with the licensed SMPL-H or
SMPL-X files the joint regressor and the clip's own betas give its rest joints (Loper et al. 2015, eq. 10: J = Jreg (T +
B_S(beta))), without pose blend shapes, which do not move joints. Without those files all clips share the template below;
they say so (`body="template"`), and nothing computed from them is comparable with published numbers.

Frame: metres, +Y up, facing +Z, the subject's left at +X, as body models are. `pelvis_3` is the rest position of joint 0:
the world position of the pelvis is `trans + pelvis_3` in the file's own axes, whatever the root rotation, since a body
model turns about its pelvis.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton

# Rest offsets in centimetres from parent to child, SMPL-22 order, as the hierarchy of a 24-joint BVH with SMPL joint
# names states them; its palms are left out. Row 0 is the rest position of the pelvis.
# From EricGuo5513/momask-codes (MIT licence), the BVH of an AIST clip.
_TEMPLATE_CM = np.array(
    [
        [-0.179506, -22.333345, 2.821913],
        [6.951974, -9.140623, -0.681533],
        [-6.767048, -9.052170, -0.431982],
        [-0.253288, 10.896323, -2.669631],
        [3.427654, -37.519855, -0.449580],
        [-3.829005, -38.256897, -0.885003],
        [0.548704, 13.518043, 0.109247],
        [-1.359570, -39.796059, -4.369333],
        [1.577377, -39.841461, -4.231180],
        [0.145701, 5.292222, 2.542457],
        [2.635814, -5.579078, 11.928840],
        [-2.537174, -4.814398, 12.334795],
        [-0.277840, 21.387037, -4.285703],
        [7.884473, 12.174932, -3.408961],
        [-8.175920, 11.883285, -3.861528],
        [0.515184, 6.496960, 5.134897],
        [9.097692, 3.046888, -0.886815],
        [-9.601238, 3.255117, -0.914307],
        [25.961220, -1.277207, -2.745643],
        [-25.374195, -1.332924, -2.140099],
        [24.923361, 0.898606, -0.117091],
        [-25.529810, 0.777228, -0.555919],
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Rest joints of one body in SMPL-22 order."""

    offsets_22x3: npt.NDArray[np.float64]
    """Rest offset from parent to child, metres; row 0 is the rest position of the pelvis."""
    kind: str
    """`model` (a body model with the clip's betas) or `template`."""

    @property
    def pelvis_3(self) -> npt.NDArray[np.float64]:
        """Rest position of joint 0: what `trans` lacks to be the pelvis."""
        pelvis: npt.NDArray[np.float64] = self.offsets_22x3[0]
        return pelvis

    def skeleton(self) -> Skeleton:
        """The body as a skeleton with SMPL-22 names."""
        return Skeleton(SMPL22_NAMES, SMPL22_PARENTS, self.offsets_22x3)


def offsets_of(joints_22x3: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Offsets from parent to child (22, 3) of absolute rest joints (22, 3); row 0 stays the pelvis itself."""
    offsets: npt.NDArray[np.float64] = joints_22x3.copy()
    offsets[1:] -= joints_22x3[list(SMPL22_PARENTS[1:])]
    return offsets


TEMPLATE = Body(_TEMPLATE_CM / 100.0, "template")
"""The body of clips whose model files are not here: metres."""

SMPLX_PELVIS_3 = np.array([0.0031, -0.3514, 0.0120])
"""Rest position of the pelvis in SMPL-X's neutral mean shape, as FineDance publishes its rest joints; SMPL's is the template's.
The two models keep their origins at different heights, so that a `trans` of one lifts the other by 13 cm."""
SMPLX_TEMPLATE = Body(np.concatenate([SMPLX_PELVIS_3[None], TEMPLATE.offsets_22x3[1:]]), "template")
"""The template's bones, hung where SMPL-X has its pelvis."""


def body_of(folder: Path | None, family: str, gender: str | None, betas: npt.NDArray[np.float64] | None) -> Body:
    """The body of one clip: from the model files in `folder`, or the template where there is no such folder given.

    Args:
        folder: Folder of licensed body models, or None.
        family: `smplh`, `smplx` or `smpl`.
        gender: As the clip states it; see `motionunion.body_models.model_gender`.
        betas: Shape numbers of the clip, (n,), or None for the mean shape.

    Raises:
        ClipError: the folder lacks the model that this clip needs.
        SourceFormatError: the model file is damaged or another thing.
    """
    if folder is None:
        return SMPLX_TEMPLATE if family == "smplx" else TEMPLATE
    from motionunion.body_models import load_body_model

    return Body(offsets_of(load_body_model(folder, family, gender).rest_joints(betas)), "model")
