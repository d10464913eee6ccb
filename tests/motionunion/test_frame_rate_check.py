from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.clip import ClipRef, RawClip
from motionunion.frame_rate_check import centre_of_mass_weights, free_fall_rate, impossible_gait, suspect_rate
from motionunion.kinematics import forward_kinematics
from motionunion.skeleton import SMPL22_PARENTS
from motionunion.sources import SOURCES, ReadOptions
from motionunion.world_frame import TO_Y_UP, smpl22_joints

FloatArray = npt.NDArray[np.float64]


@pytest.fixture
def real_data() -> Path:
    folder = os.environ.get("MOTIONUNION_TEST_DATA")
    if folder is None:
        pytest.skip("MOTIONUNION_TEST_DATA is not set: real files are not here")
    return Path(folder)


def body(root: FloatArray, rotvecs: FloatArray | None = None) -> FloatArray:
    moving = np.zeros((len(root), 22, 3)) if rotvecs is None else rotvecs
    return forward_kinematics(root, rotation.from_rotvec(moving), TEMPLATE.offsets_22x3, SMPL22_PARENTS)


def jumping(fps: float, heights_m: tuple[float, ...] = (0.25, 0.3, 0.2), gravity: float = 9.81) -> FloatArray:
    """Jumps from a standing second to the next, the arms swinging on the way; (T, 22, 3) at the given rate."""
    flights = [(1 + 2 * number, 2 * np.sqrt(2 * high / gravity)) for number, high in enumerate(heights_m)]
    time = np.arange(round(fps * (2 * len(heights_m) + 1))) / fps
    up = np.zeros_like(time)
    for start, lasts in flights:
        since = time - start
        up += np.where((since > 0) & (since < lasts), gravity / 2 * since * (lasts - since), 0)
    rotvecs = np.zeros((len(time), 22, 3))
    rotvecs[:, 16, 2], rotvecs[:, 17, 2] = np.sin(time), -np.sin(time)
    return body(np.stack([0 * time, 0.93 + up, 0 * time], axis=-1), rotvecs)


def walking(fps: float, steps_per_s: float = 1.9, step_m: float = 0.65) -> FloatArray:
    time = np.arange(round(fps * 6)) / fps
    rotvecs = np.zeros((len(time), 22, 3))
    rotvecs[:, 1, 0] = 0.4 * np.sin(np.pi * steps_per_s * time)
    rotvecs[:, 2, 0] = -rotvecs[:, 1, 0]
    return body(np.stack([0 * time, 0.93 + 0 * time, step_m * steps_per_s * time], axis=-1), rotvecs)


def test_the_centre_of_mass_of_a_standing_body_is_in_its_belly() -> None:
    weights = centre_of_mass_weights()
    assert weights.sum() == pytest.approx(1)
    rest = body(np.array([[0.0, 0.93, 0.0]]))[0]
    centre = weights @ rest
    assert abs(centre[0]) < 0.01
    assert rest[0, 1] - 0.05 < centre[1] < rest[9, 1]


@pytest.mark.parametrize("fps", [20.0, 30.0, 59.94, 120.0, 250.0])
def test_jumps_tell_the_frame_rate(fps: float) -> None:
    found = free_fall_rate(jumping(fps))
    assert found is not None
    assert found.fps == pytest.approx(fps, rel=0.03)
    assert found.evidence == "free fall, 3 jumps"


@pytest.mark.parametrize(("declared", "suspect"), [(60.0, False), (50.0, False), (30.0, True), (120.0, True)])
def test_a_rate_that_jumps_contradict_is_suspect(declared: float, suspect: bool) -> None:
    found = suspect_rate(jumping(60.0), declared)
    assert (found is not None) == suspect
    if found is not None:
        assert found.fps == pytest.approx(60, rel=0.03)


def test_one_high_jump_tells_and_one_low_jump_does_not() -> None:
    assert free_fall_rate(jumping(60, (0.3,))) is not None
    assert free_fall_rate(jumping(60, (0.13,))) is None
    assert free_fall_rate(jumping(60, (0.13, 0.13))) is not None


def test_being_lifted_and_stepping_onto_things_is_no_jump() -> None:
    time = np.arange(600) / 60
    lifted = 0.3 * np.clip(np.sin(time), 0, None) ** 4
    assert free_fall_rate(body(np.stack([0 * time, 0.93 + lifted, 0 * time], axis=-1))) is None
    on_a_box = 0.4 * (np.sin(time) > 0)
    assert free_fall_rate(body(np.stack([0 * time, 0.93 + on_a_box, time], axis=-1))) is None


def test_jumps_that_disagree_tell_nothing() -> None:
    there = jumping(60, (0.3,))
    slow = jumping(60, (0.3,), gravity=3.0)
    assert free_fall_rate(np.concatenate([there, slow])) is None


@pytest.mark.parametrize("declared", [60.0, 40.0, 90.0])
def test_walking_allows_any_rate_within_reason(declared: float) -> None:
    assert suspect_rate(walking(60.0), declared) is None


@pytest.mark.parametrize(("true", "declared"), [(30.0, 120.0), (120.0, 30.0), (20.0, 60.0)])
def test_a_walk_that_nobody_could_walk_is_suspect(true: float, declared: float) -> None:
    found = suspect_rate(walking(true), declared)
    assert found is not None
    assert found.evidence.startswith("gait, ")
    assert found.fps == pytest.approx(true, rel=0.3)


def test_a_sprint_and_marching_on_the_spot_are_no_impossible_gait() -> None:
    assert impossible_gait(walking(120, 4.6, 2.0), 120) is None
    assert impossible_gait(walking(120, 6.0, 0.05), 120) is None
    assert impossible_gait(walking(120)[:1], 120) is None


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        # DFaust was captured at 60 Hz; this sample of it says 120.
        ("amass/smplh/nghorbani_amass/dmpl_sample.npz", 55),
        ("amass/smplh/nghorbani_amass/amass_sample.npz", None),
        ("amass/smplh/272rep/test.npz", None),
    ],
)
def test_a_real_file_that_states_twice_its_rate_is_found(real_data: Path, file: str, wanted: int | None) -> None:
    path = real_data / file
    ref = ClipRef(source="amass_smplh", key="a", uid="amass/a", path=path, root=path.parent)
    raw = SOURCES["amass_smplh"].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    found = suspect_rate(rotation.rotate(TO_Y_UP["z"], smpl22_joints(raw)), float(raw.fps))
    assert (None if found is None else round(found.fps)) == wanted
