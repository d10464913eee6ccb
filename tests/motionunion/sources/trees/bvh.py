"""BVH of a skeleton that nobody knows, and the map that was made for it, in the folder above."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from motionunion.joint_map_writing import joint_map_toml
from motionunion.joint_maps import JOINT_MAPS, JointMap

TREE = """
- Hips Chest Chest2 Chest3 Chest4 Neck Head
Chest4 LeftCollar LeftShoulder LeftElbow LeftWrist
Chest4 RightCollar RightShoulder RightElbow RightWrist
Hips LeftHip LeftKnee LeftAnkle LeftToe
Hips RightHip RightKnee RightAnkle RightToe
"""
"""Xsens with the left limbs first: another order is another skeleton."""


def write(root: Path, walk: Callable[..., Any]) -> None:
    names = tuple(name for line in TREE.strip().splitlines() for name in line.split()[1:])
    known = JOINT_MAPS["xsens_100style"]
    own = JointMap(
        skeleton_id="left_first",
        title="Left limbs first",
        names=(names,),
        places=known.places,
        axes=known.axes,
        up="y",
        unit_m=0.01,
        licence="CC0-1.0",
    )
    root.mkdir(parents=True, exist_ok=True)
    (root / "left_first.skeleton.toml").write_text(joint_map_toml(own), encoding="utf-8")
    for take in (0, 1):
        walk(30, seed=take).write_bvh(root / "takes" / f"take{take}.bvh", "xsens_100style", TREE, fps=30, unit_m=0.01)
