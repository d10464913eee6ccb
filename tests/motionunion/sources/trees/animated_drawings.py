"""AnimatedDrawings: Z up, a unit of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips Spine Spine1 Spine2 Spine3 Neck Head
Spine3 RightShoulder RightArm RightForeArm RightHand RightHandEnd
RightHand RightHandThumb1
Spine3 LeftShoulder LeftArm LeftForeArm LeftHand LeftHandEnd
LeftHand LeftHandThumb1
Hips RightUpLeg RightLeg RightFoot RightToeBase
Hips LeftUpLeg LeftLeg LeftFoot LeftToeBase
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("dab", "zombie")):
        walk(30, seed=seed).write_bvh(root / f"{name}.bvh", "fair1", TREE, fps=30, unit_m=0.0423, order="XYZ")
