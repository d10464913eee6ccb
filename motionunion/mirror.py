"""A motion as a mirror shows it, left for right: how HumanML3D doubles its data (Guo et al. 2022; `M004822` is `004822` mirrored).

Positions: X is negated, and the joints of the two sides are exchanged. Rotations: a mirror across X keeps their X component and negates
Y and Z, w too stays; the sides are exchanged as well. Rest offsets are mirrored with them, so that the posed joints are exactly the
mirror image whatever the two sides of a body differ by. Fingers are exchanged one for one, index for index: the lists in HumanML3D's
code pair a left index with a right little finger.

Shapes: T frames, 22 joints in SMPL-22 order, +Y up. A body's shape numbers stay, though they are those of the body before the mirror.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from motionunion.motion import Motion
from motionunion.skeleton import SMPL22_NAMES, FloatArray

LAYER = "humanml3d"
_MIRRORED = re.compile(r"M\d{6}")
_OTHER_SIDE = {"left": "right", "right": "left"}
_FINGERS = 15


def _twin(name: str) -> str:
    side, _, part = name.partition("_")
    return f"{_OTHER_SIDE[side]}_{part}" if side in _OTHER_SIDE else name


TWINS = np.array([SMPL22_NAMES.index(_twin(name)) for name in SMPL22_NAMES])
"""The joint that each is taken from: that of the other side, or itself."""


def is_mirrored(layer: str | None, name: str) -> bool:
    """Whether a stretch of this name is the mirror image of the file's motion: HumanML3D's ids say so by an M."""
    return layer == LAYER and _MIRRORED.fullmatch(name) is not None


def mirrored(motion: Motion) -> Motion:
    """The mirror image of a motion, left and right exchanged. Expressions of the face have none, and are left out."""
    joints = _reflected(motion.joints_T22x3)[:, TWINS]
    hands = motion.hands_T90
    if hands is not None:
        hands = _turned(hands.reshape(len(hands), 2, _FINGERS, 3)[:, ::-1]).reshape(len(hands), 90)
    face = {}
    if "jaw" in motion.face:
        face["jaw"] = _turned(motion.face["jaw"])
    if "eyes" in motion.face:
        eyes = motion.face["eyes"]
        face["eyes"] = _turned(eyes.reshape(len(eyes), 2, 3)[:, ::-1]).reshape(len(eyes), 6)
    if motion.quats_T22x4 is None or motion.root_T3 is None or motion.offsets_22x3 is None:
        return replace(motion, joints_T22x3=joints, hands_T90=hands, face=face)
    return replace(
        motion,
        joints_T22x3=joints,
        quats_T22x4=motion.quats_T22x4[:, TWINS] * [1.0, 1.0, -1.0, -1.0],
        root_T3=_reflected(motion.root_T3),
        offsets_22x3=_reflected(motion.offsets_22x3)[TWINS],
        hands_T90=hands,
        face=face,
    )


def _reflected(places: FloatArray) -> FloatArray:
    return places * [-1.0, 1.0, 1.0]


def _turned(rotvecs: FloatArray) -> FloatArray:
    """Axis-angles seen in the mirror."""
    return rotvecs * [1.0, -1.0, -1.0]
