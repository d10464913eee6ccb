"""Xsens MVN: one file with level arms at zero rotation, one with hanging arms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Hips -
Chest Hips
Chest2 Chest
Chest3 Chest2
Chest4 Chest3
Neck Chest4
Head Neck
RightCollar Chest4
RightShoulder RightCollar
RightElbow RightShoulder
RightWrist RightElbow
LeftCollar Chest4
LeftShoulder LeftCollar
LeftElbow LeftShoulder
LeftWrist LeftElbow
RightHip Hips
RightKnee RightHip
RightAnkle RightKnee
RightToe RightAnkle
LeftHip Hips
LeftKnee LeftHip
LeftAnkle LeftKnee
LeftToe LeftAnkle
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    walk(60, seed=0).write_bvh(root / "Take-001.bvh", "xsens_100style", TREE, fps=60, unit_m=0.01, order="YXZ")
    walk(60, seed=1).write_bvh(root / "Take-002.bvh", "xsens_arms_down", TREE, fps=60, unit_m=0.01, order="YXZ")
