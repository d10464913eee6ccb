"""What makes one doubt that a proposed joint map is a person's, each with what it costs and why.

Proportions are those of adults and children with a wide margin (Winter, *Biomechanics and Motor Control of Human Movement*,
4th ed. 2009, fig. 4.1), and of the skeletons of some fifteen exporters: an arm without its hand is 0.66 of a leg without its
foot, the trunk from hips to neck 0.63. Names are asked for one thing only: whether they contradict the sides.

Shapes: J joints of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.joint_map import plain_names
from motionunion.limbs import Limb, Limbs, Tree
from motionunion.measure import Measured
from motionunion.rest_axes import Rest
from motionunion.skeleton import SMPL22_NAMES, Skeleton

FloatArray = npt.NDArray[np.float64]

_LIKE_A_PERSON = {
    "shin to thigh": (0.72, 1.4),
    "arm to leg": (0.48, 0.88),
    "trunk to leg": (0.33, 1.0),
    "neck and head to leg": (0.08, 0.6),
}
_TAIL = 0.3
"""A chain that hangs on the trunk beside the limbs, and is longer than this share of a leg, is a tail or a thing carried."""


_HINGES = {
    "left_knee": (1.0, 0.0, 0.0), "right_knee": (1.0, 0.0, 0.0), "left_elbow": (0.0, -1.0, 0.0), "right_elbow": (0.0, 1.0, 0.0)
}  # fmt: skip
"""Axis about which each bends in the T-pose: the shin swings back, the forearm to the front."""
_BENT_RAD, _HINGE_OFF_DEG = np.deg2rad(25), 60.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that speaks against a map."""

    factor: float
    """What it leaves of the confidence."""
    reason: str


def body_doubts(skeleton: Skeleton, limbs: Limbs, sides_sure: float) -> tuple[list[str], list[Doubt]]:
    """What speaks for and against a body, from its bones and names.

    Args:
        skeleton: The file's.
        limbs: Found in it, left before right.
        sides_sure: Share of the frames that say which side is left.
    """
    tree = Tree(skeleton)
    legs, arms = ([_bones(tree, limb) for limb in pair] for pair in (limbs.legs, limbs.arms))
    leg = float(np.mean([sum(bones) for bones in legs]))
    neck = next((joint for joint in limbs.neck if tree.lengths[joint] > 0.01 * leg), limbs.neck[-1])
    shares = {
        "shin to thigh": float(np.mean([bones[1] / bones[0] for bones in legs])),
        "arm to leg": float(np.mean([sum(bones) for bones in arms])) / leg,
        "trunk to leg": tree.distance(limbs.pelvis, neck) / leg,
        "neck and head to leg": tree.distance(limbs.chest, limbs.neck[-1]) / leg,
    }
    reasons = [
        f"two legs and two arms of like bones, {len(limbs.spine)} joints of a spine between them",
        "proportions: " + ", ".join(f"{name} {share:.2f}" for name, share in shares.items()),
        f"left and right told by where the feet point, in {sides_sure:.0%} of the frames",
    ]
    doubts = []
    for name, share in shares.items():
        least, most = _LIKE_A_PERSON[name]
        if not least <= share <= most:
            doubts.append(Doubt(0.5, f"{name} is {share:.2f}, a person's is {least} to {most}"))
    unequal = max(abs(one - other) / leg for pair in (legs, arms) for one, other in zip(*pair, strict=True))
    if unequal > 0.04:
        doubts.append(Doubt(0.7, f"left and right bones differ by {unequal:.0%} of a leg"))
    doubts += _hanging(tree, limbs, leg)
    if sides_sure < 0.8:
        doubts.append(
            Doubt(0.7 if sides_sure > 0.65 else 0.4, "where the feet point does not tell left from right surely")
        )
    doubts += _names(skeleton, limbs)
    return reasons, doubts


