"""Perception Neuron: six channels at every joint, End Sites instead of toes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = """
Hips -
RightUpLeg Hips
RightLeg RightUpLeg
RightFoot RightLeg
LeftUpLeg Hips
LeftLeg LeftUpLeg
LeftFoot LeftLeg
Spine Hips
Spine1 Spine
Spine2 Spine1
Spine3 Spine2
Neck Spine3
Head Neck
RightShoulder Spine3
RightArm RightShoulder
RightForeArm RightArm
RightHand RightForeArm
RightInHandIndex RightHand
RightHandIndex1 RightInHandIndex
LeftShoulder Spine3
LeftArm LeftShoulder
LeftForeArm LeftArm
LeftHand LeftForeArm
LeftInHandIndex LeftHand
LeftHandIndex1 LeftInHandIndex
"""


def write(root: Path, walk: Callable[..., Any]) -> None:
    for seed, name in enumerate(("walk", "stroll")):
        walk(60, seed=seed).write_bvh(
            root / f"{name}.bvh", "perception_neuron", TREE, fps=60, unit_m=0.01, order="YXZ", every_joint=True
        )
