"""Xia's styles, on CMU's skeleton."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase
Hips RHipJoint RightUpLeg RightLeg RightFoot RightToeBase
Hips LowerBack Spine Spine1 Neck Neck1 Head
Spine1 LeftShoulder LeftArm LeftForeArm LeftHand LeftFingerBase LeftHandIndex1
LeftHand LThumb
Spine1 RightShoulder RightArm RightForeArm RightHand RightFingerBase RightHandIndex1
RightHand RThumb
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("angry_01_000", "proud_02_001")):
        walk(120, seed=seed).write_bvh(
            root / f"{name}.bvh",
            "cmu_cgspeed",
            TREE,
            fps=120,
            unit_m=0.0254 / 0.45,
            places={"Neck1": "neck"},
        )
