"""Skeletons: named joints, parents and rest offsets; the SMPL-22 order that the store speaks.

Shapes: J joints. Offsets are metres from parent to child in the rest pose, +Y up, +Z forward, the subject's left at +X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]

SMPL22_NAMES: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
SMPL22_PARENTS: tuple[int, ...] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
SMPL22_MIRROR_PAIRS: tuple[tuple[int, int], ...] = (
    (1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """Joints in an order in which every parent comes before its children.

    `parents[0]` is -1. `offsets_J3` holds the rest offset of each joint from its parent (the root's is its own rest
    position), in the unit and axes of whoever holds the skeleton.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets_J3: FloatArray

    def __post_init__(self) -> None:
        if not (len(self.names) == len(self.parents) == len(self.offsets_J3)):
            raise ValueError(
                f"skeleton: {len(self.names)} names, {len(self.parents)} parents, {len(self.offsets_J3)} offsets"
            )
        if any(parent >= child for child, parent in enumerate(self.parents)):
            raise ValueError("skeleton: a parent must come before its children")

    def index(self, name: str) -> int:
        """Position of a joint by its exact name."""
        return self.names.index(name)