def motion_doubts(up: Measured[str], unit_m: Measured[float], rest: Rest, frames: int) -> list[Doubt]:
    """What speaks against it, from measurements of `frames` frames."""
    doubts = []
    if frames < 10:
        doubts.append(Doubt(0.8, f"{frames} frames are little to measure: inspect a longer file of the same skeleton"))
    if up.confidence < 0.5:
        doubts.append(Doubt(0.4 if up.confidence < 0.3 else 0.7, f"the up axis is not sure ({up.reasons[0]})"))
    if unit_m.confidence < 0.5:
        doubts.append(Doubt(0.6, f"the length unit is a guess ({unit_m.reasons[-1]})"))
    elif unit_m.confidence < 0.9:
        doubts.append(Doubt(0.9, f"the length unit follows from the thigh alone ({unit_m.reasons[-1]})"))
    if rest.confidence < 1:
        doubts.append(Doubt(rest.confidence, "; ".join(rest.reasons)))
    return doubts


def hinge_doubts(quats_T22x4: FloatArray) -> tuple[list[str], list[Doubt]]:
    """Whether knees and elbows bend as a person's, in the terms of the store: a check of the rest axes on another ground."""
    reasons, doubts = [], []
    for name, axis in _HINGES.items():
        bends = rotation.to_rotvec(quats_T22x4[:, SMPL22_NAMES.index(name)])
        bends[:, 1 if name.endswith("knee") else 0] = 0  # a twist along the bone is no bend
        angles = np.linalg.norm(bends, axis=-1)
        bent = angles > _BENT_RAD
        if bent.sum() < 10:
            continue
        hinge = (bends[bent] / angles[bent, None]).mean(axis=0)
        off = float(np.degrees(np.arccos(np.clip(hinge @ np.array(axis) / np.linalg.norm(hinge), -1, 1))))
        said = f"the {name.replace('_', ' ')} bends {off:.0f} degrees off a person's hinge"
        reasons.append(said)
        if off > _HINGE_OFF_DEG:
            doubts.append(Doubt(0.8, f"{said}: its axes in the T-pose may be wrong"))
    return reasons, doubts


def _bones(tree: Tree, limb: Limb) -> tuple[float, float]:
    return tree.distance(limb.upper, limb.middle), tree.distance(limb.middle, limb.lower)


def _hanging(tree: Tree, limbs: Limbs, leg: float) -> list[Doubt]:
    """Tails, and things carried on the trunk."""
    trunk = (limbs.pelvis, *limbs.spine)
    body = {*trunk, *limbs.neck}
    for limb in (*limbs.legs, *limbs.arms):
        body |= {*limb.holders, limb.upper}
    names = plain_names(tree.skeleton.names)
    found = []
    for joint in trunk:
        for child in tree.children[joint]:
            length = float(tree.lengths[child] + tree.reach[child])
            if child not in body and length > _TAIL * leg:
                what = f"{names[child]!r} and what hangs on it, {length / leg:.1f} legs long, is no part of a body: a tail?"
                found.append(Doubt(0.6, what))
    return found[:2]


def _names(skeleton: Skeleton, limbs: Limbs) -> list[Doubt]:
    names = plain_names(skeleton.names)
    for left, right in (limbs.legs, limbs.arms):
        for one, other in ((left.upper, right.upper), (left.middle, right.middle), (left.lower, right.lower)):
            if _says_right(names[one], names[other]):
                what = (
                    f"{names[one]!r} lies on the left, {names[other]!r} on the right: mirrored axes, or exchanged names"
                )
                return [Doubt(0.3, what)]
    return []


def _says_right(name: str, other: str) -> bool:
    """Whether two names that differ in their side alone call the first one right."""
    name, other = name.lower(), other.lower()
    if name.replace("right", "left") == other:
        return name != other
    differ = [pair for pair in zip(name, other, strict=False) if pair[0] != pair[1]]
    return len(name) == len(other) and differ == [("r", "l")]
