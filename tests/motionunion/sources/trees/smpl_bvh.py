"""SMPL as BVH: centimetres and metres."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Pelvis Left_hip Left_knee Left_ankle Left_foot
Pelvis Right_hip Right_knee Right_ankle Right_foot
Pelvis Spine1 Spine2 Spine3 Neck Head
Spine3 Left_collar Left_shoulder Left_elbow Left_wrist Left_palm
Spine3 Right_collar Right_shoulder Right_elbow Right_wrist Right_palm
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    walk(60, seed=0).write_bvh(root / "sample0.bvh", "smpl_named", TREE, fps=60, unit_m=0.01)
    walk(20, seed=1).write_bvh(root / "sample1.bvh", "smpl_named", TREE, fps=20, unit_m=1.0)
