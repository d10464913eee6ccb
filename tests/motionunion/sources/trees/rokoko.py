"""Rokoko: bones along local X, roll joints, fingers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Hips -
Spine Hips
Spine1 Spine
Spine2 Spine1
Spine3 Spine2
LeftShoulder Spine3
LeftArm LeftShoulder
LeftForeArm LeftArm
LeftHand LeftForeArm
LeftHandIndex1 LeftHand
LeftArmRoll LeftArm
Neck Spine3
Head Neck
RightShoulder Spine3
RightArm RightShoulder
RightForeArm RightArm
RightHand RightForeArm
RightHandIndex1 RightHand
LeftUpLeg Hips
LeftLeg LeftUpLeg
LeftFoot LeftLeg
LeftToeBase LeftFoot
LeftLegRoll LeftLeg
LeftUpLegRoll LeftUpLeg
RightUpLeg Hips
RightLeg RightUpLeg
RightFoot RightLeg
RightToeBase RightFoot
RightLegRoll RightLeg
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("take one", "take two")):
        walk(100, seed=seed).write_bvh(root / f"{name}.bvh", "rokoko_humanik", TREE, fps=100, unit_m=0.01, order="YXZ")
