from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion.body import TEMPLATE
from motionunion.motion import Motion, posed
from motionunion.representations import registry
from motionunion.representations.registry import Features
from motionunion.rotation import from_rotvec
from motionunion.round_trip import measure
from motionunion.skeleton import SMPL22_PARENTS

Array = npt.NDArray[np.float64]


def moving(fps: Fraction, seed: int = 0, frames: int = 90) -> Motion:
    """An upright body of the template that swings, turns and goes away."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None]
    swing = random.uniform(0, 0.3, (1, 22, 3)) * np.sin(random.uniform(0.05, 0.2, (1, 22, 3)) * time)
    swing[:, 0] = [0.0, 0.7, 0.0] + 0.02 * time[:, 0] * [0.0, 1.0, 0.0]
    root = np.stack([3 + 0.03 * time[:, 0, 0], 0.95 + 0 * time[:, 0, 0], -2 + 0.01 * time[:, 0, 0]], axis=-1)
    return posed(fps, root, from_rotvec(swing), TEMPLATE.offsets_22x3)


def features_of(motion: Motion, name: str) -> Features:
    return registry.get(name).encode_batch([motion])[0]


@pytest.mark.parametrize("name", ["ms272@30", "smplx322@30", "smpl22@30", "joints22@30"])
def test_what_keeps_positions_keeps_them_within_a_hundredth_of_a_millimetre(name: str) -> None:
    motion = moving(Fraction(30))
    trip = measure(motion, features_of(motion, name), registry.get(name))
    assert trip.rows == trip.frames == 90
    assert max(trip.joints_max_m, trip.posture_mean_m, trip.bones_max_m) < 1e-5
    assert (trip.rotations_max_deg is None) == (name == "joints22@30")
    if trip.rotations_max_deg is not None:
        assert trip.rotations_max_deg < 1e-3


def test_start_and_heading_that_272_forgets_are_told_apart_from_its_error() -> None:
    motion = moving(Fraction(30))
    trip = measure(motion, features_of(motion, "ms272@30"), registry.get("ms272@30"))
    assert trip.turned_deg == pytest.approx(-np.degrees(0.7), abs=0.1)
    # From (3, 0.95, -2) to the origin of the ground.
    assert trip.shifted_m == pytest.approx(np.hypot(3, 2), abs=0.1)


@pytest.mark.parametrize("name", ["hml263@20", "hml263@20/compat"])
def test_the_263_change_the_bones_and_lose_rotations_and_the_last_frame(name: str) -> None:
    motion = moving(Fraction(20))
    trip = measure(motion, features_of(motion, name), registry.get(name))
    assert (trip.rows, trip.frames) == (89, 90)
    assert set(trip.lost) == {"rotations", "frames"}
    assert trip.lost["frames"] == "the last 1 of 90"
    joints = np.asarray(motion.joints_T22x3)
    lengths = np.linalg.norm(joints[0, 1:] - joints[0, list(SMPL22_PARENTS[1:])], axis=-1)
    (decoded,) = registry.get(name).decode_batch([features_of(motion, name)])
    target = np.linalg.norm(decoded.joints_T22x3[0, 1:] - decoded.joints_T22x3[0, list(SMPL22_PARENTS[1:])], axis=-1)
    assert trip.bones_max_m == pytest.approx(np.abs(target - lengths).max(), abs=1e-5)
    assert trip.posture_mean_m > 0.005


def test_a_motion_on_the_target_skeleton_survives_the_263() -> None:
    (motion,) = registry.get("hml263@20").decode_batch([features_of(moving(Fraction(20)), "hml263@20")])
    turn = Rotation.from_rotvec([0, 2.0, 0]).as_matrix()
    moved = replace(motion, joints_T22x3=motion.joints_T22x3 @ turn.T + [5.0, 0.0, 1.0])
    trip = measure(moved, features_of(moved, "hml263@20"), registry.get("hml263@20"))
    assert max(trip.joints_max_m, trip.bones_max_m) < 1e-5
    assert trip.turned_deg == pytest.approx(-np.degrees(2.0), abs=1e-3)


def test_an_error_of_posture_is_told_from_one_of_the_path() -> None:
    motion = moving(Fraction(20), frames=101)
    features = features_of(motion, "joints22@20").copy()
    drift = np.linspace(0, 1.0, 101)
    features[:, 0::3] += drift[:, None].astype(np.float32)
    trip = measure(motion, features, registry.get("joints22@20"))
    assert trip.joints_mean_m > 0.1
    assert trip.posture_mean_m < 0.1 * trip.joints_mean_m + 0.05
    assert trip.shifted_m == pytest.approx(0.0, abs=1e-6)


def test_tracks_that_the_features_do_not_hold_are_named_and_empty_ones_are_not() -> None:
    motion = replace(
        moving(Fraction(30)),
        gender="female",
        betas=np.linspace(1, 2, 16),
        hands_T90=np.full((90, 90), 0.1),
        face={"jaw": np.full((90, 3), 0.1), "eyes": np.zeros((90, 6)), "expression": np.ones((90, 100))},
    )
    lost = measure(motion, features_of(motion, "ms272@30"), registry.get("ms272@30")).lost
    assert set(lost) == {"gender", "betas", "hands", "jaw", "expression"}
    kept = measure(motion, features_of(motion, "joints22@30"), registry.get("joints22@30")).lost
    assert set(kept) == {"rotations", *lost}
    most = measure(motion, features_of(motion, "smplx322@30"), registry.get("smplx322@30")).lost
    assert "hands" not in most
    assert "jaw" not in most
    assert most["gender"] == "female"


def test_other_bones_do_not_count_as_a_turn_of_the_root() -> None:
    offsets = TEMPLATE.offsets_22x3 * np.linspace(0.5, 1.5, 22)[:, None]  # one side long, the other short
    motion = moving(Fraction(30))
    quats, root, _ = motion.pose()
    odd = posed(Fraction(30), root, quats, offsets)
    trip = measure(odd, features_of(odd, "smpl22@30"), registry.get("smpl22@30"))
    assert trip.rotations_max_deg is not None
    assert trip.rotations_max_deg < 1e-3
    assert abs(trip.turned_deg) < 1e-3
    assert trip.bones_max_m > 0.05
