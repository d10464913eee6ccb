"""AIST++: lengths in centimetres, names that say who dances what, lists of bad fits and of sides."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.plain_pickle import read_plain_pickle
from motionunion.kinematics import forward_kinematics
from motionunion.sources.aistpp import AistPlusPlus, choreography_of
from motionunion.sources.base import Claim, ReadOptions
from motionunion.sources.detect import recognise

# COCO's joints by SMPL's: shoulders, elbows, wrists, hips, knees, ankles.
COCO = {5: 16, 6: 17, 7: 18, 8: 19, 9: 20, 10: 21, 11: 1, 12: 2, 13: 4, 14: 5, 15: 7, 16: 8}


@pytest.fixture
def tree(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("aistpp", tmp_path / "set")
    return tmp_path / "set"


def refs_of(*paths: Path) -> list[ClipRef]:
    return [ref for claim in recognise(list(paths)).claims for ref in AistPlusPlus().discover(claim)]


def read(ref: ClipRef) -> RawClip:
    return AistPlusPlus().read(ref, ReadOptions())


def rewritten(ref: ClipRef, **changes: Any) -> ClipRef:
    values = {**read_plain_pickle(ref.path), **changes}
    ref.path.write_bytes(pickle.dumps({name: value for name, value in values.items() if value is not None}))
    return ref


def test_names_say_genre_dancer_music_and_choreography(tree: Path) -> None:
    raw = read(refs_of(tree)[0])
    assert raw.labels == {
        "genre": "BR", "situation": "BM", "dancer": "04", "music": "BR0", "choreography": "01", "smpl_scaling": "90",
    }  # fmt: skip
    assert [caption.text for caption in raw.captions] == ["a person dances basic moves of break dance"]
    assert (raw.fps, raw.up, raw.gender, raw.betas) == (60, "y", "male", None)


def test_one_choreography_is_one_group_whoever_dances_to_whatever(tree: Path) -> None:
    first, second, other = (read(ref) for ref in refs_of(tree))
    assert first.group == second.group == "aistpp/gbr_sbm_ch01"
    assert other.group == "aistpp/gwa_sfm_ch21"
    assert choreography_of("walk") is None


def test_bad_fits_are_flagged_and_sides_are_those_of_the_lists(tree: Path) -> None:
    raws = [read(ref) for ref in refs_of(tree)]
    assert [raw.flags for raw in raws] == [(), ("known_bad",), ()]
    assert [raw.official_split for raw in raws] == ["train", "train", "test"]


def test_the_motions_alone_know_the_lists_beside_them(tree: Path) -> None:
    assert [read(ref).official_split for ref in refs_of(tree / "motions")] == ["train", "train", "test"]
    (tree / "ignore_list.txt").write_text("")
    assert all(read(ref).flags == () for ref in refs_of(tree))


def test_a_list_that_cannot_be_read_costs_what_it_would_have_said(tree: Path) -> None:
    (tree / "ignore_list.txt").write_bytes(b"\xff")
    raws = [read(ref) for ref in refs_of(tree)]
    assert [(raw.flags, raw.official_split) for raw in raws] == [((), "train"), ((), "train"), ((), "test")]
    assert {fault.reason for raw in raws for fault in raw.faults} == {"not_utf8"}


def test_without_lists_nothing_is_bad_and_nothing_has_a_side(tree: Path, tmp_path: Path) -> None:
    (tree / "motions").rename(tmp_path / "moved")
    raws = [read(ref) for ref in refs_of(tmp_path / "moved")]
    assert [(raw.flags, raw.official_split) for raw in raws] == [((), None)] * 3


def test_keypoints_are_passed_over_with_a_reason(tree: Path) -> None:
    (skip,) = (skip for skip in recognise([tree]).skipped if skip.path.parent.name == "keypoints3d")
    assert "fitted" in skip.reason


def test_words_beside_a_dance_are_its_sidecar(tree: Path) -> None:
    path = refs_of(tree)[0].path.with_suffix(".txt")
    path.write_text("a person spins on the head\n")
    (claim,) = recognise([tree]).claims
    assert claim.sidecars == (path,)


def test_poses_may_have_an_axis_for_joints(tree: Path) -> None:
    ref = refs_of(tree)[0]
    before = read(ref)
    poses = read_plain_pickle(ref.path)["smpl_poses"]
    np.testing.assert_array_equal(read(rewritten(ref, smpl_poses=poses.reshape(-1, 24, 3))).quats_TJ4, before.quats_TJ4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"smpl_scaling": None}, "unknown_unit"),
        ({"smpl_scaling": np.array([0.0])}, "unknown_unit"),
        ({"smpl_scaling": np.array([np.nan])}, "unknown_unit"),
        ({"smpl_scaling": np.array([90.0, 91.0])}, "unknown_unit"),
        ({"smpl_scaling": 90.0}, "missing_array"),
        ({"smpl_trans": np.zeros((3, 3))}, "bad_shape"),
        ({"smpl_trans": None}, "missing_array"),
        ({"smpl_poses": np.zeros((120, 156))}, "bad_shape"),
        ({"smpl_poses": "poses"}, "missing_array"),
        ({"smpl_poses": Path("x")}, "pickled"),
    ],
)
def test_what_is_not_as_published_is_refused(tree: Path, changes: dict[str, Any], reason: str) -> None:
    ref = rewritten(refs_of(tree)[0], **changes)
    with pytest.raises(SourceFormatError) as caught:
        read(ref)
    assert caught.value.reason == reason


def test_real_limbs_are_where_the_keypoints_of_the_same_fits_are(real_data: Path) -> None:
    refs = [
        ref
        for ref in refs_of(real_data / "aistpp/motions")
        if (real_data / f"aistpp/keypoints3d/{ref.key}.pkl").is_file()
    ]
    assert len(refs) == 3
    for ref in refs:
        raw = read(ref)
        size = float(raw.labels["smpl_scaling"]) / 100  # of this dancer, as a share of SMPL's mean
        joints = forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, raw.skeleton.parents) * size
        seen = read_plain_pickle(real_data / f"aistpp/keypoints3d/{ref.key}.pkl")["keypoints3d_optim"] / 100
        apart = np.linalg.norm(joints[:, list(COCO.values())] - seen[:, list(COCO)], axis=-1)
        assert apart.mean(axis=0).max() < 0.06


def test_the_real_file_of_others_is_refused_for_its_unit(real_data: Path) -> None:
    claim = Claim("aistpp", real_data, (real_data / "aistpp/smpl_to_fbx_sample.pkl",))
    with pytest.raises(SourceFormatError, match="no smpl_scaling") as caught:
        read(next(AistPlusPlus().discover(claim)))
    assert caught.value.reason == "unknown_unit"
