from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.kinematics import forward_kinematics
from motionunion.plausibility import implausibilities
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS

FloatArray = npt.NDArray[np.float64]
OFFSETS = TEMPLATE.offsets_22x3


def body(turn: list[float], frames: int = 10, seed: int = 0) -> FloatArray:
    """A body with a little noise in its joints, turned as a whole; (T, 22, 3)."""
    quats = rotation.from_rotvec(np.random.default_rng(seed).normal(0, 0.1, (frames, 22, 3)))
    quats[:, 0] = rotation.multiply(rotation.from_rotvec(turn), quats[:, 0])
    root = np.tile([0.0, 0.9, 0.0], (frames, 1))
    return forward_kinematics(root, quats, OFFSETS, SMPL22_PARENTS)


@pytest.mark.parametrize(
    "turn",
    [
        [0, 0, 0],
        [0, 3, 0],
        [-np.pi / 2, 0, 0],  # on the back
        [np.pi / 2, 0, 0],  # on the belly
        [0, 0, np.pi / 2],  # on the side
    ],
)
@pytest.mark.parametrize("frames", [1, 2, 50])
def test_standing_turning_and_lying_are_motion(turn: list[float], frames: int) -> None:
    assert implausibilities(body(turn, frames)) == {}
    assert implausibilities(body(turn, frames), OFFSETS) == {}


def test_a_handstand_for_half_the_clip_is_motion() -> None:
    assert implausibilities(np.concatenate([body([0, 0, 0]), body([np.pi, 0, 0])])) == {}


@pytest.mark.parametrize("scale", [100.0, 39.37, 0.01, 2.0, 0.5])
def test_another_unit_is_found_by_the_thigh(scale: float) -> None:
    assert list(implausibilities(body([0, 0, 0]) * scale)) == ["implausible_size"]
    assert list(implausibilities(body([0, 0, 0]) * scale, OFFSETS * scale)) == ["implausible_size"]


@pytest.mark.parametrize("turn", [[0, 0, 0], [0, 2, 0], [-np.pi / 2, 0, 0]])
def test_a_reflection_is_found_in_any_pose(turn: list[float]) -> None:
    joints = body(turn)
    assert list(implausibilities(joints * [-1, 1, 1])) == ["left_right_exchanged"]
    assert list(implausibilities(joints[..., [0, 2, 1]])) == ["left_right_exchanged"]  # the bare exchange of y and z
    assert list(implausibilities(joints, OFFSETS * [-1, 1, 1])) == ["left_right_exchanged"]


def test_a_body_on_its_head_all_the_time_means_another_up_axis() -> None:
    assert list(implausibilities(body([np.pi, 0, 0]))) == ["upside_down"]


@pytest.mark.parametrize(
    ("away_m", "found"), [(9_000.0, []), (20_000.0, ["implausible_place"]), (1e300, ["implausible_place"])]
)
def test_a_body_far_beyond_any_room_is_no_motion(away_m: float, found: list[str]) -> None:
    assert list(implausibilities(body([0, 0, 0]) + np.array([away_m, 0, 0]), OFFSETS)) == found


def walking(turn: list[float], frames: int = 60, along: tuple[float, float, float] = (0, 0, 2)) -> FloatArray:
    """A body that strides from the origin to `along`, then all of it turned."""
    phase = np.linspace(0, 1, frames)
    rotvecs = np.zeros((frames, 22, 3))
    rotvecs[:, 1, 0] = 0.4 * np.sin(3 * np.pi * phase)
    rotvecs[:, 2, 0] = -rotvecs[:, 1, 0]
    root = np.array([0.0, 0.93, 0.0]) + phase[:, None] * along
    joints = forward_kinematics(root, rotation.from_rotvec(rotvecs), OFFSETS, SMPL22_PARENTS)
    return rotation.rotate(rotation.from_rotvec(turn), joints)


WRONG_AXES = {"z": [np.pi / 2, 0, 0], "-z": [-np.pi / 2, 0, 0], "x": [0, 0, -np.pi / 2], "-x": [0, 0, np.pi / 2]}


@pytest.mark.parametrize("axis", list(WRONG_AXES))
@pytest.mark.parametrize("yaw", [0.0, 1.6, 3.1])
def test_a_body_that_walks_along_another_axis_contradicts_the_stated_one(axis: str, yaw: float) -> None:
    joints = rotation.rotate(rotation.from_rotvec(WRONG_AXES[axis]), walking([0, yaw, 0]))
    found = implausibilities(joints)
    assert list(found) == ["axis_disagrees"]
    assert "walks the way it faces" in found["axis_disagrees"]


@pytest.mark.parametrize(
    ("axis", "shown_by"),
    [("x", "m up or down"), ("-x", "m up or down"), ("z", "soles at zero"), ("-z", "soles at zero")],
)
def test_a_body_that_walks_sideways_contradicts_it_by_its_height_or_its_soles(axis: str, shown_by: str) -> None:
    joints = rotation.rotate(rotation.from_rotvec(WRONG_AXES[axis]), walking([0, 0, 0], along=(2, 0, 0)))
    assert shown_by in implausibilities(joints)["axis_disagrees"]


