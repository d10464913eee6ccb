"""Every BVH of the data folder that is of no data set with a test of its own: rate, axes, unit, size and pose as they should be."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from motionunion import rotation
from motionunion.clip import Clip, ClipRef, RawClip
from motionunion.errors import MotionUnionError
from motionunion.formats.bvh import read_bvh
from motionunion.formats.end_sites import end_sites
from motionunion.joint_maps import JOINT_MAPS
from motionunion.kinematics import forward_kinematics, global_rotations, local_rotations
from motionunion.measure import facing, height
from motionunion.normalise import normalise
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import look_around
from motionunion.world_frame import TO_Y_UP

CMU_UNIT_M = 0.0254 / 0.45
OWN_TESTS = ("100style", "bandai_namco_1", "bandai_namco_2", "cmu_cgspeed", "lafan1")
"""Folders that `test_bvh_real.py` looks at."""


class Fact(NamedTuple):
    """What is known of one real file, from elsewhere than from our reader."""

    source: str
    skeleton_id: str
    fps: Fraction | int
    up: str
    unit_m: float
    height_m: float
    """Head joint to the balls of the feet, stretched out."""
    error_mm: float = 0.01
    """Largest distance of a joint from the file's own."""
    flag: str | None = None


def _xia(height_m: float, error_mm: float) -> Fact:
    return Fact("xia_style", "cmu_cgspeed", 120, "y", CMU_UNIT_M, height_m, error_mm)


FACTS = {
    "bvh/azure_kinect/output": Fact("azure_kinect", "azure_kinect", 100, "-y", 0.01, 1.36, flag="estimated_pose"),
    "bvh/cmu_daz/10_01": Fact("cmu_daz", "cmu_daz", 120, "y", 0.01, 1.39),
    "bvh/cmu_daz/10_03": Fact("cmu_daz", "cmu_daz", 120, "y", 0.01, 1.37),
    "bvh/cmu_renamed/jumping_jacks": Fact("cmu_3dsmax", "cmu_3dsmax", 30, "y", CMU_UNIT_M, 1.41, 3),
    "bvh/fair1/wave_hello": Fact(
        "animated_drawings", "fair1", Fraction(120000, 1001), "z", 0.0423, 1.51, 1, "unit_estimated"
    ),
    "bvh/mixamo/Samba_Dancing": Fact("mixamo", "mixamo", 30, "y", 0.01, 1.59),
    "bvh/mixamo/Walk-In-Circle": Fact("mixamo", "mixamo", 60, "y", 0.01, 1.51),
    "bvh/mixamo/Walking_01": Fact("mixamo", "mixamo", 30, "y", 0.01, 1.54),
    "bvh/mixamo/test_freebvh": Fact("mixamo", "mixamo", 30, "y", 0.01, 1.57),
    "bvh/mocapnet/leftkick": Fact("mocapnet", "mocapnet", 25, "y", 0.01, 1.45),
    "bvh/mocapnet/tpose": Fact("mocapnet", "mocapnet", 25, "y", 0.01, 1.44),
    "bvh/pybvh/bvh_example": Fact("humanik_z_up", "humanik_z_up", 30, "z", 0.0254, 1.55, 1),
    "bvh/pybvh/bvh_test1": Fact("humanik_z_up", "humanik_z_up", 30, "z", 0.0254, 1.55, 1),
    "bvh/pybvh/bvh_test2": Fact("xsens", "xsens_arms_down", 120, "y", 0.01, 1.59, 0.1),
    "bvh/smpl_named_cm/momask_aist_pelvis24": Fact("smpl_bvh", "smpl_named", 60, "y", 0.01, 1.45),
    "bvh/smpl_named_metres/scadiver_test": Fact("smpl_bvh", "smpl_scadiver", 30, "z", 1.0, 1.57),
    "bvh/xia_style/angry_13_000": _xia(1.38, 12),
    "bvh/xia_style/depressed_13_000": _xia(1.37, 10),
    "bvh/xia_style/depressed_18_000": _xia(1.41, 11),
    "bvh/xia_style/neutral_01_000": _xia(1.40, 8),
    "bvh/xia_style/neutral_16_000": _xia(1.47, 18),
    "bvh/xia_style/old_13_000": _xia(1.32, 11),
    "bvh/xia_style/sexy_01_000": _xia(1.405, 9),
    "bvh/xia_style/sexy_01_001": _xia(1.40, 9),
    "bvh/xia_style/strutting_01_000": _xia(1.40, 9),
    "motion272/Representation_272/000000": Fact("smpl_bvh", "smpl_named", 60, "y", 1.0, 1.50),
    "skeletons/scadiver_amass_hierarchy": Fact("smpl_bvh", "smpl_scadiver", 30, "z", 1.0, 1.58),
    "skeletons/scamo_template_correct_head_toe": Fact("smpl_bvh", "smpl_hips_named", 60, "y", 1.0, 1.45),
}

