"""LAFAN1: two takes of one recording, all limbs along local X."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips LeftUpLeg LeftLeg LeftFoot LeftToe
Hips RightUpLeg RightLeg RightFoot RightToe
Hips Spine Spine1 Spine2 Neck Head
Spine2 LeftShoulder LeftArm LeftForeArm LeftHand
Spine2 RightShoulder RightArm RightForeArm RightHand
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for subject in (1, 5):
        walk(30, seed=subject).write_bvh(root / f"walk1_subject{subject}.bvh", "lafan1", TREE, fps=30, unit_m=0.01)
