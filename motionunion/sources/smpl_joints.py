"""What readers of SMPL's joints without rotations share: 22 positions a frame become a clip."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from motionunion.clip import ClipRef, RawClip
from motionunion.formats.npy import Array
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton


def joints_clip(ref: ClipRef, joints_T22x3: Array, fps: Fraction, *, up: str, body: str) -> RawClip:
    """The clip of these joints, in metres; labels, captions, group and split are for the reader to add with `dataclasses.replace`.

    Args:
        ref: What was read.
        joints_T22x3: World positions in SMPL-22 order.
        fps: Frames per second.
        up: Axis that points up.
        body: Whose proportions they have, as in `RawClip.body`.
    """
    return RawClip(
        ref=ref,
        fps=fps,
        up=up,
        unit_m=1.0,
        skeleton=Skeleton(SMPL22_NAMES, SMPL22_PARENTS, np.zeros((len(SMPL22_NAMES), 3))),
        skeleton_id="smpl22",
        body=body,
        joints_TJ3=joints_T22x3,
        inputs=(ref.path,),
    )
