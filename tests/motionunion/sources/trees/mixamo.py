"""Mixamo: a name space, a finger, an eye and end joints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck mixamorig:Head mixamorig:HeadTop_End
mixamorig:Head mixamorig:LeftEye
mixamorig:Spine2 mixamorig:LeftShoulder mixamorig:LeftArm mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:LeftHandIndex1
mixamorig:Spine2 mixamorig:RightShoulder mixamorig:RightArm mixamorig:RightForeArm mixamorig:RightHand mixamorig:RightHandIndex1
mixamorig:Hips mixamorig:RightUpLeg mixamorig:RightLeg mixamorig:RightFoot mixamorig:RightToeBase mixamorig:RightToe_End
mixamorig:Hips mixamorig:LeftUpLeg mixamorig:LeftLeg mixamorig:LeftFoot mixamorig:LeftToeBase mixamorig:LeftToe_End
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("walk", "stroll")):
        walk(30, seed=seed).write_bvh(root / f"{name}.bvh", "mixamo", TREE, fps=30, unit_m=0.01)
