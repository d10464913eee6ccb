"""scipy.spatial.transform is the oracle throughout; it orders quaternions xyzw."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation, Slerp

from motionunion import rotation

FloatArray = npt.NDArray[np.float64]


def random_quats(count: int, seed: int = 0) -> FloatArray:
    return rotation.normalise(np.random.default_rng(seed).normal(size=(count, 4)))


def to_scipy(quats: FloatArray) -> Rotation:
    return Rotation.from_quat(quats[..., [1, 2, 3, 0]])


def assert_same_rotations(quats: FloatArray, expected: Rotation, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(rotation.to_matrix(quats), expected.as_matrix(), atol=tolerance)


vectors = arrays(np.float64, 3, elements=st.floats(-10, 10, allow_subnormal=False))


def test_multiply_rotates_by_the_second_first() -> None:
    a, b = random_quats(50, 1), random_quats(50, 2)
    assert_same_rotations(rotation.multiply(a, b), to_scipy(a) * to_scipy(b))


def test_multiply_broadcasts_leading_axes() -> None:
    a, b = random_quats(6, 1).reshape(2, 3, 4), random_quats(1, 2)[0]
    assert rotation.multiply(b, a).shape == (2, 3, 4)
    np.testing.assert_allclose(rotation.multiply(b, a)[1, 2], rotation.multiply(b, a[1, 2]))


def test_conjugate_undoes_a_rotation() -> None:
    quats = random_quats(50)
    identity = rotation.multiply(rotation.conjugate(quats), quats)
    np.testing.assert_allclose(identity, np.tile([1.0, 0, 0, 0], (50, 1)), atol=1e-15)


def test_rotate_agrees_with_scipy() -> None:
    quats, points = random_quats(50), np.random.default_rng(3).normal(size=(50, 3))
    np.testing.assert_allclose(rotation.rotate(quats, points), to_scipy(quats).apply(points), atol=1e-14)


def test_a_quarter_turn_about_y_takes_z_to_x() -> None:
    quarter = rotation.from_rotvec([0, np.pi / 2, 0])
    np.testing.assert_allclose(rotation.rotate(quarter, [0.0, 0, 1]), [1, 0, 0], atol=1e-15)


@given(vectors)
def test_rotvec_to_quaternion_agrees_with_scipy(rotvec: FloatArray) -> None:
    assert_same_rotations(rotation.from_rotvec(rotvec), Rotation.from_rotvec(rotvec))


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-7, 9e-5, 1.1e-4, 1.0, 3.1, np.pi - 1e-9])
def test_rotvec_round_trip_at_every_scale_of_angle(angle: float) -> None:
    rotvec = angle * np.array([0.36, -0.48, 0.8])
    np.testing.assert_allclose(rotation.to_rotvec(rotation.from_rotvec(rotvec)), rotvec, rtol=1e-12, atol=1e-20)


def test_to_rotvec_takes_the_short_way_round() -> None:
    quats = random_quats(200)
    assert np.linalg.norm(rotation.to_rotvec(quats), axis=-1).max() <= np.pi + 1e-12
    np.testing.assert_allclose(rotation.to_rotvec(quats), rotation.to_rotvec(-quats), atol=1e-14)


def test_matrix_round_trip_including_half_turns() -> None:
    half_turns = np.concatenate([np.zeros((200, 1)), random_quats(200)[:, 1:]], axis=1)
    quats = np.concatenate([random_quats(500), rotation.normalise(half_turns), np.eye(4)])
    matrices = to_scipy(quats).as_matrix()
    back = rotation.from_matrix(matrices)
    np.testing.assert_allclose(np.linalg.norm(back, axis=-1), 1, atol=1e-14)
    assert (back[:, 0] >= 0).all()
    np.testing.assert_allclose(rotation.to_matrix(back), matrices, atol=1e-14)


@pytest.mark.parametrize("order", ["".join(p) for p in itertools.permutations("XYZ")])
def test_euler_orders_mean_what_scipy_means_by_capitals(order: str) -> None:
    angles = np.random.default_rng(5).uniform(-np.pi, np.pi, size=(100, 3))
    quats = rotation.from_euler(angles, order)
    assert_same_rotations(quats, Rotation.from_euler(order, angles))
    assert_same_rotations(rotation.from_euler(rotation.to_euler(quats, order), order), to_scipy(quats))


@pytest.mark.parametrize("order", ["".join(p) for p in itertools.permutations("XYZ")])
@pytest.mark.parametrize("sign", [-1, 1])
def test_euler_angles_at_the_pole_describe_the_same_rotation(order: str, sign: int) -> None:
    angles = np.array([0.7, sign * np.pi / 2, -0.4])
    quats = rotation.from_euler(angles, order)
    assert_same_rotations(rotation.from_euler(rotation.to_euler(quats, order), order), to_scipy(quats), 1e-7)


@pytest.mark.parametrize("order", ["X", "ZX", "ZYZ"])
def test_euler_takes_any_number_of_axes(order: str) -> None:
    angles = np.random.default_rng(6).uniform(-3, 3, size=(20, len(order)))
    assert_same_rotations(rotation.from_euler(angles, order), Rotation.from_euler(order, angles))


@pytest.mark.parametrize(("order", "size"), [("", 0), ("XW", 2), ("XYZ", 2)])
def test_euler_refuses_an_order_that_does_not_fit(order: str, size: int) -> None:
    with pytest.raises(ValueError, match="from_euler"):
        rotation.from_euler(np.zeros((2, size)), order)


def test_to_euler_refuses_repeated_axes() -> None:
    with pytest.raises(ValueError, match="three different axes"):
        rotation.to_euler(random_quats(1), "ZYZ")


def test_slerp_agrees_with_scipy() -> None:
    ends = random_quats(2, 8)
    weights = np.linspace(0, 1, 21)
    path = Slerp([0, 1], to_scipy(ends))(weights)
    assert_same_rotations(rotation.slerp(ends[0], ends[1], weights), path)
    assert_same_rotations(rotation.slerp(ends[0], -ends[1], weights), path)


def test_slerp_between_equal_rotations_stays_there() -> None:
    quat = random_quats(1)[0]
    np.testing.assert_allclose(rotation.slerp(quat, quat, 0.3), quat, atol=1e-15)


@given(vectors, vectors)
def test_shortest_arc_turns_one_direction_into_the_other(a: FloatArray, b: FloatArray) -> None:
    if np.linalg.norm(a) < 1e-3 or np.linalg.norm(b) < 1e-3:
        return
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    arc = rotation.shortest_arc(a, b)
    np.testing.assert_allclose(rotation.rotate(arc, a), b, atol=1e-6)
    between = np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
    np.testing.assert_allclose(np.linalg.norm(rotation.to_rotvec(arc)), between, atol=1e-6)


def test_shortest_arc_between_opposite_directions_is_a_half_turn() -> None:
    axes = np.concatenate([np.eye(3), -np.eye(3), random_quats(20)[:, 1:]])
    turned = rotation.rotate(rotation.shortest_arc(axes, -axes), axes)
    np.testing.assert_allclose(turned, -axes, atol=1e-12)


def test_shortest_arc_of_a_zero_vector_cannot_pass_unseen() -> None:
    assert np.isnan(rotation.shortest_arc([0.0, 0, 0], [1.0, 0, 0])).all()


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 4000])
def test_long_tracks_are_turned_into_quaternions_as_short_ones_are(count: int) -> None:
    rotvecs = np.random.default_rng(count).normal(0, 1, (count, 3))
    rotvecs[::5] = 0
    quats = rotation.from_rotvec(rotvecs)
    assert quats.shape == (count, 4)
    one_by_one = [rotation.from_rotvec(rotvec) for rotvec in rotvecs]
    np.testing.assert_array_equal(quats, np.reshape(one_by_one, (count, 4)))
