"""Bandai-Namco 1: six channels on every joint, a still joint above the hips, all limbs along local X."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- joint_Root Hips Spine Chest Neck Head
Chest Shoulder_L UpperArm_L LowerArm_L Hand_L
Chest Shoulder_R UpperArm_R LowerArm_R Hand_R
Hips UpperLeg_L LowerLeg_L Foot_L Toes_L
Hips UpperLeg_R LowerLeg_R Foot_R Toes_R
"""


def write(root: Path, walk: Callable[..., Any], number: int = 1) -> None:
    for seed, name in enumerate(("walk_normal_001", "walk_old_002")):
        walk(30, seed=seed).write_bvh(
            root / "data" / f"dataset-{number}_{name}.bvh", "bandai_namco", TREE, fps=30, unit_m=0.01, order="ZXY",
            carrier=1, every_joint=True,
        )  # fmt: skip
