"""Azure Kinect: Y down, joints in capitals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- PELVIS SPINE_NAVAL SPINE_CHEST NECK HEAD
SPINE_CHEST CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT HAND_LEFT HANDTIP_LEFT
WRIST_LEFT THUMB_LEFT
SPINE_CHEST CLAVICLE_RIGHT SHOULDER_RIGHT ELBOW_RIGHT WRIST_RIGHT HAND_RIGHT HANDTIP_RIGHT
WRIST_RIGHT THUMB_RIGHT
PELVIS HIP_LEFT KNEE_LEFT ANKLE_LEFT FOOT_LEFT
PELVIS HIP_RIGHT KNEE_RIGHT ANKLE_RIGHT FOOT_RIGHT
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("walk", "stroll")):
        walk(30, seed=seed).write_bvh(root / f"{name}.bvh", "azure_kinect", TREE, fps=30, unit_m=0.01, order="XYZ")
