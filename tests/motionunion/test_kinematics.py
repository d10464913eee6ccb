from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion import rotation
from motionunion.kinematics import forward_kinematics, global_rotations, local_rotations, pose
from motionunion.skeleton import SMPL22_PARENTS

FloatArray = npt.NDArray[np.float64]


def random_motion(frames: int, seed: int = 0) -> tuple[FloatArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    quats = rotation.normalise(rng.normal(size=(frames, 22, 4)))
    return rng.normal(size=(frames, 3)), quats, rng.normal(size=(22, 3))


def slow_kinematics(root: FloatArray, quats: FloatArray, offsets: FloatArray) -> FloatArray:
    """4 x 4 matrices, one frame and one joint at a time, with scipy: an independent way to the same joints."""
    joints = np.empty((len(root), 22, 3))
    for t in range(len(root)):
        worlds: list[FloatArray] = []
        for j, parent in enumerate(SMPL22_PARENTS):
            local = np.eye(4)
            local[:3, :3] = Rotation.from_quat(quats[t, j][[1, 2, 3, 0]]).as_matrix()
            local[:3, 3] = root[t] if parent < 0 else offsets[j]
            worlds.append(local if parent < 0 else worlds[parent] @ local)
            joints[t, j] = worlds[j][:3, 3]
    return joints


def test_forward_kinematics_equals_a_chain_of_matrices() -> None:
    root, quats, offsets = random_motion(7)
    joints = forward_kinematics(root, quats, offsets, SMPL22_PARENTS)
    np.testing.assert_allclose(joints, slow_kinematics(root, quats, offsets), atol=1e-12)


def test_offsets_may_change_from_frame_to_frame() -> None:
    root, quats, offsets = random_motion(5)
    moving = offsets * np.linspace(1, 2, 5)[:, None, None]
    joints = forward_kinematics(root, quats, moving, SMPL22_PARENTS)
    for t in range(5):
        still = forward_kinematics(root[t : t + 1], quats[t : t + 1], moving[t], SMPL22_PARENTS)
        np.testing.assert_allclose(joints[t], still[0], atol=1e-12)


@pytest.mark.parametrize("frames", [1, 1023, 1024, 1025, 2100])
def test_all_joints_of_a_generation_at_once_are_number_for_number_those_one_by_one(frames: int) -> None:
    rng = np.random.default_rng(frames)
    for count in (1, 2, 22, 40):
        parents = [-1, *(int(rng.integers(0, joint)) for joint in range(1, count))]
        quats = rotation.normalise(rng.normal(size=(frames, count, 4)))
        root, offsets = rng.normal(size=(frames, 3)), rng.normal(size=(count, 3))
        one_by_one = pose(root, global_rotations(quats, parents), offsets, parents)
        np.testing.assert_array_equal(forward_kinematics(root, quats, offsets, parents), one_by_one)


def test_bone_lengths_are_those_of_the_offsets() -> None:
    root, quats, offsets = random_motion(9)
    joints = forward_kinematics(root, quats, offsets, SMPL22_PARENTS)
    bones = joints[:, 1:] - joints[:, list(SMPL22_PARENTS[1:])]
    lengths = np.linalg.norm(bones, axis=-1)
    np.testing.assert_allclose(lengths, np.tile(np.linalg.norm(offsets[1:], axis=-1), (9, 1)), atol=1e-12)


def test_local_and_global_rotations_are_inverse() -> None:
    _, quats, _ = random_motion(9)
    back = local_rotations(global_rotations(quats, SMPL22_PARENTS), SMPL22_PARENTS)
    np.testing.assert_allclose(rotation.to_matrix(back), rotation.to_matrix(quats), atol=1e-12)


def test_identity_rotations_stack_the_offsets_on_the_root() -> None:
    root, _, offsets = random_motion(3)
    quats = np.tile([1.0, 0, 0, 0], (3, 22, 1))
    joints = forward_kinematics(root, quats, offsets, SMPL22_PARENTS)
    np.testing.assert_allclose(joints[:, 20], root + offsets[[3, 6, 9, 13, 16, 18, 20]].sum(0), atol=1e-12)
