"""The cross-checks of axis, unit, side and rate on real clips: what is true passes, what is wrong never passes in silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.clip import Clip, RawClip
from motionunion.errors import ClipError
from motionunion.kinematics import forward_kinematics
from motionunion.measure import measured_unit_m, measured_up
from motionunion.normalise import normalise
from motionunion.oddities import oddities
from motionunion.plausibility import implausibilities
from motionunion.skeleton import SMPL22_MIRROR_PAIRS, SMPL22_PARENTS
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise
from motionunion.world_frame import TO_Y_UP

FloatArray = npt.NDArray[np.float64]
FOLDERS = (
    "amass",
    "amass_like",
    "aistpp/motions",
    "bvh/cmu_cgspeed",
    "bvh/mixamo",
    "bvh/xia_style",
    "humanml3d/new_joints",
)
LIES_MOSTLY = {"140_02_stageii", "PROX_1_smplx_amass"}


@pytest.fixture(scope="module")
def clips(real_data: Path) -> list[Clip]:
    found = []
    for claim in recognise([real_data / folder for folder in FOLDERS if (real_data / folder).is_dir()]).claims:
        for ref in SOURCES[claim.source].discover(claim):
            raw = SOURCES[claim.source].read(ref, ReadOptions())
            if isinstance(raw, RawClip):
                found.append(normalise(raw))
    return found


def joints_of(clip: Clip) -> FloatArray:
    start, stop = clip.valid
    if clip.joints_T22x3 is not None:
        return clip.joints_T22x3[start:stop].astype(np.float64)
    assert clip.rotvecs_T22x3 is not None
    assert clip.root_T3 is not None
    assert clip.offsets_22x3 is not None
    quats = rotation.from_rotvec(clip.rotvecs_T22x3[start:stop])
    return forward_kinematics(clip.root_T3[start:stop], quats, clip.offsets_22x3, SMPL22_PARENTS)


@pytest.mark.slow
def test_a_wrong_axis_never_passes_in_silence(clips: list[Clip]) -> None:
    assert len(clips) > 50
    seen: Counter[str] = Counter()
    for clip in clips:
        joints = joints_of(clip)
        assert implausibilities(joints, fps=float(clip.fps)) == {}
        for axis in ("x", "-x", "z", "-z", "-y"):
            wrong = rotation.rotate(TO_Y_UP[axis], joints)
            refused = implausibilities(wrong, fps=float(clip.fps))
            flagged = "not_upright" in oddities(wrong, float(clip.fps))
            assert refused or flagged or Path(clip.key).name in LIES_MOSTLY, (clip.source, clip.key, axis)
            seen[next(iter(refused), "flagged")] += 1
    assert seen["axis_disagrees"] > 0.6 * 4 * len(clips)
    assert seen["upside_down"] > 0.95 * len(clips)


@pytest.mark.slow
def test_a_reflection_and_an_exchange_of_sides_are_always_refused(clips: list[Clip]) -> None:
    exchanged = np.arange(22)
    for left, right in SMPL22_MIRROR_PAIRS:
        exchanged[[left, right]] = right, left
    for clip in clips:
        joints = joints_of(clip)
        for wrong in (joints * [-1, 1, 1], joints[:, exchanged]):
            assert "left_right_exchanged" in implausibilities(wrong), (clip.source, clip.key)


@pytest.mark.slow
def test_axis_and_unit_are_measured_right_or_without_confidence(clips: list[Clip]) -> None:
    for clip in clips:
        joints = joints_of(clip)
        up, unit = measured_up(joints), measured_unit_m(joints * 100, "y")
        assert up.value == "y" or up.confidence < 0.5, (clip.source, clip.key, up)
        assert unit.value == 0.01, (clip.source, clip.key, unit)
        assert unit.confidence > 0.6


def test_a_stated_axis_that_a_real_walk_contradicts_is_refused(real_data: Path) -> None:
    (claim,) = recognise([real_data / "bvh" / "lafan1" / "walk.bvh"]).claims
    (ref,) = SOURCES[claim.source].discover(claim)
    raw = SOURCES[claim.source].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    with pytest.raises(ClipError) as caught:
        normalise(replace(raw, up="z"))
    assert caught.value.reason == "axis_disagrees"
