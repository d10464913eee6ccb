"""Bandai-Namco 1: six channels on every joint, a still joint above the hips, all limbs along local X."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
joint_Root -
Hips joint_Root
Spine Hips
Chest Spine
Neck Chest
Head Neck
Shoulder_L Chest
UpperArm_L Shoulder_L
LowerArm_L UpperArm_L
Hand_L LowerArm_L
Shoulder_R Chest
UpperArm_R Shoulder_R
LowerArm_R UpperArm_R
Hand_R LowerArm_R
UpperLeg_L Hips
LowerLeg_L UpperLeg_L
Foot_L LowerLeg_L
Toes_L Foot_L
UpperLeg_R Hips
LowerLeg_R UpperLeg_R
Foot_R LowerLeg_R
Toes_R Foot_R
"""


def write(root: Path, walk: Callable[..., Any], number: int = 1) -> None:
    for seed, name in enumerate(("walk_normal_001", "walk_old_002")):
        walk(30, seed=seed).write_bvh(
            root / "data" / f"dataset-{number}_{name}.bvh", "bandai_namco", TREE, fps=30, unit_m=0.01, order="ZXY",
            carrier=1, every_joint=True,
        )  # fmt: skip
