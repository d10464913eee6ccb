"""100STYLE: two takes on the Xsens skeleton."""

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
    for seed, name in enumerate(("Angry_FW", "Old_BW")):
        walk(60, seed=seed).write_bvh(root / f"{name}.bvh", "xsens_100style", TREE, fps=60, unit_m=0.01, order="YXZ")
