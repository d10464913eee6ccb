"""Where the limbs of an unknown skeleton are: two legs, two arms, a spine between them and a neck, from the tree alone.

Names decide nothing here. Two chains of like bones that hang on one joint are a pair of limbs; the two pairs that make the
largest body are legs and arms; what lies between their roots is the spine. Within a limb, hip, knee and ankle (shoulder,
elbow, wrist) are those joints whose bones have a person's proportions, so that twist joints, buttocks and hands find their
places. Which of a pair is the left one is seen in the motion, not here.

Shapes: J joints; lengths in the file's unit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from motionunion.errors import ClipError
from motionunion.skeleton import FloatArray, Skeleton

_UNEQUAL = 0.15
"""Two sides of a body whose bones differ by more, as a share of the limb, are no pair."""
_SHORT = 0.25
"""A bone shorter than this share of a thigh holds the hip rather than being one."""
_SHIN_PER_THIGH, _FOREARM_PER_ARM, _ARM_PER_THIGH = 1.0, 0.93, 0.68
_SPREAD = 0.25
_SKIPPED, _FORKS = 1.2, 1.5
"""What a joint inside a bone (a twist joint) costs among likenesses, and what fingers or toes that begin at its end are worth."""
_NOWHERE = 1e-4
"""Joints nearer than this share of a limb are at one place."""


@dataclass(frozen=True, slots=True)
class Limb:
    """One arm or leg: indices of the file's joints."""

    holders: tuple[int, ...]
    """Joints before the first of the three, from the trunk on: collars, hip holders."""
    upper: int
    """Hip or shoulder."""
    middle: int
    """Knee or elbow."""
    lower: int
    """Ankle or wrist."""
    beyond: tuple[int, ...]
    """The longest chain after it: foot and toes, hand and a finger."""


@dataclass(frozen=True, slots=True)
class Limbs:
    """The body in a skeleton. Sides are not told yet: legs and arms are in file order."""

    pelvis: int
    spine: tuple[int, ...]
    """From above the pelvis to the chest, which the arms hang on."""
    neck: tuple[int, ...]
    """From above the chest to the end of the head."""
    legs: tuple[Limb, Limb]
    arms: tuple[Limb, Limb]

    @property
    def chest(self) -> int:
        """The joint that the arms hang on."""
        return self.spine[-1]


@dataclass(frozen=True, slots=True)
class _Pair:
    parent: int
    first: tuple[int, ...]
    second: tuple[int, ...]
    length: float


