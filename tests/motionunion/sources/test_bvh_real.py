"""Every BVH file of the data folder: plausible bodies, true to the file's own joints, with labels from their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motionunion import rotation
from motionunion.clip import Clip, ClipRef, RawClip
from motionunion.errors import ClipError
from motionunion.formats.bvh import read_bvh
from motionunion.joint_maps import JOINT_MAPS
from motionunion.kinematics import forward_kinematics
from motionunion.normalise import normalise
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.base import Folder
from motionunion.sources.detect import recognise

BVH_SOURCES = ("bandai_namco_1", "bandai_namco_2", "100style", "lafan1", "cmu_cgspeed")


def refs_of(source: str, folder: Path) -> list[ClipRef]:
    (claim,) = recognise([folder]).claims
    assert claim.source == source
    return list(SOURCES[source].discover(claim))


def read(ref: ClipRef) -> RawClip:
    raw = SOURCES[ref.source].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    return raw


def world_joints(raw: RawClip, path: Path) -> np.ndarray:
    """The file's own mapped joints from its own channels, without any alignment; metres."""
    bvh = read_bvh(path)
    translations = bvh.translations_TJ3() * raw.unit_m
    joints = forward_kinematics(translations[:, 0], bvh.quats_TJ4(), translations, bvh.skeleton.parents)
    return np.einsum("kj,tjc->tkc", JOINT_MAPS[raw.skeleton_id].position_weights(bvh.skeleton.names), joints)


def pose_clip(clip: Clip) -> np.ndarray:
    quats = rotation.from_rotvec(clip.rotvecs_T22x3)
    return forward_kinematics(clip.root_T3, quats, clip.offsets_22x3, SMPL22_PARENTS)


FACTS = {  # files, frames a second, head-to-foot height of a standing body (m), largest error of a joint (m)
    "bandai_namco_1": (48, 30, (1.2, 1.5), 1e-6),
    "bandai_namco_2": (96, 30, (1.2, 1.5), 1e-6),
    "100style": (12, 60, (1.35, 1.7), 1e-3),
    "lafan1": (4, 30, (1.3, 1.7), 1e-6),
    "cmu_cgspeed": (4, 120, (1.1, 1.6), 0.03),
}


@pytest.mark.parametrize("source", BVH_SOURCES)
def test_every_real_file_becomes_a_plausible_clip(real_data: Path, source: str) -> None:
    count, fps, (lowest, highest), error_m = FACTS[source]
    refs = refs_of(source, real_data / "bvh" / source)
    assert len(refs) == count
    for ref in refs:
        raw = read(ref)
        clip = normalise(raw)
        where = f"{source} {ref.key}"
        assert clip.fps == fps, where
        joints = pose_clip(clip)
        ours = world_joints(raw, ref.path)
        distance = np.linalg.norm(joints - ours, axis=-1)[:, clip.joint_mask].max()
        assert clip.fk_error_m == pytest.approx(distance, abs=2e-6), where
        assert distance < error_m, where
        rest = forward_kinematics(
            np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 22, 1)), clip.offsets_22x3, SMPL22_PARENTS
        )[0]
        assert lowest < rest[SMPL22_NAMES.index("head"), 1] - rest[:, 1].min() < highest, where
        assert rest[1, 0] > 0 > rest[2, 0], where
        # Knees bend one way, elbows the other: the sign of the median local rotation says that the axes are SMPL's. (Its
        # shins lean back by 6 degrees at rest: a leg that stands straight has its knee turned forwards by as much.)
        rotvecs = np.median(clip.rotvecs_T22x3[clip.valid[0] :], axis=0)
        assert rotvecs[SMPL22_NAMES.index("left_knee"), 0] > np.deg2rad(-7), where
        assert rotvecs[SMPL22_NAMES.index("right_knee"), 0] > np.deg2rad(-7), where
        legs = [1, 2, 3, 6, 7, 8, 9]
        assert np.linalg.norm(rotvecs[legs], axis=-1).max() < np.deg2rad(75), where


