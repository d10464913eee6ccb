"""The project's own readers recognise and read every folder; what is bad on purpose is refused, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.clip import Annotation, RawClip
from motionunion.errors import MotionUnionError
from motionunion.kinematics import forward_kinematics
from motionunion.sample.programme import plan
from motionunion.skeleton import SMPL22_PARENTS
from motionunion.sources import SOURCES
from motionunion.sources.base import ReadOptions
from motionunion.sources.detect import recognise


def read_all(folder: Path):
    readings, refused = {}, []
    for claim in recognise([folder]).claims:
        source = SOURCES[claim.source]
        for ref in source.discover(claim):
            try:
                reading = source.read(ref, ReadOptions())
            except MotionUnionError:
                refused.append(ref.path.name)
                continue
            readings[(claim.source, ref.uid)] = reading
            refused += [fault.path.name for fault in reading.faults]
    return readings, refused


def test_amass_is_read_with_its_annotations_and_only_the_bad_files_are_refused(root, sample):
    readings, refused = read_all(root / "amass")
    bad = {path.name for path in sample.bad}
    assert set(refused) <= bad
    assert len(refused) == len(bad)
    annotations = [reading for reading in readings.values() if isinstance(reading, Annotation)]
    assert (
        sum(len(annotation.segments) for annotation in annotations) == 24 + 1
    )  # captions that cannot be read cost no interval
    assert sum(len(annotation.captions) for annotation in annotations) == 72
    moving = {uid for (_, uid), reading in readings.items() if isinstance(reading, RawClip)}
    assert {segment.uid for annotation in annotations for segment in annotation.segments} <= moving


@pytest.mark.parametrize(
    ("folder", "source"), [("bvh", "100style"), ("smplx", "amass_smplx"), ("humanml3d", "humanml3d")]
)
def test_the_other_folders_are_read_without_refusals(root, sample, folder, source):
    readings, refused = read_all(root / folder)
    assert refused == []
    assert {name for name, _ in readings} == {source}
    expected = {part.name: part.files for part in sample.folders}[folder]
    assert sum(isinstance(reading, RawClip) for reading in readings.values()) == expected


def test_a_smplh_file_read_back_is_the_motion_that_was_performed(root):
    readings, _ = read_all(root / "amass")
    for recording in plan(24, 3)[:4]:
        raw = readings[("amass_smplh", f"amass/{recording.address.lower()}")]
        assert raw.up == "z"
        joints = forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, SMPL22_PARENTS)
        posed = recording.take().perform(recording.fps, TEMPLATE.offsets_22x3)
        meant = forward_kinematics(posed.root_T3, posed.quats_T22x4, TEMPLATE.offsets_22x3, SMPL22_PARENTS)
        # +Z up read as +Y up: (x, y, z) -> (x, z, -y), motion-representations §0.3.
        turned = np.stack([joints[..., 0], joints[..., 2], -joints[..., 1]], axis=-1)
        np.testing.assert_allclose(turned, meant, atol=1e-3)
        assert np.abs(rotation.normalise(raw.quats_TJ4) - raw.quats_TJ4).max() < 1e-6


def test_bvh_takes_stand_upright_on_the_ground(root):
    readings, _ = read_all(root / "bvh")
    for raw in readings.values():
        joints = (
            forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, raw.skeleton.parents) * raw.unit_m
        )
        heights = joints[..., 1]
        assert -0.03 < heights.min() < 0.1
        assert 1.3 < np.median(heights.max(axis=1)) < 1.9
        assert float(raw.fps) == pytest.approx(60, abs=0.01)
