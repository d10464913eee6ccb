"""Xia's styles, on CMU's skeleton."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Hips -
LHipJoint Hips
LeftUpLeg LHipJoint
LeftLeg LeftUpLeg
LeftFoot LeftLeg
LeftToeBase LeftFoot
RHipJoint Hips
RightUpLeg RHipJoint
RightLeg RightUpLeg
RightFoot RightLeg
RightToeBase RightFoot
LowerBack Hips
Spine LowerBack
Spine1 Spine
Neck Spine1
Neck1 Neck
Head Neck1
LeftShoulder Spine1
LeftArm LeftShoulder
LeftForeArm LeftArm
LeftHand LeftForeArm
LeftFingerBase LeftHand
LeftHandIndex1 LeftFingerBase
LThumb LeftHand
RightShoulder Spine1
RightArm RightShoulder
RightForeArm RightArm
RightHand RightForeArm
RightFingerBase RightHand
RightHandIndex1 RightFingerBase
RThumb RightHand
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
