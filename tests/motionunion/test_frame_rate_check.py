from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.frame_rate_check import centre_of_mass_weights, free_fall_rate, impossible_gait, suspect_rate
from motionunion.joint_maps import JOINT_MAPS
from motionunion.kinematics import forward_kinematics
from motionunion.normalise import normalise
from motionunion.resample import joints_at
from motionunion.skeleton import SMPL22_PARENTS
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise
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


@pytest.mark.parametrize(
    ("declared", "suspect"),
    [(60.0, False), (55.0, False), (65.0, False), (50.0, True), (72.0, True), (30.0, True), (120.0, True)],
)
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


def flying(fps: float, path: FloatArray, turn: tuple[float, float, float]) -> FloatArray:
    """Two seconds of standing, then the body turned and its pelvis on a path, then standing again."""
    still = np.tile([0.0, 0.93, 0.0], (round(2 * fps), 1))
    root = np.concatenate([still, path, still])
    rotvecs = np.zeros((len(root), 22, 3))
    rotvecs[len(still) : -len(still), 0] = turn
    return body(root, rotvecs)


def test_swaying_on_the_hands_or_the_back_is_no_jump_though_the_feet_are_in_the_air() -> None:
    time = np.arange(45) / 60
    arc = 0.15 - 0.5 * 4.0 * (time - time.mean()) ** 2  # less than half of gravity
    for turn, height_m in (((np.pi, 0.0, 0.0), 0.7), ((-np.pi / 2, 0.0, 0.0), 0.25)):
        path = np.stack([0 * time, height_m + arc, 0 * time], axis=-1)
        moved = flying(60, path, turn)
        assert moved[:, [10, 11], 1].max() > 0.2
        assert free_fall_rate(moved) is None


@pytest.mark.parametrize("swerve_m", [0.0, 0.1])
def test_who_flies_goes_evenly_over_the_ground_and_who_swings_does_not(swerve_m: float) -> None:
    time = np.arange(36) / 60
    since = (time - time.mean()) / time.mean()
    path = np.stack([swerve_m * since**2, 0.98 + 0.5 * 9.81 * time.mean() ** 2 * (1 - since**2), 2.0 * time], axis=-1)
    found = free_fall_rate(flying(60, path, (0.0, 0.0, 0.0)))
    if swerve_m:
        assert found is None
    else:
        assert found is not None
        assert found.fps == pytest.approx(60, rel=0.02)


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


def test_a_real_dance_with_handstands_is_not_suspect(real_data: Path) -> None:
    known = JOINT_MAPS["lafan1"]
    file = real_data / "joints_only/lafan1_global_positions/dance1_subject1.npy"
    joints = np.load(file, allow_pickle=False).astype(np.float64)
    weights = known.position_weights(known.names[0][: joints.shape[1]])
    assert suspect_rate(np.einsum("kj,tjc->tkc", weights, joints), 30) is None


@pytest.mark.slow
def test_real_clips_raise_no_false_alarm_and_show_most_wrong_rates(real_data: Path) -> None:
    """The table of docs/normalisation.md."""
    motions: list[tuple[str, FloatArray, float]] = []
    for claim in recognise([real_data]).claims:
        for ref in SOURCES[claim.source].discover(claim):
            try:
                raw = SOURCES[ref.source].read(ref, ReadOptions())
                if isinstance(raw, RawClip):
                    clip = normalise(raw)
                    motions.append((clip.key, joints_at(clip, clip.fps), float(clip.fps)))
            except (ClipError, SourceFormatError):
                continue
    assert len(motions) == 279
    alarms = [key for key, joints, fps in motions if suspect_rate(joints, fps) is not None]
    assert alarms == ["smplh/nghorbani_amass/dmpl_sample"]
    motions = [motion for motion in motions if motion[0] not in alarms]
    shown: dict[float, Counter[str]] = {}
    for ratio in RATIOS:
        found = [suspect_rate(joints, fps * ratio) for _, joints, fps in motions]
        shown[ratio] = Counter(each.evidence.split(",")[0] for each in found if each is not None)
    assert {ratio: (count["free fall"], count["gait"]) for ratio, count in shown.items()} == RATIOS
    assert sum(free_fall_rate(joints) is not None for _, joints, _ in motions) == 23


RATIOS = {2.0: (23, 25), 0.5: (23, 1), 4.0: (23, 72), 0.25: (23, 54), 1.2: (22, 0), 1 / 1.2: (19, 0)}
"""What is declared, in true rates; and how many clips show it, by their jumps and by their steps."""
