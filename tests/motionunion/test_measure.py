from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionunion import measure, rotation
from motionunion.body import TEMPLATE
from motionunion.kinematics import forward_kinematics
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS

FloatArray = npt.NDArray[np.float64]
TO_AXIS = {
    "y": [0.0, 0.0, 0.0], "z": [np.pi / 2, 0, 0], "-z": [-np.pi / 2, 0, 0], "-y": [np.pi, 0, 0],
    "x": [0, 0, -np.pi / 2], "-x": [0, 0, np.pi / 2],
}  # fmt: skip


def walk(frames: int = 60, yaw: float = 0.0, seed: int = 0) -> FloatArray:
    """A body that strides along where it faces, +Y up, metres; (T, 22, 3)."""
    phase = np.linspace(0, 3 * np.pi, frames)
    rotvecs = np.random.default_rng(seed).normal(0, 0.05, (frames, 22, 3))
    rotvecs[:, 1, 0] += 0.5 * np.sin(phase)
    rotvecs[:, 2, 0] -= 0.5 * np.sin(phase)
    quats = rotation.from_rotvec(rotvecs)
    turn = rotation.from_rotvec([0.0, yaw, 0.0])
    quats[:, 0] = rotation.multiply(turn, quats[:, 0])
    root = rotation.rotate(turn, np.stack([0 * phase, 0.93 + 0 * phase, 0.5 * phase], axis=-1))
    return forward_kinematics(root, quats, TEMPLATE.offsets_22x3, SMPL22_PARENTS)


def turned(joints: FloatArray, axis: str) -> FloatArray:
    """The same motion in axes of which another one points up."""
    return rotation.rotate(rotation.from_rotvec(TO_AXIS[axis]), joints)


@pytest.mark.parametrize("axis", list(measure.AXES))
@pytest.mark.parametrize("scale", [1.0, 100.0, 17.7])
def test_the_up_axis_is_where_a_walking_body_points(axis: str, scale: float) -> None:
    value, confidence, reasons = measure.measured_up(turned(walk(), axis) * scale)
    assert value == axis
    assert confidence > 0.9
    assert any("leg lengths across" in reason for reason in reasons)


def test_a_body_that_stands_still_gives_less_certainty_than_one_that_walks() -> None:
    still = walk() - walk()[:, :1] + walk()[:1, :1]
    assert measure.measured_up(still).value == "y"
    assert measure.measured_up(still).confidence < 0.75 < measure.measured_up(walk()).confidence


@pytest.mark.parametrize(("unit_m", "name"), [(unit, name) for name, unit in measure.UNITS_M.items()])
def test_the_unit_is_the_one_that_makes_thigh_and_pelvis_a_persons(unit_m: float, name: str) -> None:
    value, confidence, reasons = measure.measured_unit_m(turned(walk(), "z") / unit_m)
    assert value == unit_m
    assert confidence > 0.9
    assert any(name in reason for reason in reasons)


def test_a_size_that_no_usual_unit_explains_is_scaled_to_a_person_without_confidence() -> None:
    value, confidence, _ = measure.measured_unit_m(walk() / 0.04)
    assert value == pytest.approx(0.04, rel=0.15)
    assert confidence < 0.5


def test_a_body_that_never_stands_leaves_the_unit_to_the_thigh() -> None:
    joints = turned(walk(), "z")
    value, confidence, reasons = measure.measured_unit_m(joints, up="y")
    assert value == 1.0
    assert 0.5 < confidence < 0.9
    assert "nobody stands up straight here" in reasons[-1]


def test_units_are_further_apart_than_the_longest_thigh_from_the_shortest() -> None:
    units = sorted(measure.UNITS_M.values())
    assert min(b / a for a, b in pairwise(units)) > measure.THIGH_M[1] / measure.THIGH_M[0]


@given(st.floats(-3.1, 3.1), st.sampled_from(list(measure.AXES)))
def test_facing_follows_the_yaw_in_every_axis(yaw: float, axis: str) -> None:
    front = measure.facing(turned(walk(20, yaw), axis), axis)
    wanted = turned(np.array([np.sin(yaw), 0.0, np.cos(yaw)]), axis)
    assert np.median(front @ wanted) > 0.95
    np.testing.assert_allclose(np.linalg.norm(front, axis=-1), 1.0)
    np.testing.assert_allclose(front @ np.array(measure.AXES[axis]), 0.0, atol=1e-9)


def test_a_frame_without_direction_faces_as_the_one_before() -> None:
    joints = walk(10)
    front = measure.facing(joints)
    for name in ("left", "right"):
        for part in ("hip", "shoulder"):
            joints[[0, 4], SMPL22_NAMES.index(f"{name}_{part}")] = joints[[0, 4], 0]
    held = measure.facing(joints)
    np.testing.assert_array_equal(held[4], front[3])
    np.testing.assert_array_equal(held[0], front[1])
    np.testing.assert_array_equal(held[5:], front[5:])
    with pytest.raises(ValueError, match="no direction"):
        measure.facing(np.zeros((3, 22, 3)))


@pytest.mark.parametrize("axis", ["y", "x"])
def test_the_height_is_that_of_the_rest_pose_whatever_the_axis(axis: str) -> None:
    rest = walk(2, seed=1) * 0 + forward_kinematics(
        np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 22, 1)), TEMPLATE.offsets_22x3, SMPL22_PARENTS
    )
    standing = rest[0, 15, 1] - rest[0, 10:12, 1].mean()
    assert measure.height(turned(walk(), axis)) == pytest.approx(standing, rel=0.04)


def test_axis_names_are_those_of_the_nearest_axis() -> None:
    assert measure.axis_name([0.2, -0.9, 0.3]) == "-y"
    assert {measure.axis_name(vector) for vector in measure.AXES.values()} == set(measure.AXES)
