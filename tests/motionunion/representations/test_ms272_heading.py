"""Where a body is said to face when it is not upright."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion.representations.ms272_encoder import forward_heading, steady_heading

Array = npt.NDArray[np.float64]


def about(axis: str, degrees: npt.ArrayLike) -> Rotation:
    return Rotation.from_euler(axis, np.asarray(degrees, dtype=np.float64)[:, None], degrees=True)


def tumbling(axis: str, degrees: Array, heading_deg: float = 40.0) -> Array:
    """Root rotations (T, 4) of somebody who faces one way and tips over about an axis of the own pelvis."""
    tipped = about("y", [heading_deg]) * about(axis, degrees)
    return np.asarray(tipped.as_quat(scalar_first=True))


@pytest.mark.parametrize("axis", ["x", "z"])
def test_a_roll_turns_the_published_heading_and_not_the_steady_one(axis: str) -> None:
    root = tumbling(axis, np.linspace(0.0, 360.0, 100))
    steady = np.unwrap(steady_heading(root))
    np.testing.assert_allclose(steady, steady[0], atol=1e-9)
    jumps = np.abs(np.diff(np.unwrap(forward_heading(root))))
    assert (jumps.max() > 3.0) == (axis == "x")


def test_a_body_past_the_vertical_flips_in_one_published_row() -> None:
    before, after = forward_heading(tumbling("x", np.array([89.0, 91.0]), heading_deg=0.0))
    assert before == pytest.approx(0.0, abs=1e-12)
    assert abs(after) == pytest.approx(np.pi)


def test_while_upright_both_headings_are_the_same() -> None:
    random = np.random.default_rng(2)
    axes = random.normal(size=(500, 3)) * [1, 0, 1]
    tilt = np.deg2rad(random.uniform(0, 59, (500, 1))) * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    root = (Rotation.from_rotvec(tilt) * about("y", random.uniform(-180, 180, 500))).as_quat(scalar_first=True)
    apart = np.exp(1j * steady_heading(root)) / np.exp(1j * forward_heading(root))
    np.testing.assert_allclose(apart, 1.0, atol=1e-12)


def test_the_steady_heading_has_no_jump_on_any_way_from_upright_to_lying() -> None:
    degrees = np.linspace(0, 150, 1501)
    for axis_deg in range(0, 360, 7):
        axis = np.array([np.cos(np.deg2rad(axis_deg)), 0.0, np.sin(np.deg2rad(axis_deg))])
        root = Rotation.from_rotvec(np.deg2rad(degrees)[:, None] * axis).as_quat(scalar_first=True)
        assert np.abs(np.diff(steady_heading(root))).max() < np.deg2rad(1.0)


def test_upside_down_the_heading_goes_evenly_from_what_was_to_what_will_be() -> None:
    # A handstand, somewhat unsteady: about the vertical the turn is anything.
    tilt = np.array([0, 60, 120, 175, 179, 178, 176, 120, 60, 0.0])
    root = (about("y", [0, 0, 0, 80, -120, 170, 30, 20, 20, 20]) * about("x", tilt)).as_quat(scalar_first=True)
    heading = np.rad2deg(steady_heading(root))
    np.testing.assert_allclose(heading, [0, 0, 0, 4, 8, 12, 16, 20, 20, 20], atol=1e-9)
    np.testing.assert_array_equal(steady_heading(root[3:6]), 0.0)
