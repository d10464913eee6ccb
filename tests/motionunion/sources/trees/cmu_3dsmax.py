"""CMU for 3ds Max: inches times 0.45, hanging arms, joints of zero length."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Hips -
LHipJoint Hips
LeftHip LHipJoint
LeftKnee LeftHip
LeftAnkle LeftKnee
LeftToe LeftAnkle
RHipJoint Hips
RightHip RHipJoint
RightKnee RightHip
RightAnkle RightKnee
RightToe RightAnkle
lowerback Hips
Chest lowerback
Chest2 Chest
lowerneck Chest2
Neck lowerneck
Head Neck
LeftCollar Chest2
LeftShoulder LeftCollar
LeftElbow LeftShoulder
LeftWrist LeftElbow
lhand LeftWrist
LFingers lhand
LThumb LeftWrist
RightCollar Chest2
RightShoulder RightCollar
RightElbow RightShoulder
RightWrist RightElbow
rhand RightWrist
RFingers rhand
RThumb RightWrist
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
