"""Forward kinematics: local rotations and rest offsets to world rotations and positions.

Shapes: T frames, J joints. Quaternions are wxyz and unit length; positions share the unit of the offsets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from motionunion import rotation


def global_rotations(quats_TJ4: npt.ArrayLike, parents: Sequence[int]) -> npt.NDArray[np.float64]:
    """World rotations (T, J, 4) of local ones: each joint's is its parent's times its own.

    `parents` must name every parent before its children; -1 marks a root.
    """
    local = np.asarray(quats_TJ4, dtype=np.float64)
    world = np.empty_like(local)
    for joint, parent in enumerate(parents):
        world[:, joint] = local[:, joint] if parent < 0 else rotation.multiply(world[:, parent], local[:, joint])
    return world


def local_rotations(world_TJ4: npt.ArrayLike, parents: Sequence[int]) -> npt.NDArray[np.float64]:
    """Local rotations (T, J, 4) of world ones; inverse of `global_rotations`."""
    world = np.asarray(world_TJ4, dtype=np.float64)
    local = world.copy()
    children = [joint for joint, parent in enumerate(parents) if parent >= 0]
    above = [parents[joint] for joint in children]
    local[:, children] = rotation.multiply(rotation.conjugate(world[:, above]), world[:, children])
    return local


def pose(
    root_T3: npt.ArrayLike, world_TJ4: npt.ArrayLike, offsets_J3: npt.ArrayLike, parents: Sequence[int]
) -> npt.NDArray[np.float64]:
    """World positions (T, J, 3) from world rotations: a joint sits at its parent plus the parent's turned offset.

    `root_T3` is the world position of joint 0. `offsets_J3` is (J, 3), or (T, J, 3) for a file whose bones change;
    row 0 is not used.
    """
    world = np.asarray(world_TJ4, dtype=np.float64)
    offsets = np.asarray(offsets_J3, dtype=np.float64)
    frames, count = world.shape[:2]
    above = [max(parent, 0) for parent in parents]
    bones = rotation.rotate(world[:, above], offsets if offsets.ndim == 3 else offsets[None])
    joints = np.empty((frames, count, 3))
    joints[:, 0] = root_T3
    for joint, parent in enumerate(parents):
        if parent >= 0:
            joints[:, joint] = joints[:, parent] + bones[:, joint]
    return joints


def forward_kinematics(
    root_T3: npt.ArrayLike, quats_TJ4: npt.ArrayLike, offsets_J3: npt.ArrayLike, parents: Sequence[int]
) -> npt.NDArray[np.float64]:
    """World positions (T, J, 3) of a skeleton.

    Args:
        root_T3: World position of joint 0, (T, 3); it replaces the offset of joint 0.
        quats_TJ4: Local rotations, wxyz, unit length.
        offsets_J3: Rest offset of each joint from its parent, (J, 3), or (T, J, 3) where bones change over time.
        parents: Parent of each joint, before its children; `parents[0]` is -1.
    """
    return pose(root_T3, global_rotations(quats_TJ4, parents), offsets_J3, parents)
