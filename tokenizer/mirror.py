"""Mirror images of motion features: left becomes right, and a store of few takes holds twice as many.

Shapes: ... any leading shape, D features. A mirror image is a permutation of the columns and a sign for each; nothing is
decoded. HumanML3D doubles its own data so; bone lengths of its target skeleton differ by a centimetre between the
sides, which this leaves as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion.errors import ConfigError
from motionunion.representations import hml263_layout as layout
from motionunion.skeleton import SMPL22_MIRROR_PAIRS


@dataclass(frozen=True, slots=True, eq=False)
class Mirror:
    """`mirrored[..., d] = signs[d] * features[..., columns[d]]`."""

    columns: npt.NDArray[np.int64]
    signs: npt.NDArray[np.float32]

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Mirror images (..., D) of unnormalised features."""
        mirrored: npt.NDArray[np.float32] = features[..., self.columns] * self.signs
        return mirrored


def mirror_of(representation: str) -> Mirror:
    """The mirror of a representation.

    Raises:
        ConfigError: If none is laid down for it.
    """
    if not representation.startswith("hml263@"):
        raise ConfigError(f"training.mirror: no mirror image is defined for {representation}; set it to 0")
    columns = np.arange(layout.DIMS)
    signs = np.ones(layout.DIMS, dtype=np.float32)
    signs[layout.YAW] = -1
    signs[layout.TRAVEL.start] = -1  # X; Z stays

    twin = np.arange(layout.JOINTS)
    for left, right in SMPL22_MIRROR_PAIRS:
        twin[[left, right]] = right, left
    across = np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    # The mirror image of a rotation R is M R M with M = diag(-1, 1, 1); the block holds its first two columns.
    turned = np.concatenate([across[0] * across, across[1] * across])
    for block, first_joint, sign in (
        (layout.LOCAL_JOINTS, 1, across),
        (layout.ROTATIONS, 1, turned),
        (layout.VELOCITIES, 0, across),
    ):
        joints = twin[first_joint:] - first_joint
        width = len(sign)
        columns[block] = (block.start + joints[:, None] * width + np.arange(width)).ravel()
        signs[block] = np.tile(sign, len(joints))
    left_and_right = np.arange(layout.CONTACTS.start, layout.CONTACTS.stop).reshape(2, 2)
    columns[layout.CONTACTS] = left_and_right[::-1].ravel()
    return Mirror(columns, signs)
