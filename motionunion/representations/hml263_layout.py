"""What HumanML3D's 263 numbers are, and the skeleton that they are measured on.

Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022. Joints are in SMPL-22 order, metres,
+Y up; R rows, one fewer than frames.

| columns | content |
|---|---|
| 0 | half the turn of the heading since the row before, radians |
| 1:3 | travel of the root in X and Z, seen from the heading of the next frame, metres per frame |
| 3 | height of the root |
| 4:67 | joints 1 to 21, root X and Z subtracted, seen from the heading |
| 67:193 | rotations of the 21 bones relative to the bone before them, first two columns of the matrix |
| 193:259 | displacement of all 22 joints to the next frame, seen from the heading |
| 259:263 | contact of left ankle, left foot, right ankle, right foot |
"""

from __future__ import annotations

import numpy as np

from motionunion.skeleton import SMPL22_PARENTS

DIMS = 263
JOINTS = 22
YAW, TRAVEL, HEIGHT = slice(0, 1), slice(1, 3), slice(3, 4)
LOCAL_JOINTS, ROTATIONS, VELOCITIES, CONTACTS = slice(4, 67), slice(67, 193), slice(193, 259), slice(259, 263)

BLOCKS = ((0, 1), (1, 3), (3, 4), (4, 67), (67, 193), (193, 259), (259, 263))
"""Blocks whose standard deviations HumanML3D averages; the 22 local rotations and joints are one block each."""
ROOT_BLOCKS = ((0, 1), (1, 3), (3, 4), (259, 263))
"""Blocks that `feat_bias` weighs: root and contacts."""

LEFT_HIP, RIGHT_HIP, LEFT_SHOULDER, RIGHT_SHOULDER = 1, 2, 16, 17
LEG_JOINTS = (5, 8)
"""Right knee and ankle: these two bones alone decide how large a subject is."""
FEET = (7, 10, 8, 11)
CONTACT_SQUARED_M2 = 0.002
"""A foot joint that moves less than this squared distance in one frame is planted: 0.89 m/s at 20 fps."""
SMOOTHING_FRAMES = 20.0
"""Standard deviation of the Gaussian over the facing direction: one second."""
SMOOTHING_RADIUS = 80

# Bones by the axis along which they rest.
UP, DOWN = (3, 6, 9, 12), (4, 5, 7, 8, 16, 17, 18, 19, 20, 21)
LEFT, RIGHT, FORWARD = (1, 13), (2, 14), (10, 11, 15)

REST_DIRECTIONS_22x3 = np.zeros((JOINTS, 3))
for _bones, _direction in (
    (UP, (0, 1, 0)),
    (DOWN, (0, -1, 0)),
    (LEFT, (1, 0, 0)),
    (RIGHT, (-1, 0, 0)),
    (FORWARD, (0, 0, 1)),
):
    REST_DIRECTIONS_22x3[list(_bones)] = _direction

TARGET_LENGTHS_22 = np.array(
    [
        0.0, 0.103074, 0.109883, 0.131568, 0.393623, 0.390188, 0.143190, 0.432433, 0.425643, 0.057365, 0.143382,
        0.149419, 0.219360, 0.137487, 0.143383, 0.103039, 0.131614, 0.122984, 0.256840, 0.263092, 0.266012, 0.269876,
    ]
)  # fmt: skip
"""Bone lengths in metres, by child joint: frame 0 of HumanML3D's clip 000021, on which all its features are."""
TARGET_OFFSETS_22x3 = REST_DIRECTIONS_22x3 * TARGET_LENGTHS_22[:, None]

CHAIN_STARTS = (1, 2, 3, 13, 14)
"""First joint of each of the five chains. Every chain starts from the root's rotation, the arms too (published so)."""
CHAIN_PARENTS = tuple(0 if joint in CHAIN_STARTS else parent for joint, parent in enumerate(SMPL22_PARENTS))
"""Whose rotation a joint's is relative to; positions still hang from `SMPL22_PARENTS`."""
