"""Xsens MVN: one file with level arms at zero rotation, one with hanging arms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips Chest Chest2 Chest3 Chest4 Neck Head
Chest4 RightCollar RightShoulder RightElbow RightWrist
Chest4 LeftCollar LeftShoulder LeftElbow LeftWrist
Hips RightHip RightKnee RightAnkle RightToe
Hips LeftHip LeftKnee LeftAnkle LeftToe
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    walk(60, seed=0).write_bvh(root / "Take-001.bvh", "xsens_100style", TREE, fps=60, unit_m=0.01, order="YXZ")
    walk(60, seed=1).write_bvh(root / "Take-002.bvh", "xsens_arms_down", TREE, fps=60, unit_m=0.01, order="YXZ")