REFUSED = {  # of the edge cases: who claims it and why it is refused, or why nobody does
    "nonhuman/biped_rig_dog_walk.bvh": (None, "BVH of a skeleton that is not known (61 joints"),
    "nonhuman/mann_dog_D1_010_KAN01_002.bvh": (None, "BVH of a skeleton that is not known (21 joints"),
    "parser/Geno_bind_two_frames.bvh": (None, "BVH of a skeleton that is not known (75 joints"),
    "parser/azure_malformed_offsets.bvh": ("azure_kinect", "bad_hierarchy"),
    "parser/git_lfs_pointer_instead_of.npy": (None, "git lfs pointer"),
    "parser/hand_only_lhand.bvh": (None, "BVH of a skeleton that is not known (23 joints"),
    "parser/rest_one_frame.bvh": ("cmu_cgspeed", "too_short"),
    "parser/rotation_first_root.bvh": (None, "BVH of a skeleton that is not known (4 joints"),
    "parser/simple_bvh_nn_test.bvh": (None, "BVH without a readable hierarchy"),
}


def claimed(path: Path) -> ClipRef:
    (claim,) = look_around([path]).claims
    (ref,) = SOURCES[claim.source].discover(claim)
    return ref


def read(ref: ClipRef) -> RawClip:
    raw = SOURCES[ref.source].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    return raw


def posed(clip: Clip) -> np.ndarray:
    quats = rotation.from_rotvec(clip.rotvecs_T22x3)
    return forward_kinematics(clip.root_T3, quats, clip.offsets_22x3, SMPL22_PARENTS)


def own_joints(path: Path, fact: Fact) -> np.ndarray:
    """The file's own joints from its own channels, without any alignment: (T, 22, 3), metres, +Y up."""
    bvh = read_bvh(path)
    translations = bvh.translations_TJ3() * fact.unit_m
    quats, parents, names = (
        bvh.quats_TJ4(),
        list(bvh.skeleton.parents),
        [n.rpartition(":")[2] for n in bvh.skeleton.names],
    )
    for joint, offset in end_sites(path.read_text().partition("MOTION")[0]).items():
        parents.append(bvh.skeleton.index(joint))
        names.append(f"{joint}.end")
        site = np.broadcast_to(np.array(offset) * fact.unit_m, (len(quats), 1, 3))
        translations = np.concatenate([translations, site], axis=1)
        quats = np.concatenate([quats, np.broadcast_to([1.0, 0, 0, 0], (len(quats), 1, 4))], axis=1)
    joints = forward_kinematics(translations[:, 0], quats, translations, parents)
    places = JOINT_MAPS[fact.skeleton_id].places
    at = [[names.index(place.start), names.index(place.end)] for place in places]
    share = np.array([place.fraction for place in places])[:, None]
    mapped = joints[:, [a for a, _ in at]] * (1 - share) + joints[:, [b for _, b in at]] * share
    return rotation.rotate(TO_Y_UP[fact.up], mapped)


def test_every_bvh_of_the_data_folder_is_in_a_list(real_data: Path) -> None:
    found = {path.relative_to(real_data).with_suffix("").as_posix() for path in real_data.rglob("*.bvh")}
    others = {name for name in found if name.split("/")[1] not in OWN_TESTS and name.split("/")[0] != "edge_cases"}
    assert others == set(FACTS)
    cases = real_data / "edge_cases"
    assert {path.relative_to(cases).as_posix() for path in cases.rglob("*") if path.is_file()} == set(REFUSED)


@pytest.mark.parametrize("name", FACTS)
def test_a_real_file_has_its_rate_axes_unit_size_and_pose(real_data: Path, name: str) -> None:
    fact, path = FACTS[name], real_data / f"{name}.bvh"
    ref = claimed(path)
    assert ref.source == fact.source
    clip = normalise(read(ref))
    said = clip.provenance
    assert (clip.fps, said["up"], said["skeleton_id"]) == (fact.fps, fact.up, fact.skeleton_id)
    assert float(said["unit_m"]) == pytest.approx(fact.unit_m)
    if fact.flag:
        assert fact.flag in clip.flags
    joints, own = posed(clip), own_joints(path, fact)
    start = clip.valid[0]
    assert height(joints[start:]) == pytest.approx(fact.height_m, abs=0.006)
    distance = np.linalg.norm(joints - own, axis=-1)[:, clip.joint_mask].max()
    assert distance * 1000 <= fact.error_mm
    assert clip.fk_error_m == pytest.approx(distance, abs=2e-6)
    # Upright, the left at the left, feet ahead of ankles.
    across, front = joints[:, 1] - joints[:, 2], facing(joints)
    toes = (joints[:, [10, 11]] - joints[:, [7, 8]]).mean(axis=1)
    assert np.median(joints[:, 15, 1] - joints[:, [7, 8], 1].mean(axis=1)) > 0.7
    assert np.median(np.einsum("tc,tc->t", np.cross(across, [0.0, 1, 0]), toes)) > 0
    assert np.median(np.einsum("tc,tc->t", front, toes)) > 0
    # Shins bend back and forearms forward, in the frames of thighs and upper arms: rotations are about SMPL's axes.
    for joint, bone, ahead in (
        ("left_knee", [0, -1, 0], -1),
        ("right_knee", [0, -1, 0], -1),
        ("left_elbow", [1, 0, 0], 1),
        ("right_elbow", [-1, 0, 0], 1),
    ):
        turns = rotation.from_rotvec(clip.rotvecs_T22x3[start:, SMPL22_NAMES.index(joint)])
        turned = rotation.rotate(turns, bone)
        bent = turned @ bone < np.cos(np.deg2rad(35))
        assert not bent.any() or np.mean(turned[bent, 2] * ahead > 0) > 0.9, joint


