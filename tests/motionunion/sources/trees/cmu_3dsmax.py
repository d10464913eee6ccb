"""CMU for 3ds Max: inches times 0.45, hanging arms, joints of zero length."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips LHipJoint LeftHip LeftKnee LeftAnkle LeftToe
Hips RHipJoint RightHip RightKnee RightAnkle RightToe
Hips lowerback Chest Chest2 lowerneck Neck Head
Chest2 LeftCollar LeftShoulder LeftElbow LeftWrist lhand LFingers
LeftWrist LThumb
Chest2 RightCollar RightShoulder RightElbow RightWrist rhand RFingers
RightWrist RThumb
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for take in (1, 2):
        walk(120, seed=take).write_bvh(
            root / "01" / f"01_{take:02d}.bvh",
            "cmu_3dsmax",
            TREE,
            fps=120,
            unit_m=0.0254 / 0.45,
            places={"Neck": "neck"},
        )
