"""BONES-SEED, as exported with the T-pose at zero rotation: an original and its mirror."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Root Hips Spine1 Spine2 Chest Neck1 Neck2 Head HeadEnd
Head Jaw
Chest LeftShoulder LeftArm LeftForeArm LeftHand LeftHandThumb1 LeftHandThumbEnd
Chest RightShoulder RightArm RightForeArm RightHand RightHandThumb1 RightHandThumbEnd
Hips LeftLeg LeftShin LeftFoot LeftToeBase LeftToeEnd
Hips RightLeg RightShin RightFoot RightToeBase RightToeEnd
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("walk_forward_001__A057", "walk_forward_001__A057_M")):
        path = root / "soma_uniform" / "bvh" / "240101" / f"{name}.bvh"
        walk(120, seed=seed).write_bvh(path, "soma", TREE, fps=120, unit_m=0.01, carrier=1)
