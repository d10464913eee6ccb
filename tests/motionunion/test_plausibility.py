from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.kinematics import forward_kinematics
from motionunion.plausibility import implausibilities
from motionunion.skeleton import SMPL22_PARENTS

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
