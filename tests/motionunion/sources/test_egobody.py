"""EgoBody: a pickle per frame, gaps, two people in one room, and no clip without the camera's place."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.plain_pickle import read_plain_pickle
from motionunion.ingest.plan import list_claims
from motionunion.kinematics import forward_kinematics
from motionunion.sources.base import ReadOptions
from motionunion.sources.detect import recognise
from motionunion.sources.egobody import EgoBody

RECORDING = "recording_20210907_S02_S01_01"
KEYS = [f"smplx/{RECORDING}/body_idx_0", f"smplx/{RECORDING}/body_idx_1#01888", f"smplx/{RECORDING}/body_idx_1#01903"]


@pytest.fixture
def tree(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> Path:
    write_tree("egobody", tmp_path / "set")
    return tmp_path / "set"


def refs_of(path: Path) -> list[ClipRef]:
    return [ref for claim in recognise([path]).claims for ref in EgoBody().discover(claim)]


def read(ref: ClipRef) -> RawClip:
    return EgoBody().read(ref, ReadOptions())


def rewrite(paths: list[Path], **changes: Any) -> None:
    for path in paths:
        values = {**read_plain_pickle(path), **changes}
        path.write_bytes(pickle.dumps({name: value for name, value in values.items() if value is not None}))


def test_a_stretch_without_a_gap_is_a_clip(tree: Path) -> None:
    refs = refs_of(tree)
    assert [ref.key for ref in refs] == KEYS
    assert [1 + len(ref.more) for ref in refs] == [30, 14, 15]
    assert [ref.uid for ref in refs] == [f"egobody/{key.partition('/')[2].lower()}" for key in KEYS]
    assert refs[0].size == sum(path.stat().st_size for path in (refs[0].path, *refs[0].more))


def test_both_people_stand_in_the_room_as_they_did(tree: Path, walk: Callable[..., Any]) -> None:
    raws = [read(ref) for ref in refs_of(tree)]
    for raw, person, frames in zip(raws, (0, 1, 1), (slice(0, 30), slice(0, 14), slice(15, 30)), strict=True):
        joints = forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, raw.skeleton.parents)
        np.testing.assert_allclose(joints, walk(30.0, seed=person).joints_T22x3[frames], atol=2e-5)
        assert (raw.up, raw.fps) == ("y", 30)


def test_people_of_one_recording_share_a_group_a_side_and_a_scene(tree: Path) -> None:
    raws = [read(ref) for ref in refs_of(tree)]
    assert {raw.group for raw in raws} == {f"egobody/{RECORDING.lower()}"}
    assert {raw.official_split for raw in raws} == {"val"}
    assert [(raw.labels["person"], raw.labels["role"]) for raw in raws] == [
        ("0", "interactee"), ("1", "camera_wearer"), ("1", "camera_wearer"),
    ]  # fmt: skip
    assert {raw.labels["scene"] for raw in raws} == {"seminar_g110"}


def test_each_knows_its_partner_and_when_it_begins(tree: Path) -> None:
    raws = [read(ref) for ref in refs_of(tree)]
    assert [raw.labels["first_frame"] for raw in raws] == ["01888", "01888", "01903"]
    person, partner = KEYS[0], KEYS[1].partition("#")[0]
    assert [raw.labels["partner"] for raw in raws] == [partner, person, person]
    assert all("one_of_two" in raw.flags for raw in raws)


def test_the_person_alone_gives_the_same_refs_and_the_same_place(tree: Path) -> None:
    whole = refs_of(tree)[0]
    (alone,) = refs_of(tree / "smplx_interactee_val" / RECORDING / "body_idx_0")
    assert (alone.key, alone.uid) == (whole.key, whole.uid)
    np.testing.assert_array_equal(read(alone).root_T3, read(whole).root_T3)


def test_shape_is_the_median_of_the_frames(tree: Path) -> None:
    raw = read(refs_of(tree)[0])
    assert raw.betas is not None
    np.testing.assert_allclose(raw.betas, np.full(10, 0.1 + 1e-4 * 14.5), atol=1e-7)
    assert raw.flags == ("one_of_two", "shape_varies")


def test_jaw_eyes_and_expression_go_along_and_components_of_hands_do_not(tree: Path) -> None:
    raw = read(refs_of(tree)[0])
    assert {name: track.shape for name, track in raw.face.items()} == {
        "jaw": (30, 3),
        "eyes": (30, 6),
        "expression": (30, 10),
    }
    assert raw.hands_T90 is None


def test_gender_is_the_fits_or_else_the_tables(tree: Path) -> None:
    first, second, _ = refs_of(tree)
    assert read(first).gender == "female"
    rewrite([second.path, *second.more], gender=None)
    assert read(second).gender == "male"
    (tree / "data_info_release.csv").unlink()
    assert read(second).gender is None


def test_smpl_fits_are_told_by_their_width_and_key(tree: Path) -> None:
    folder = tree / "smplx_interactee_val"
    ref = next(ref for ref in refs_of(folder))
    body = read_plain_pickle(ref.path)["body_pose"]
    rewrite([ref.path, *ref.more], body_pose=np.concatenate([body, np.zeros((1, 6))], axis=1), jaw_pose=None)
    folder.rename(tree / "smpl_interactee_val")
    renamed = next(ref for ref in refs_of(tree) if ref.key.startswith("smpl/"))
    raw = read(renamed)
    assert renamed.key == f"smpl/{RECORDING}/body_idx_0"
    assert "jaw" not in raw.face
    assert raw.group == f"egobody/{RECORDING.lower()}"
    shutil.move(tree / "smpl_interactee_val", tree / "fits")
    assert f"smpl/{RECORDING}/body_idx_0" in [ref.key for ref in refs_of(tree)]


def test_without_a_calibration_no_axis_points_up_and_the_recording_is_refused(tree: Path) -> None:
    ref = refs_of(tree)[0]
    shutil.rmtree(tree / "calibrations")
    with pytest.raises(ClipError, match=r"calibrations\.zip") as caught:
        read(ref)
    assert caught.value.reason == "no_calibration"


def test_a_table_that_is_none_is_named(tree: Path) -> None:
    ref = refs_of(tree)[0]
    (tree / "data_splits.csv").write_text('train,val,test\n"' + "x" * 200_000 + "\n")
    with pytest.raises(SourceFormatError, match=r"data_splits\.csv") as caught:
        read(ref)
    assert caught.value.reason == "bad_table"


def test_among_several_scenes_the_table_tells_which(tree: Path) -> None:
    ref = refs_of(tree)[0]
    world = next((tree / "calibrations").rglob("*.json"))
    shutil.copyfile(world, world.with_name("other_room.json"))
    assert read(ref).labels["scene"] == "seminar_g110"
    (tree / "data_info_release.csv").unlink()
    with pytest.raises(ClipError, match="more than one"):
        read(ref)


@pytest.mark.parametrize(
    "trans", [[[1, 0, 0, 0]], np.diag([1, 1, -1, 1]).tolist(), np.diag([2, 2, 2, 1]).tolist(), "far", None]
)
def test_what_is_no_turn_and_shift_is_no_calibration(tree: Path, trans: Any) -> None:
    ref = refs_of(tree)[0]
    next((tree / "calibrations").rglob("*.json")).write_text(json.dumps({"trans": trans} if trans else {}))
    with pytest.raises(SourceFormatError) as caught:
        read(ref)
    assert caught.value.reason == "bad_calibration"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"transl": None}, "missing_array"),
        ({"body_pose": np.zeros((1, 69))}, "bad_shape"),
        ({"transl": "x"}, "missing_array"),
    ],
)
def test_a_frame_that_is_not_like_the_others_is_refused_by_name(tree: Path, changes: Any, reason: str) -> None:
    ref = refs_of(tree)[0]
    rewrite([ref.more[3]], **changes)
    with pytest.raises(SourceFormatError, match=ref.more[3].parent.name) as caught:
        read(ref)
    assert caught.value.reason == reason


def test_a_frame_that_changes_touches_its_own_clip_alone(tree: Path) -> None:
    def stamps() -> list[str]:
        return [listed.stamp for listed in list_claims(recognise([tree]).claims, ReadOptions())[0]]

    before = stamps()
    os.utime(refs_of(tree)[1].more[0], (1, 1))
    after = stamps()
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    os.utime(next((tree / "calibrations").rglob("*.json")), (1, 1))
    assert not set(stamps()) & set(after)
