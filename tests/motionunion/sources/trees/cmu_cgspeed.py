"""CMU, cgspeed's conversion: inches times 0.45, joints of zero length, fingers."""

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
LFingers LeftFingerBase
LThumb LeftHand
RightShoulder Spine1
RightArm RightShoulder
RightForeArm RightArm
RightHand RightForeArm
RightFingerBase RightHand
RFingers RightFingerBase
RThumb RightHand
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for take in (1, 2):
        walk(120, seed=take).write_bvh(
            root / "01" / f"01_{take:02d}.bvh",
            "cmu_cgspeed",
            TREE,
            fps=120,
            unit_m=0.0254 / 0.45,
            places={"Neck1": "neck"},
        )