@pytest.mark.parametrize("axis", list(WRONG_AXES))
def test_standing_with_the_soles_at_zero_of_another_axis_contradicts_it(axis: str) -> None:
    standing = walking([0, 0, 0], along=(0, 0, 0))
    standing[..., 1] -= standing[..., 1].min()
    joints = rotation.rotate(rotation.from_rotvec(WRONG_AXES[axis]), standing)
    apart = joints - np.array([0, 1.0, 0])  # not lying on a floor at zero
    assert list(implausibilities(apart)) == ["axis_disagrees"]
    assert implausibilities(joints - joints[:, :1]) == {}  # about the origin nothing can be said


@pytest.mark.parametrize(
    "moving",
    [
        "crawls", "rolls", "is dragged by the feet", "sleeps", "swims", "climbs",
    ],
)  # fmt: skip
def test_what_people_do_lying_is_motion(moving: str) -> None:
    lying = walking([-np.pi / 2, 0, 0], along=(0, 0, 0))  # on the back, head towards -Z
    lying -= lying[:1, :1]
    phase = np.linspace(0, 1, len(lying))[:, None, None]
    if moving == "rolls":
        turns = rotation.from_rotvec(phase[:, 0] * [0, 0, 12.0])
        lying = rotation.rotate(turns[:, None], lying) + phase * [-2.5, 0, 0]
    elif moving == "climbs":
        lying = walking([0, 0, 0], along=(0, 3, 0.2))
    else:
        ways = {"crawls": [0, 0, 2], "is dragged by the feet": [0, 0, -3], "sleeps": [0, 0, 0], "swims": [0, 0.3, 5]}
        lying = lying + phase * np.array(ways[moving])
    assert implausibilities(lying + np.array([0, 0.12, 0]), fps=30) == {}


@pytest.mark.parametrize(("scale", "found"), [(1.0, []), (94.0, ["unit_disagrees"]), (100.0, ["unit_disagrees"])])
def test_a_path_that_no_sprinter_could_run_is_in_another_unit(scale: float, found: list[str]) -> None:
    joints = walking([0, 0, 0])
    path = joints[:, :1] * np.array([1.0, 0, 1.0])
    assert list(implausibilities(joints + (scale - 1) * path, fps=30)) == found


@pytest.mark.parametrize(("speed", "found"), [(15.0, []), (35.0, []), (80.0, ["unit_disagrees"])])
def test_who_is_carried_may_be_faster_than_a_sprinter(speed: float, found: list[str]) -> None:
    """A skier: long turns, 5 m/s2 across."""
    time = np.arange(300)[:, None] / 60
    path = np.concatenate([5.0 * np.sin(time), 0 * time, speed * time], axis=1)
    assert list(implausibilities(body([0, 0, 0], 300) + path[:, None], fps=60)) == found


def test_steps_at_ten_times_the_speed_are_in_another_unit() -> None:
    time = np.arange(300)[:, None] / 60
    path = np.concatenate([0.03 * np.sin(6 * time), 0.03 * np.sin(12 * time), 1.4 * time], axis=1)
    joints = body([0, 0, 0], 300)
    assert implausibilities(joints + path[:, None], fps=60) == {}
    assert list(implausibilities(joints + 10 * path[:, None], fps=60)) == ["unit_disagrees"]


def test_a_body_that_leaps_from_frame_to_frame_has_no_path_whose_unit_could_be_wrong() -> None:
    joints = body([0, 0, 0], 50)
    leaps = np.random.default_rng(1).normal(0, 1, (50, 1, 3))
    assert implausibilities(joints + leaps, fps=120) == {}


def test_a_size_that_another_unit_explains_names_it() -> None:
    assert "0.01 times" in implausibilities(walking([0, 0, 0]) * 100)["implausible_size"]
    assert "or not of a person" in implausibilities(walking([0, 0, 0]) * 2)["implausible_size"]


@pytest.mark.parametrize(
    ("joint", "to", "found"),
    [
        ("left_ankle", 0.5, "the left shin is"),  # cut short on one side
        ("elbow", 0.25, "the upper arm is"),  # collars taken for shoulders, ...
        ("wrist", 0.25, "the upper arm is"),
        ("ankle", 0.4, "the thigh is"),
    ],
)
def test_limbs_of_other_proportions_than_anyones_are_other_joints(joint: str, to: float, found: str) -> None:
    offsets = OFFSETS.copy()
    moved = [index for index, name in enumerate(SMPL22_NAMES) if name.endswith(joint)]
    offsets[moved] *= to
    joints = forward_kinematics(np.zeros((2, 3)), np.tile([1.0, 0, 0, 0], (2, 22, 1)), offsets, SMPL22_PARENTS)
    for given in (None, offsets):
        reasons = implausibilities(joints, given)
        assert list(reasons) == ["implausible_body"]
        assert reasons["implausible_body"].startswith(found)
    mask = np.array([index not in moved for index in range(22)])
    assert implausibilities(joints, joint_mask=mask) == {}


def test_joints_in_another_order_are_not_a_person() -> None:
    """The order of OpenPose-like files (right leg, left leg, trunk, arms, toes), read as SMPL's."""
    other = [0, 2, 5, 8, 1, 4, 7, 3, 6, 9, 12, 15, 13, 16, 18, 20, 14, 17, 19, 21, 10, 11]
    assert implausibilities(body([0, 0, 0])[:, other])
    random = np.random.default_rng(0)
    for _ in range(30):
        order = random.permutation(22)
        if not (order == np.arange(22)).all():
            assert implausibilities(body([0, 0, 0])[:, order]), order