@pytest.mark.parametrize(
    "name", ["bvh/mixamo/Walk-In-Circle", "bvh/mixamo/Walking_01", "bvh/xia_style/neutral_01_000", "bvh/cmu_daz/10_01"]
)
def test_real_bodies_walk_the_way_they_face(real_data: Path, name: str) -> None:
    clip = normalise(read(claimed(real_data / f"{name}.bvh")))
    joints = posed(clip)[clip.valid[0] :]
    step = max(1, int(clip.fps) // 4)
    moved = (joints[step:, 0] - joints[:-step, 0]) * [1, 0, 1]
    speed = np.linalg.norm(moved, axis=-1)
    ahead = np.einsum("tc,tc->t", moved, facing(joints)[:-step])[speed > 0.1] / speed[speed > 0.1]
    assert len(ahead) > 10
    assert np.median(ahead) > 0.9


@pytest.mark.parametrize("name", REFUSED)
def test_an_edge_case_is_refused_for_the_right_reason(real_data: Path, name: str) -> None:
    source, reason = REFUSED[name]
    found = look_around([real_data / "edge_cases" / name])
    assert [claim.source for claim in found.claims] == ([] if source is None else [source])
    if source is None:
        (skip,) = found.skipped
        assert reason in skip.reason
    else:
        (ref,) = SOURCES[source].discover(found.claims[0])
        with pytest.raises(MotionUnionError) as caught:
            normalise(read(ref))
        assert caught.value.reason == reason


def test_real_takes_of_cmu_have_the_address_of_amass_and_no_added_pose(real_data: Path) -> None:
    raw = read(claimed(real_data / "bvh/cmu_daz/10_03.bvh"))
    assert (raw.ref.uid, raw.valid) == ("amass/cmu/10/10_03", (1, 363))
    assert read(claimed(real_data / "bvh/cmu_renamed/jumping_jacks.bvh")).valid == (0, 125)


def test_real_xia_names_become_style_group_and_caption(real_data: Path) -> None:
    raws = [read(claimed(real_data / f"bvh/xia_style/sexy_01_00{part}.bvh")) for part in (0, 1)]
    assert [raw.labels for raw in raws] == [
        {"style": "sexy", "content": "01", "part": "000"},
        {"style": "sexy", "content": "01", "part": "001"},
    ]
    assert {raw.group for raw in raws} == {"xia_style/sexy_01"}
    assert raws[0].captions[0].text == "a person moves with a sway of the hips"


def test_a_character_of_another_size_than_people_is_refused(tmp_path: Path, walk: Callable[..., Any]) -> None:
    parents = {"Hips": "-", "Spine": "Hips", "Spine1": "Spine", "Spine2": "Spine1", "Neck": "Spine2", "Head": "Neck"}
    for side in ("Left", "Right"):
        for chain in (
            ("Spine2", "Shoulder", "Arm", "ForeArm", "Hand"),
            ("Hips", "UpLeg", "Leg", "Foot", "ToeBase"),
        ):
            names = [chain[0], *(side + part for part in chain[1:])]
            parents |= dict(zip(names[1:], names, strict=False))
    arms_first = sorted(parents, key=lambda name: name.endswith(("Leg", "Foot", "ToeBase")))
    tree = "\n".join(f"{parents[name]} {name}" for name in arms_first)
    for unit_m, outcome in ((0.01, None), (0.005, "implausible_size")):
        path = tmp_path / f"{unit_m}.bvh"
        walk(30).write_bvh(path, "mixamo", tree, fps=30, unit_m=unit_m)
        raw = read(claimed(path))
        if outcome is None:
            assert normalise(raw).provenance["skeleton_id"] == "mixamo"
        else:
            with pytest.raises(MotionUnionError) as caught:
                normalise(raw)
            assert caught.value.reason == outcome


def test_a_kinect_s_first_frame_may_face_anywhere(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> None:
    write_tree("azure_kinect", tmp_path)
    reader = SOURCES["azure_kinect"]
    ref = claimed(tmp_path / "walk.bvh")
    raw = read(ref)
    turn = rotation.from_rotvec([0.0, 0.7, 0.0])
    world = rotation.multiply(global_rotations(raw.quats_TJ4, raw.skeleton.parents), rotation.conjugate(turn))
    turned = replace(raw.skeleton, offsets_J3=rotation.rotate(turn, raw.skeleton.offsets_J3))
    skeleton, quats, root = reader.rebased(turned, local_rotations(world, turned.parents), raw.root_T3, ref)
    np.testing.assert_allclose(skeleton.offsets_J3, raw.skeleton.offsets_J3, atol=1e-9)
    np.testing.assert_allclose(np.abs(np.einsum("tjq,tjq->tj", quats, raw.quats_TJ4)), 1, atol=1e-12)
    np.testing.assert_array_equal(root, raw.root_T3)


def test_a_known_skeleton_under_a_name_of_no_set_says_whose_it_could_be(
    tmp_path: Path, write_tree: Callable[[str, Path], Any]
) -> None:
    write_tree("xia_style", tmp_path)
    (tmp_path / "angry_01_000.bvh").rename(tmp_path / "mine.bvh")
    found = look_around([tmp_path])
    assert [path.name for claim in found.claims for path in claim.files] == ["proud_02_001.bvh"]
    (skip,) = found.skipped
    assert skip.path.name == "mine.bvh"
    assert "(xia_style, cmu_cgspeed)" in skip.reason
    (claim,) = look_around([tmp_path], "cmu_cgspeed").claims
    assert tmp_path / "mine.bvh" in claim.files


@pytest.mark.parametrize(("stretched", "refused"), [("RightHandIndex1", False), ("LeftLeg", True)])
def test_bones_of_the_body_may_not_change_and_fingers_may(
    tmp_path: Path, write_tree: Callable[[str, Path], Any], stretched: str, refused: bool
) -> None:
    write_tree("perception_neuron", tmp_path)
    path = tmp_path / "perception_neuron.bvh"
    column = 6 * read_bvh(path).skeleton.index(stretched)
    lines = path.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Frame Time")) + 7
    row = lines[at].split()
    row[column] = str(float(row[column]) + 3)
    path.write_text("\n".join([*lines[:at], " ".join(row), *lines[at + 1 :], ""]))
    if refused:
        with pytest.raises(MotionUnionError, match=stretched) as caught:
            read(claimed(path))
        assert caught.value.reason == "moving_bones"
    else:
        assert normalise(read(claimed(path))).fk_error_m < 1e-3


def test_lafan1_re_exports_are_told_from_mixamo_by_their_zero_pose(tmp_path: Path, walk: Callable[..., Any]) -> None:
    names = JOINT_MAPS["lafan1_toebase"].names[0]
    above = {
        "Spine": "Hips",
        "LeftUpLeg": "Hips",
        "RightUpLeg": "Hips",
        "LeftShoulder": "Spine2",
        "RightShoulder": "Spine2",
    }
    parents = ["-", *(above.get(name, before) for before, name in itertools.pairwise(names))]
    tree = "\n".join(f"{parent} {name}" for name, parent in zip(names, parents, strict=True))
    for skeleton_id, source in (("lafan1_toebase", "lafan1"), ("mixamo", "mixamo")):
        path = tmp_path / f"{skeleton_id}.bvh"
        walk(30).write_bvh(path, skeleton_id, tree, fps=30, unit_m=0.01)
        assert (claimed(path).source, read(claimed(path)).skeleton_id) == (source, skeleton_id)


def test_smpl_s_own_skeleton_keeps_smpl_s_rotations(real_data: Path) -> None:
    """One motion as BVH and as 272 features, which hold its SMPL rotations: limbs must not be straightened on the way."""
    from motionunion.representations import decode_motion

    folder = real_data / "motion272" / "Representation_272"
    clip = normalise(read(claimed(folder / "000000.bvh")))
    motion = decode_motion(np.load(folder / "000000.npy").astype(np.float64), "ms272@30")
    turned = rotation.multiply(rotation.conjugate(motion.quats_T22x4), rotation.from_rotvec(clip.rotvecs_T22x3))
    apart = np.rad2deg(np.linalg.norm(rotation.to_rotvec(turned), axis=-1)).max(axis=0)
    assert dict(zip(SMPL22_NAMES[1:], apart[1:].round(3), strict=True)) == dict.fromkeys(SMPL22_NAMES[1:], 0.0)
