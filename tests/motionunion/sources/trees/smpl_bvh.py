"""SMPL as BVH: centimetres and metres."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Pelvis -
Left_hip Pelvis
Left_knee Left_hip
Left_ankle Left_knee
Left_foot Left_ankle
Right_hip Pelvis
Right_knee Right_hip
Right_ankle Right_knee
Right_foot Right_ankle
Spine1 Pelvis
Spine2 Spine1
Spine3 Spine2
Neck Spine3
Head Neck
Left_collar Spine3
Left_shoulder Left_collar
Left_elbow Left_shoulder
Left_wrist Left_elbow
Left_palm Left_wrist
Right_collar Spine3
Right_shoulder Right_collar
Right_elbow Right_shoulder
Right_wrist Right_elbow
Right_palm Right_wrist
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    walk(60, seed=0).write_bvh(root / "sample0.bvh", "smpl_named", TREE, fps=60, unit_m=0.01)
    walk(20, seed=1).write_bvh(root / "sample1.bvh", "smpl_named", TREE, fps=20, unit_m=1.0)
