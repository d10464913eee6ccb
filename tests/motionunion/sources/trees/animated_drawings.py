"""AnimatedDrawings: Z up, a unit of its own."""

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
Head Neck
RightShoulder Spine3
RightArm RightShoulder
RightForeArm RightArm
RightHand RightForeArm
RightHandEnd RightHand
RightHandThumb1 RightHand
LeftShoulder Spine3
LeftArm LeftShoulder
LeftForeArm LeftArm
LeftHand LeftForeArm
LeftHandEnd LeftHand
LeftHandThumb1 LeftHand
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
    for seed, name in enumerate(("dab", "zombie")):
        walk(30, seed=seed).write_bvh(root / f"{name}.bvh", "fair1", TREE, fps=30, unit_m=0.0423, order="XYZ")
