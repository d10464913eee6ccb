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
    newer = TREE.replace("Spine3 Spine2\nNeck Spine3\nHead Neck\n", "Neck Spine2\nNeck1 Neck\nHead Neck1\n")
    newer = newer.replace("Shoulder Spine3", "Shoulder Spine2")
    for seed, (skeleton_id, tree) in enumerate(
        (("perception_neuron", TREE), ("perception_neuron_neck1", newer)),
    ):
        path = root / f"{skeleton_id}.bvh"
        walk(60, seed=seed).write_bvh(path, skeleton_id, tree, fps=60, unit_m=0.01, order="YXZ", every_joint=True)
