"""CMU, cgspeed's conversion: inches times 0.45, joints of zero length, fingers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase
Hips RHipJoint RightUpLeg RightLeg RightFoot RightToeBase
Hips LowerBack Spine Spine1 Neck Neck1 Head
Spine1 LeftShoulder LeftArm LeftForeArm LeftHand LeftFingerBase LFingers
LeftHand LThumb
Spine1 RightShoulder RightArm RightForeArm RightHand RightFingerBase RFingers
RightHand RThumb
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
