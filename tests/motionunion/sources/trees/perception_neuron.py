"""Perception Neuron: six channels at every joint, End Sites instead of toes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
- Hips RightUpLeg RightLeg RightFoot
Hips LeftUpLeg LeftLeg LeftFoot
Hips Spine Spine1 Spine2 Spine3 Neck Head
Spine3 RightShoulder RightArm RightForeArm RightHand RightInHandIndex RightHandIndex1
Spine3 LeftShoulder LeftArm LeftForeArm LeftHand LeftInHandIndex LeftHandIndex1
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    newer = TREE.replace("Spine3 Neck Head", "Neck Neck1 Head").replace("Spine3 ", "Spine2 ")
    for seed, (skeleton_id, tree) in enumerate(
        (("perception_neuron", TREE), ("perception_neuron_neck1", newer)),
    ):
        path = root / f"{skeleton_id}.bvh"
        walk(60, seed=seed).write_bvh(path, skeleton_id, tree, fps=60, unit_m=0.01, order="YXZ", every_joint=True)
