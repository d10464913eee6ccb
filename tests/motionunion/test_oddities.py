from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.kinematics import forward_kinematics
from motionunion.oddities import oddities
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS

FloatArray = npt.NDArray[np.float64]
FPS = 60.0


@pytest.fixture
def quats() -> FloatArray:
    """Slow turns of every joint; (60, 22, 4)."""
    phase = np.linspace(0, 2 * np.pi, 60)[:, None, None]
    axes = np.random.default_rng(0).normal(0, 0.1, (1, 22, 3))
    return rotation.from_rotvec(axes * np.sin(phase))


def posed(quats: FloatArray, root: FloatArray | None = None) -> FloatArray:
    path = np.linspace([0.0, 0.9, 0.0], [0.0, 0.9, 1.0], len(quats)) if root is None else root
    return forward_kinematics(path, quats, TEMPLATE.offsets_22x3, SMPL22_PARENTS)


def test_a_quiet_walk_is_not_odd(quats: FloatArray) -> None:
    hands = np.sin(np.arange(60 * 90.0)).reshape(60, 90)
    assert oddities(posed(quats), FPS, quats_T22x4=quats, hands_T90=hands) == ()
    assert oddities(posed(quats), FPS) == ()


def test_one_leap_of_the_whole_body_is_fast_and_keeps_its_bones(quats: FloatArray) -> None:
    joints = posed(quats)
    joints[30:] += [0.2, 0, 0]  # 12 m/s for one frame
    assert oddities(joints, FPS) == ("fast_root",)
    joints[30:] += [0.2, 0, 0]
    assert oddities(joints, FPS) == ("fast_root", "fast_joint")


def test_the_same_frames_are_fast_at_a_higher_rate_only(quats: FloatArray) -> None:
    joints = posed(quats)
    joints[30:] += [0.1, 0, 0]
    assert oddities(joints, 60.0) == ()
    assert oddities(joints, 120.0) == ("fast_root",)


@pytest.mark.parametrize(("angle", "found"), [(0.5, ()), (0.8, ("fast_turn",)), (3.1, ("fast_turn",))])
def test_a_joint_that_snaps_over_turns_fast(quats: FloatArray, angle: float, found: tuple[str, ...]) -> None:
    quats[30:, 15] = rotation.multiply(rotation.from_rotvec([0, angle, 0]), quats[30, 15])
    assert oddities(posed(quats), FPS, quats_T22x4=quats) == found


def test_a_quaternion_of_the_other_sign_is_no_turn(quats: FloatArray) -> None:
    quats[::2] *= -1
    assert oddities(posed(quats), FPS, quats_T22x4=quats) == ()


def test_a_slow_rate_lets_a_joint_turn_by_any_angle(quats: FloatArray) -> None:
    quats[30:, 15] = rotation.from_rotvec([0, 3.1, 0])
    assert oddities(posed(quats), 12.0, quats_T22x4=quats) == ()


def test_positions_whose_bones_stretch_drift(quats: FloatArray) -> None:
    joints = posed(quats)
    wrist = SMPL22_NAMES.index("left_wrist")
    stretch = (joints[:, wrist] - joints[:, SMPL22_PARENTS[wrist]]) * np.linspace(-0.05, 0.05, 60)[:, None]
    joints[:, wrist] += stretch
    assert oddities(joints, FPS) == ("bone_drift",)
    assert oddities(joints, FPS, joint_mask=np.arange(22) != wrist) == ()
    assert oddities(joints, FPS, quats_T22x4=quats) == ()


def test_a_bone_without_length_does_not_drift(quats: FloatArray) -> None:
    joints = posed(quats)
    joints[:, 15] = joints[:, 12]
    assert oddities(joints, FPS) == ()


@pytest.mark.parametrize("pose", [0.0, 0.3])
def test_hands_that_keep_one_pose_are_frozen(quats: FloatArray, pose: float) -> None:
    hands = np.full((60, 90), pose)
    assert oddities(posed(quats), FPS, quats_T22x4=quats, hands_T90=hands) == ("frozen_hands",)
    hands[40, 3] += 1e-3
    assert oddities(posed(quats), FPS, quats_T22x4=quats, hands_T90=hands) == ()


def test_a_body_that_lies_most_of_the_time_is_not_upright(quats: FloatArray) -> None:
    lying = quats.copy()
    lying[20:, 0] = rotation.from_rotvec([-1.5, 0, 0])
    root = np.tile([0.0, 0.3, 0.0], (60, 1))
    assert oddities(posed(lying, root), 5.0) == ("not_upright",)
    lying[20:, 0] = quats[20:, 0]
    lying[:20, 0] = rotation.from_rotvec([-1.5, 0, 0])
    assert oddities(posed(lying, root), 5.0) == ()
