"""HumanIK: Z up, inches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Hips -
Spine Hips
Spine1 Spine
Spine2 Spine1
Spine3 Spine2
Neck Spine3
Neck1 Neck
Head Neck1
RightShoulder Spine3
RightArm RightShoulder
RightForeArm RightArm
RightHand RightForeArm
LeftShoulder Spine3
LeftArm LeftShoulder
LeftForeArm LeftArm
LeftHand LeftForeArm
RightUpLeg Hips
RightLeg RightUpLeg
RightFoot RightLeg
RightToeBase RightFoot
LeftUpLeg Hips
LeftLeg LeftUpLeg
LeftFoot LeftLeg
LeftToeBase LeftFoot
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("walk", "stroll")):
        walk(30, seed=seed).write_bvh(root / f"{name}.bvh", "humanik_z_up", TREE, fps=30, unit_m=0.0254, order="XZY")
