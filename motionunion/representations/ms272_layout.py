"""What the 272 numbers of MotionStreamer and MotionMillion are.

Xiao et al., "MotionStreamer", 2025 (arXiv:2503.15451), and Fan et al., "MotionMillion", 2025 (arXiv:2507.07095). Joints are in
SMPL-22 order, metres, +Y up. As many rows as frames.

| columns | content | row 0 |
|---|---|---|
| 0:2 | travel of the root in X and Z since the row before, seen from the heading of the row before | 0 |
| 2:8 | turn of the heading since the row before: a rotation about +Y, six numbers (rows of the matrix) | identity |
| 8:74 | 22 joints, root X and Z subtracted, seen from the heading; the pelvis is (0, height, 0) | real |
| 74:140 | what 8:74 changed by since the row before | 0 |
| 140:272 | 22 local rotations, six numbers each; the pelvis' seen from the heading | real |
"""

from __future__ import annotations

from fractions import Fraction

DIMS = 272
JOINTS = 22
RATE = Fraction(30)
TRAVEL, TURN, LOCAL_JOINTS, VELOCITIES, ROTATIONS = (
    slice(0, 2),
    slice(2, 8),
    slice(8, 74),
    slice(74, 140),
    slice(140, 272),
)
HEIGHT = LOCAL_JOINTS.start + 1

BLOCKS = ((0, 2), (2, 8), (8, 74), (74, 140), (140, 272))
"""Blocks whose standard deviations the published statistics average."""
ROOT_BLOCKS = ((0, 2), (2, 8))
