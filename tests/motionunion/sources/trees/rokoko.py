"""Rokoko: bones along local X, roll joints, fingers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips Spine Spine1 Spine2 Spine3 LeftShoulder LeftArm LeftForeArm LeftHand LeftHandIndex1
LeftArm LeftArmRoll
Spine3 Neck Head
Spine3 RightShoulder RightArm RightForeArm RightHand RightHandIndex1
Hips LeftUpLeg LeftLeg LeftFoot LeftToeBase
LeftLeg LeftLegRoll
LeftUpLeg LeftUpLegRoll
Hips RightUpLeg RightLeg RightFoot RightToeBase
RightLeg RightLegRoll
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("take one", "take two")):
        walk(100, seed=seed).write_bvh(root / f"{name}.bvh", "rokoko_humanik", TREE, fps=100, unit_m=0.01, order="YXZ")
