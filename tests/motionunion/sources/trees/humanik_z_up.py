"""HumanIK: Z up, inches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips Spine Spine1 Spine2 Spine3 Neck Neck1 Head
Spine3 RightShoulder RightArm RightForeArm RightHand
Spine3 LeftShoulder LeftArm LeftForeArm LeftHand
Hips RightUpLeg RightLeg RightFoot RightToeBase
Hips LeftUpLeg LeftLeg LeftFoot LeftToeBase
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("walk", "stroll")):
        walk(30, seed=seed).write_bvh(root / f"{name}.bvh", "humanik_z_up", TREE, fps=30, unit_m=0.0254, order="XZY")
