"""The whole folder of real files: who reads each of them, at what rate, in which axes and unit, how tall; or why nobody does.

Rates, axes and units are those of the folder's inventory, not of our readers. A file that is neither below nor in the folder
makes the test fail, so that what is added to it is looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from motionunion import rotation
from motionunion.clip import Annotation, Clip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.kinematics import forward_kinematics
from motionunion.measure import height
from motionunion.normalise import normalise
from motionunion.skeleton import SMPL22_PARENTS
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import Detection, recognise

CMU_UNIT_M = 0.0254 / 0.45


class Read(NamedTuple):
    """What a folder's files of one source become."""

    clips: int
    fps: Fraction | int
    up: str
    unit_m: float
    height_m: tuple[float, float] = (1.25, 1.7)
    """Head joint to the balls of the feet, stretched out."""
    refused: tuple[str, ...] = ()
    """Reasons of refusals, one per file."""


READ: dict[tuple[str, str], Read] = {
    ("aistpp", "aistpp/motions"): Read(4, 60, "y", 1.0, (1.05, 1.5)),
    ("aistpp", "aistpp"): Read(0, 60, "y", 1.0, refused=("unknown_unit",)),  # no scaling beside numbers like metres
    ("amass_smplh", "amass/smplh/272rep"): Read(1, 120, "z", 1.0),
    ("amass_smplh", "amass/smplh/nghorbani_amass"): Read(2, 120, "z", 1.0),
    ("amass_smplx", "amass/smplx"): Read(1, 120, "z", 1.0),
    ("smpl_fits", "amass/smplx"): Read(1, 30, "z", 1.0),
    ("smpl_fits", "amass_like/asap_tram_smpl72"): Read(39, 30, "z", 1.0),
    ("smpl_fits", "motionx_format"): Read(1, 30, "y", 1.0),
    ("motion_x", "motionx_format"): Read(1, 30, "-z", 1.0),
    ("behave", "amass_like/behave/Date01_Sub01_backpack_back"): Read(1, 30, "-y", 1.0),
    ("humanml3d", "humanml3d/new_joint_vecs"): Read(34, 20, "y", 1.0),
    ("cmu_asfamc", "cmu_asfamc/01"): Read(1, 120, "y", CMU_UNIT_M),
    ("cmu_asfamc", "cmu_asfamc/02"): Read(1, 120, "y", CMU_UNIT_M),
    ("bandai_namco_1", "bvh/bandai_namco_1"): Read(48, 30, "y", 0.01, (1.2, 1.4)),
    ("bandai_namco_2", "bvh/bandai_namco_2"): Read(96, 30, "y", 0.01, (1.2, 1.4)),
    ("100style", "bvh/100style"): Read(12, 60, "y", 0.01),
    ("lafan1", "bvh/lafan1"): Read(4, 30, "y", 0.01),
    ("xia_style", "bvh/xia_style"): Read(9, 120, "y", CMU_UNIT_M),
    ("cmu_cgspeed", "bvh/cmu_cgspeed"): Read(4, 120, "y", CMU_UNIT_M, (1.15, 1.5)),
    ("cmu_cgspeed", "edge_cases/parser"): Read(0, 120, "y", CMU_UNIT_M, refused=("too_short",)),
    ("cmu_3dsmax", "bvh/cmu_renamed"): Read(1, 30, "y", CMU_UNIT_M),
    ("cmu_daz", "bvh/cmu_daz"): Read(2, 120, "y", 0.01),
    ("mocapnet", "bvh/mocapnet"): Read(2, 25, "y", 0.01),
    ("mixamo", "bvh/mixamo"): Read(4, 0, "y", 0.01),
    ("xsens", "bvh/pybvh"): Read(1, 120, "y", 0.01),
    ("humanik_z_up", "bvh/pybvh"): Read(2, 30, "z", 0.0254),
    ("animated_drawings", "bvh/fair1"): Read(1, Fraction(120000, 1001), "z", 0.0423),
    ("smpl_bvh", "motion272/Representation_272"): Read(1, 60, "y", 1.0),
    ("smpl_bvh", "bvh/smpl_named_cm"): Read(1, 60, "y", 0.01),
    ("smpl_bvh", "bvh/smpl_named_metres"): Read(1, 30, "z", 1.0),
    ("smpl_bvh", "skeletons"): Read(2, 0, "", 1.0),
    ("azure_kinect", "bvh/azure_kinect"): Read(1, 100, "-y", 0.01),
    ("azure_kinect", "edge_cases/parser"): Read(0, 100, "-y", 0.01, refused=("bad_hierarchy",)),
}
"""By source and folder. A rate of 0 and an axis of "" stand for several: `test_bvh_exporters.py` has them file by file."""

ANNOTATED = {("humanml3d", "humanml3d"): 14568, ("humanml3d", "humanml3d/texts"): 15, ("amass_annotations", "kitml"): 1}

