"""MotionHub: groups of the originals, captions by level, sides from lists of any size, two layouts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.sources.base import ReadOptions
from motionunion.sources.detect import recognise
from motionunion.sources.motionhub import MotionHub, group_of


@pytest.fixture
def tree(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("motionhub", tmp_path / "set")
    return tmp_path / "set"


def refs_of(path: Path) -> list[ClipRef]:
    return [ref for claim in recognise([path]).claims for ref in MotionHub().discover(claim)]


def read(ref: ClipRef) -> RawClip:
    return MotionHub().read(ref, ReadOptions())


@pytest.mark.parametrize(
    ("subset", "within", "group"),
    [
        ("GRAB", "s1/airplane_fly_1", "amass/grab/s1/airplane_fly_1"),
        ("EgoBody", "recording_20210929_S15_S11_03/body_idx_0/000", "egobody/recording_20210929_s15_s11_03"),
        ("aist", "gBR_sBM_cAll_d04_mBR0_ch01", "aistpp/gbr_sbm_ch01"),
        ("HumanML3D_AMASS", "M000/M000012", "humanml3d/000012"),
        ("HumanML3D_HumanACT12", "000001", "humanml3d/000001"),
        ("interx", "smplh_52_1p/G021T002A012R014/P1", "inter_x/g021t002a012r014"),
        ("permo", "walk", None),
        ("aist", "walk", "motion_x/aist/walk"),
        ("Fitness", "subset_0032/Plank_Cross_Crunches_clip_18", "motion_x/fitness/plank_cross_crunches"),
    ],
)
def test_groups_are_the_originals_where_names_tell(subset: str, within: str, group: str | None) -> None:
    assert group_of(subset, within) == group


def test_keys_are_sets_and_paths_within_them(tree: Path) -> None:
    keys = ["GRAB/s1/airplane_fly_1", "GRAB/s1/mug_lift", "HumanML3D_AMASS/M000/M000012"]
    assert [ref.key for ref in refs_of(tree)] == keys
    assert [ref.key for ref in refs_of(tree / "GRAB/smplh_52/s1")] == keys[:2]
    assert [ref.key for ref in refs_of(tree / "GRAB/smplh_52/s1/mug_lift.npz")] == keys[1:2]


def test_captions_come_level_by_level(tree: Path) -> None:
    raw = read(refs_of(tree)[0])
    assert [(caption.layer, caption.text) for caption in raw.captions] == [
        ("motionhub_action", "plays"), ("motionhub_macro", "A person plays."), ("motionhub_micro", "x"),
        ("motionhub_micro", "y"),
    ]  # fmt: skip
    assert (raw.labels["category"], raw.labels["subset"]) == ("daily activity", "GRAB")


def test_motions_deep_within_know_their_captions_and_sides(tree: Path) -> None:
    raws = [read(ref) for ref in refs_of(tree / "GRAB/smplh_52")]
    assert [(raw.official_split, len(raw.captions)) for raw in raws] == [("test", 4), ("train", 4)]


def test_lists_may_name_several_motions_at_once(tree: Path) -> None:
    (tree / "GRAB/train.json").write_text("{}")
    entries = {
        "a": {"motion_path": ["../GRAB/smplh_52/s1/mug_lift.npz", "GRAB/smplx_55/s1/airplane_fly_1.npz"], "fps": 30}
    }
    (tree / "GRAB/test.json").write_text(json.dumps({"data_list": entries}))
    assert [read(ref).official_split for ref in refs_of(tree / "GRAB")] == ["test", "test"]
    (tree / "GRAB/test.json").write_text("")
    assert [read(ref).official_split for ref in refs_of(tree / "GRAB")] == [None, None]


def test_a_mirrored_motion_is_flagged(tree: Path) -> None:
    assert [read(ref).flags for ref in refs_of(tree)] == [(), (), ("mirrored",)]


def test_of_both_layouts_the_newer_is_read(tree: Path) -> None:
    shutil.copytree(tree / "GRAB/smplh_52", tree / "GRAB/smplx_55")
    assert len(refs_of(tree / "GRAB")) == 2
    (skip,) = recognise([tree / "GRAB"]).skipped
    assert (skip.count, skip.reason) == (2, "the same motion as in smplh_52")


def test_whole_and_parted_poses_read_the_same(tree: Path) -> None:
    ref = refs_of(tree)[0]
    before = read(ref)
    with np.load(ref.path) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "poses"}
    np.savez(ref.path, **arrays)
    raw = read(ref)
    np.testing.assert_array_equal(raw.quats_TJ4, before.quats_TJ4)
    np.testing.assert_array_equal(raw.hands_T90, before.hands_T90)


@pytest.mark.parametrize("drop", [("transl",), ("poses", "body_pose"), ("mocap_framerate",)])
def test_what_a_motion_needs_is_missed_by_name(tree: Path, drop: tuple[str, ...]) -> None:
    ref = refs_of(tree)[0]
    with np.load(ref.path) as archive:
        arrays = {name: archive[name] for name in archive.files if name not in drop}
    np.savez(ref.path, **arrays)
    with pytest.raises(SourceFormatError, match=drop[-1]):
        read(ref)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_captions_that_cannot_be_read_cost_themselves_alone(tree: Path, text: str) -> None:
    (tree / "GRAB/hierarchical_caption/s1/mug_lift.json").write_text(text)
    raw = read(refs_of(tree)[1])
    assert raw.captions == ()
    assert [fault.reason for fault in raw.faults] == ["bad_caption"]
