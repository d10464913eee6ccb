"""LAFAN1: two takes of one recording, all limbs along local X."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Hips -
LeftUpLeg Hips
LeftLeg LeftUpLeg
LeftFoot LeftLeg
LeftToe LeftFoot
RightUpLeg Hips
RightLeg RightUpLeg
RightFoot RightLeg
RightToe RightFoot
Spine Hips
Spine1 Spine
Spine2 Spine1
Neck Spine2
Head Neck
LeftShoulder Spine2
LeftArm LeftShoulder
LeftForeArm LeftArm
LeftHand LeftForeArm
RightShoulder Spine2
RightArm RightShoulder
RightForeArm RightArm
RightHand RightForeArm
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for subject in (1, 5):
        walk(30, seed=subject).write_bvh(root / f"walk1_subject{subject}.bvh", "lafan1", TREE, fps=30, unit_m=0.01)
