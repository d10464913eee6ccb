"""A skeleton in motion, as `motionunion.skeleton_inspection` looks at it: posed, with what turns and where its bones end.

Shapes: T frames, J joints of the file; the file's unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.joint_map import END, plain_names
from motionunion.rest_pose import pose_file
from motionunion.skeleton import Skeleton
from motionunion.world_frame import TO_Y_UP

FloatArray = npt.NDArray[np.float64]

_STILL = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Moving:
    """A skeleton in motion, in the file's unit and axes."""

    skeleton: Skeleton
    world_TJ4: FloatArray
    joints_TJ3: FloatArray
    turns: frozenset[int]
    """Joints whose own rotation changes over the clip."""
    ends: dict[str, FloatArray]
    """Offset of the End Site of each joint that has one, by plain name."""


def in_motion(
    skeleton: Skeleton, quats_TJ4: FloatArray, root_T3: FloatArray, sites: Mapping[str, FloatArray]
) -> Moving:
    """A skeleton posed by local rotations and its root's path; `sites` are its End Sites by the file's names."""
    world, joints = pose_file(skeleton, quats_TJ4, root_T3)
    moved = np.abs(quats_TJ4 - quats_TJ4[:1]).max(axis=(0, 2)) > _STILL
    plain = dict(zip(skeleton.names, plain_names(skeleton.names), strict=True))
    ends = {plain[name]: site for name, site in sites.items() if name in plain}
    return Moving(skeleton, world, joints, frozenset(np.flatnonzero(moved).tolist()), ends)


def stood_up(moving: Moving, up: str) -> Moving:
    """The same with +Y up."""
    turn = TO_Y_UP[up]
    world, joints = rotation.multiply(turn, moving.world_TJ4), rotation.rotate(turn, moving.joints_TJ3)
    return replace(moving, world_TJ4=world, joints_TJ3=joints)


def with_ends(moving: Moving, ends: tuple[str, ...]) -> Moving:
    """The skeleton with some End Sites as joints that never turn."""
    if not ends:
        return moving
    plain = plain_names(moving.skeleton.names)
    above = [plain.index(name.removesuffix(END)) for name in ends]
    offsets = np.array([moving.ends[name.removesuffix(END)] for name in ends])
    skeleton = Skeleton(
        (*plain, *ends), (*moving.skeleton.parents, *above), np.concatenate([moving.skeleton.offsets_J3, offsets])
    )
    places = moving.joints_TJ3[:, above] + rotation.rotate(moving.world_TJ4[:, above], offsets)
    return Moving(
        skeleton,
        np.concatenate([moving.world_TJ4, moving.world_TJ4[:, above]], axis=1),
        np.concatenate([moving.joints_TJ3, places], axis=1),
        moving.turns,
        moving.ends,
    )
