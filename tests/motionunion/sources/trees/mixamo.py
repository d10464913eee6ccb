"""Mixamo: a name space, a finger, an eye and end joints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
mixamorig:Hips -
mixamorig:Spine mixamorig:Hips
mixamorig:Spine1 mixamorig:Spine
mixamorig:Spine2 mixamorig:Spine1
mixamorig:Neck mixamorig:Spine2
mixamorig:Head mixamorig:Neck
mixamorig:HeadTop_End mixamorig:Head
mixamorig:LeftEye mixamorig:Head
mixamorig:LeftShoulder mixamorig:Spine2
mixamorig:LeftArm mixamorig:LeftShoulder
mixamorig:LeftForeArm mixamorig:LeftArm
mixamorig:LeftHand mixamorig:LeftForeArm
mixamorig:LeftHandIndex1 mixamorig:LeftHand
mixamorig:RightShoulder mixamorig:Spine2
mixamorig:RightArm mixamorig:RightShoulder
mixamorig:RightForeArm mixamorig:RightArm
mixamorig:RightHand mixamorig:RightForeArm
mixamorig:RightHandIndex1 mixamorig:RightHand
mixamorig:RightUpLeg mixamorig:Hips
mixamorig:RightLeg mixamorig:RightUpLeg
mixamorig:RightFoot mixamorig:RightLeg
mixamorig:RightToeBase mixamorig:RightFoot
mixamorig:RightToe_End mixamorig:RightToeBase
mixamorig:LeftUpLeg mixamorig:Hips
mixamorig:LeftLeg mixamorig:LeftUpLeg
mixamorig:LeftFoot mixamorig:LeftLeg
mixamorig:LeftToeBase mixamorig:LeftFoot
mixamorig:LeftToe_End mixamorig:LeftToeBase
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("walk", "stroll")):
        walk(30, seed=seed).write_bvh(root / f"{name}.bvh", "mixamo", TREE, fps=30, unit_m=0.01)
