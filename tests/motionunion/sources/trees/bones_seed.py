"""BONES-SEED, as exported with the T-pose at zero rotation: an original and its mirror."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Root -
Hips Root
Spine1 Hips
Spine2 Spine1
Chest Spine2
Neck1 Chest
Neck2 Neck1
Head Neck2
HeadEnd Head
Jaw Head
LeftShoulder Chest
LeftArm LeftShoulder
LeftForeArm LeftArm
LeftHand LeftForeArm
LeftHandThumb1 LeftHand
LeftHandThumbEnd LeftHandThumb1
RightShoulder Chest
RightArm RightShoulder
RightForeArm RightArm
RightHand RightForeArm
RightHandThumb1 RightHand
RightHandThumbEnd RightHandThumb1
LeftLeg Hips
LeftShin LeftLeg
LeftFoot LeftShin
LeftToeBase LeftFoot
LeftToeEnd LeftToeBase
RightLeg Hips
RightShin RightLeg
RightFoot RightShin
RightToeBase RightFoot
RightToeEnd RightToeBase
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("walk_forward_001__A057", "walk_forward_001__A057_M")):
        path = root / "soma_uniform" / "bvh" / "240101" / f"{name}.bvh"
        walk(120, seed=seed).write_bvh(path, "soma", TREE, fps=120, unit_m=0.01, carrier=1)