class Tree:
    """A skeleton with what is asked of it often."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.parents = skeleton.parents
        self.lengths: FloatArray = np.linalg.norm(skeleton.offsets_J3, axis=-1)
        self.children: list[list[int]] = [[] for _ in self.parents]
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                self.children[parent].append(joint)
        self.reach = np.zeros(len(self.parents))
        """Length of the longest chain below each joint."""
        for joint in reversed(range(1, len(self.parents))):
            parent = self.parents[joint]
            self.reach[parent] = max(self.reach[parent], self.lengths[joint] + self.reach[joint])

    def chain(self, joint: int) -> tuple[int, ...]:
        """A joint and the longest chain below it."""
        chain = [joint]
        while self.children[chain[-1]]:
            chain.append(max(self.children[chain[-1]], key=lambda child: self.lengths[child] + self.reach[child]))
        return tuple(chain)

    def above(self, joint: int) -> list[int]:
        """A joint and those above it, up to the root."""
        path = [joint]
        while self.parents[path[-1]] >= 0:
            path.append(self.parents[path[-1]])
        return path

    def path(self, above: int, joint: int) -> tuple[int, ...]:
        """Joints from below `above` down to `joint`, which hangs on it."""
        found = self.above(joint)
        return tuple(reversed(found[: found.index(above)]))

    def distance(self, above: int, joint: int) -> float:
        """Length of the bones from one joint down to another."""
        return float(self.lengths[list(self.path(above, joint))].sum())


def find_limbs(skeleton: Skeleton) -> Limbs:
    """The limbs of a skeleton.

    Raises:
        ClipError: `no_human_body`, where there are no two pairs of limbs with a spine between them.
    """
    tree = Tree(skeleton)
    pairs = list(_pairs(tree))
    bodies = [
        (lower, upper) for lower, upper in itertools.permutations(pairs, 2) if _spine(tree, lower, upper) is not None
    ]
    if not bodies:
        raise ClipError(
            f"no two legs and two arms with a spine between them ({len(pairs)} pairs of like chains among "
            f"{len(skeleton.names)} joints): this is no human body, or only a part of one",
            reason="no_human_body",
        )
    lower, upper = max(bodies, key=lambda body: (body[0].length + body[1].length, body[0].length))
    pelvis, spine = _spine(tree, lower, upper) or (0, ())
    legs = tuple(_leg(tree, pelvis, chain) for chain in (lower.first, lower.second))
    thigh = float(np.mean([tree.distance(leg.upper, leg.middle) for leg in legs]))
    if thigh == 0:
        raise ClipError("the legs have no length", reason="no_human_body")
    arms = tuple(_arm(tree, chain, thigh) for chain in (upper.first, upper.second))
    return Limbs(pelvis, spine, _neck(tree, spine[-1], upper), (legs[0], legs[1]), (arms[0], arms[1]))


def _pairs(tree: Tree) -> Iterator[_Pair]:
    for parent, children in enumerate(tree.children):
        for first, second in itertools.combinations(children, 2):
            chains = tree.chain(first), tree.chain(second)
            bones = [tree.lengths[list(chain[1:])] for chain in chains]
            total = max(float(bone.sum()) for bone in bones)
            solid = [bone[bone > _NOWHERE * total] for bone in bones]
            if min(map(len, solid)) < 2 or abs(solid[0].sum() - solid[1].sum()) > _UNEQUAL * total:
                continue
            shared = min(map(len, solid))
            if np.abs(solid[0][:shared] - solid[1][:shared]).max() <= _UNEQUAL * total:
                yield _Pair(parent, *chains, total)


def _spine(tree: Tree, lower: _Pair, upper: _Pair) -> tuple[int, tuple[int, ...]] | None:
    """Pelvis, and the joints from above it to where the upper pair hangs; None where this cannot be a body.

    The legs are the longer pair, and hang nearer to the root than the arms: a hierarchy that begins at the chest is turned
    about another joint than a person's, and is not read.
    """
    if lower.parent == upper.parent or lower.length < upper.length * 0.8:
        return None
    below, above = tree.above(lower.parent), tree.above(upper.parent)
    if any(chain[0] in above for chain in (lower.first, lower.second)):
        return None
    if any(chain[0] in below for chain in (upper.first, upper.second)):
        return None
    pelvis = next(joint for joint in below if joint in above)
    spine = tree.path(pelvis, upper.parent)
    return (pelvis, spine) if spine and len(tree.path(pelvis, lower.parent)) <= 1 else None


def _triple(tree: Tree, chain: Sequence[int], expected: float, usual: float, upper_alone: bool) -> tuple[int, int, int]:
    """Places in a chain of the three joints of a limb: those whose two bones are most like a person's.

    Args:
        tree: The skeleton.
        chain: Joints of a limb, from the trunk on.
        expected: Length of the second bone per length of the first.
        usual: Expected length of the first bone, or of both.
        upper_alone: Which of the two.
    """
    along = np.concatenate([[0.0], np.cumsum(tree.lengths[list(chain[1:])])])

    def unlikeness(triple: tuple[int, int, int]) -> tuple[float, int]:
        first, second = along[triple[1]] - along[triple[0]], along[triple[2]] - along[triple[1]]
        if min(first, second) <= _NOWHERE * along[-1] or usual <= 0:
            return float("inf"), triple[0]
        size = first if upper_alone else first + second
        off = np.log(second / first / expected) ** 2 + np.log(size / usual) ** 2
        skipped = triple[2] - triple[0] - 2
        forks = len(tree.children[chain[triple[2]]]) > 1
        return float(off / _SPREAD**2 + _SKIPPED * skipped - _FORKS * forks), -triple[0]

    return min(itertools.combinations(range(len(chain)), 3), key=unlikeness)


def _leg(tree: Tree, pelvis: int, chain: tuple[int, ...]) -> Limb:
    chain = tree.path(pelvis, chain[0]) + chain[1:]
    first = 0
    while first < len(chain) - 3 and tree.distance(pelvis, chain[first]) <= _NOWHERE * tree.reach[chain[0]]:
        first += 1
    usual = 0.8 * float(tree.lengths[list(chain[first + 1 :])].sum())
    hip, knee, ankle = (place + first for place in _triple(tree, chain[first:], _SHIN_PER_THIGH, usual, False))
    while knee - hip > 1 and tree.distance(chain[hip], chain[hip + 1]) < _SHORT * tree.distance(
        chain[hip], chain[knee]
    ):
        hip += 1
    return Limb(chain[:hip], chain[hip], chain[knee], chain[ankle], chain[ankle + 1 :])


def _arm(tree: Tree, chain: tuple[int, ...], thigh: float) -> Limb:
    first = 0
    while first < len(chain) - 3 and tree.lengths[chain[first]] <= _NOWHERE * tree.reach[chain[0]]:
        first += 1
    found = _triple(tree, chain[first:], _FOREARM_PER_ARM, _ARM_PER_THIGH * thigh, True)
    shoulder, elbow, wrist = (place + first for place in found)
    return Limb(chain[:shoulder], chain[shoulder], chain[elbow], chain[wrist], chain[wrist + 1 :])


def _neck(tree: Tree, chest: int, arms: _Pair) -> tuple[int, ...]:
    """The longest chain on the chest that is no arm, up to where it branches into a face."""
    others = [child for child in tree.children[chest] if child not in (arms.first[0], arms.second[0])]
    if not others:
        raise ClipError("nothing but two arms hangs on the chest: there is no head", reason="no_human_body")
    chain = tree.chain(max(others, key=lambda child: tree.lengths[child] + tree.reach[child]))
    face = next((place for place, joint in enumerate(chain) if len(tree.children[joint]) > 1), len(chain) - 1)
    return chain[: face + 1]