@pytest.mark.parametrize("source", BVH_SOURCES)
def test_real_bodies_walk_the_way_they_face(real_data: Path, source: str) -> None:
    name = {
        "bandai_namco_1": "dataset-1_walk_*", "bandai_namco_2": "dataset-2_walk_*", "100style": "*_FW",
        "lafan1": "walk", "cmu_cgspeed": "12_01_walk",
    }[source]  # fmt: skip
    paths = sorted((real_data / "bvh" / source).glob(f"{name}.bvh"))
    assert paths
    for path in paths:
        clip = normalise(read(ClipRef(source=source, key=path.stem, uid=path.stem, path=path, root=path.parent)))
        step = max(1, int(clip.fps) // 4)
        moved = (clip.root_T3[step:] - clip.root_T3[:-step])[:, [0, 2]]
        front = rotation.rotate(rotation.from_rotvec(clip.rotvecs_T22x3[:-step, 0]), [0.0, 0, 1])[:, [0, 2]]
        forward = np.einsum("tc,tc->t", moved, front)
        walking = np.linalg.norm(moved, axis=-1) > 0.1
        assert walking.sum() > 10
        assert np.median(forward[walking] / np.linalg.norm(moved[walking], axis=-1)) > 0.9, path.name


def test_real_raised_left_hands_are_on_the_left(real_data: Path) -> None:
    wrists = [SMPL22_NAMES.index(f"{side}_wrist") for side in ("left", "right")]
    paths = sorted((real_data / "bvh" / "bandai_namco_2").glob("*raise-up-*-hand_*.bvh"))
    assert paths
    for path in paths:
        clip = normalise(read(ClipRef(source="bandai_namco_2", key=path.stem, uid="x", path=path, root=path.parent)))
        left, right = pose_clip(clip)[:, wrists, 1].max(axis=0)
        assert (left > right) == ("left" in path.name), path.name


def test_lafan1_labels_come_from_whatever_the_name_holds(real_data: Path) -> None:
    raws = {ref.key: read(ref) for ref in refs_of("lafan1", real_data / "bvh" / "lafan1")}
    crop = raws["dance1_subject2_first10frames"]
    assert crop.labels == {"theme": "dance", "number": "1", "subject": "2"}
    assert crop.group == "lafan1/dance1"
    assert raws["walk"].group is None
    assert {key: raw.captions[0].text for key, raw in raws.items()} == {
        "dance": "a person dances",
        "dance1_subject2_first10frames": "a person dances",
        "jumps": "a person jumps",
        "walk": "a person walks",
    }


def test_100style_names_become_style_content_and_caption(real_data: Path) -> None:
    refs = refs_of("100style", real_data / "bvh" / "100style")
    raws = {ref.key: read(ref) for ref in refs if ref.key in ("InTheDark_ID", "Angry_BW")}
    assert raws["InTheDark_ID"].labels == {"style": "InTheDark", "content": "ID"}
    assert raws["InTheDark_ID"].captions[0].text == "a person stands in place as if in the dark"
    assert raws["Angry_BW"].captions[0].text == "a person walks backward angrily"


def test_real_cmu_files_have_their_t_pose_left_out(real_data: Path) -> None:
    raws = [read(ref) for ref in refs_of("cmu_cgspeed", real_data / "bvh" / "cmu_cgspeed")]
    assert [raw.valid is not None and raw.valid[0] for raw in raws] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("file", "claimed_by", "reason"),
    [
        ("parser/rest_one_frame.bvh", "cmu_cgspeed", "too_short"),
        ("parser/hand_only_lhand.bvh", None, None),
        ("parser/Geno_bind_two_frames.bvh", None, None),
        ("parser/rotation_first_root.bvh", None, None),
        ("parser/azure_malformed_offsets.bvh", None, None),
        ("parser/simple_bvh_nn_test.bvh", None, None),
        ("nonhuman/biped_rig_dog_walk.bvh", None, None),
        ("nonhuman/mann_dog_D1_010_KAN01_002.bvh", None, None),
    ],
)
def test_edge_cases_are_claimed_by_nobody_or_refused(
    real_data: Path, file: str, claimed_by: str | None, reason: str | None
) -> None:
    path = real_data / "edge_cases" / file
    folder = Folder(path.parent, path.parent, (path.name,))
    claims = {source: claim for source in BVH_SOURCES if (claim := SOURCES[source].recognise(folder)) is not None}
    assert list(claims) == ([] if claimed_by is None else [claimed_by])
    for source, claim in claims.items():
        (ref,) = SOURCES[source].discover(claim)
        with pytest.raises(ClipError) as caught:
            normalise(read(ref))
        assert caught.value.reason == reason


def test_other_data_sets_in_the_data_folder_are_claimed_by_nobody(real_data: Path) -> None:
    others = [folder for folder in (real_data / "bvh").iterdir() if folder.is_dir() and folder.name not in BVH_SOURCES]
    assert others
    claimed = [
        (folder.name, source)
        for folder in others
        for source in BVH_SOURCES
        if SOURCES[source].recognise(Folder.list(folder))
    ]
    assert claimed == []