PASSED = {
    (".", "documentation"): 1,
    (".", "text or table"): 1,
    ("aistpp/keypoints3d", "3D keypoints"): 3,
    ("amass_like/behave/Date01_Sub01_backpack_back", "pose of an object"): 1,
    ("bvh/bandai_namco_1", "licence"): 1,
    ("bvh/bandai_namco_2", "licence"): 1,
    ("edge_cases/nonhuman", "skeleton that is not known"): 2,
    ("edge_cases/parser", "skeleton that is not known"): 3,
    ("edge_cases/parser", "without a readable hierarchy"): 1,
    ("edge_cases/parser", "git lfs pointer"): 1,
    ("eval_assets/glove", "pickle"): 2,
    ("eval_assets/mdm_dataset", "npy of a layout"): 4,
    ("eval_assets/mdm_dataset", "text or table"): 2,
    ("eval_assets/motiongpt_meta", "npy of a layout"): 4,
    ("golden", "documentation"): 1,
    ("golden", "no reader"): 18,
    ("hdf5", "HDF5 of no set"): 1,
    ("humanml3d/captions", "text or table"): 5,
    ("humanml3d/joints", "before retargeting"): 1,
    ("humanml3d/protocol_pair", "may hold positions"): 1,
    ("humanml3d/tmr_splits", "text or table"): 8,
    ("humanml3d_like", "263 features outside"): 1,
    ("humanml3d_like/mcm_ldm_content_motion", "263 features outside"): 2,
    ("humanml3d_like/mcm_ldm_style_motion", "263 features outside"): 1,
    ("humanml3d_like/mcm_ldm_style_test_feats", "263 features outside"): 30,
    ("humanml3d_like/smoodi_100style", "263 features outside"): 2,
    ("joints_only/lafan1_global_positions", "positions"): 1,  # read with a description: test_joint_arrays.py
    ("joints_only/omniretarget_amass_joints", "may hold positions"): 2,
    ("joints_only/omniretarget_optitrack", "may hold positions"): 1,
    ("kitml", "text or table"): 1,
    ("kitml/amass_annotation_unifier", "text or table"): 3,
    ("kitml/splits", "text or table"): 5,
    ("motion272/Representation_272", "272 features that state no frame rate"): 1,
    ("motion272/mean_std", "npy of a layout"): 2,
    ("motion272/smpl_85", "npy of a layout"): 1,
    ("skeletons", "npy of a layout"): 4,
    ("two_person", "text or table"): 1,
}
"""By folder and what the reason holds; option files of evaluators are counted apart."""


@pytest.fixture(scope="module")
def found(real_data: Path) -> Detection:
    return recognise([real_data])


@pytest.mark.slow
def test_every_file_is_read_as_what_it_is_or_refused_with_the_right_reason(real_data: Path, found: Detection) -> None:
    clips: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    refused: dict[tuple[str, str], list[str]] = defaultdict(list)
    annotated: Counter[tuple[str, str]] = Counter()
    for claim in found.claims:
        for ref in SOURCES[claim.source].discover(claim):
            where = (ref.source, ref.path.parent.relative_to(real_data).as_posix())
            try:
                reading = SOURCES[ref.source].read(ref, ReadOptions())
                if isinstance(reading, Annotation):
                    annotated[where] += 1
                else:
                    clips[where].append(normalise(reading))
            except (SourceFormatError, ClipError) as error:
                refused[where].append(error.reason)
    assert dict(annotated) == ANNOTATED
    assert clips.keys() | refused.keys() == READ.keys()
    for where, wanted in READ.items():
        assert (len(clips[where]), tuple(refused[where])) == (wanted.clips, wanted.refused), where
        for clip in clips[where]:
            assert wanted.fps in (0, clip.fps), (clip.key, clip.fps)
            assert wanted.up in ("", clip.provenance["up"]), clip.key
            assert float(clip.provenance["unit_m"]) == pytest.approx(wanted.unit_m, rel=1e-4), clip.key
            assert wanted.height_m[0] < height(joints_of(clip)) < wanted.height_m[1], clip.key


def joints_of(clip: Clip) -> np.ndarray:
    if clip.joints_T22x3 is not None:
        return clip.joints_T22x3.astype(np.float64)
    assert clip.rotvecs_T22x3 is not None
    assert clip.root_T3 is not None
    assert clip.offsets_22x3 is not None
    quats = rotation.from_rotvec(clip.rotvecs_T22x3)
    return forward_kinematics(clip.root_T3, quats, clip.offsets_22x3, SMPL22_PARENTS)


def test_what_is_not_read_has_its_reason_counted(real_data: Path, found: Detection) -> None:
    left = dict(PASSED)
    options = 0
    for skip in found.skipped:
        folder = skip.path if skip.path.is_dir() else skip.path.parent
        where = folder.relative_to(real_data).as_posix()
        if skip.path.name == "opt.txt":
            options += skip.count
            continue
        key = next((key for key in left if key[0] == where and key[1] in skip.reason), None)
        assert key is not None, (where, skip.reason)
        left[key] -= skip.count
    assert {key: count for key, count in left.items() if count} == {}
    assert options == len([*real_data.glob("eval_assets/momask_opts/*/*/opt.txt")])
