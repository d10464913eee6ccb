"""Inter-X: two people of one take, from fits, skeletons and the files for training."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from motionunion.clip import Annotation, ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.joint_maps import JOINT_MAPS
from motionunion.kinematics import forward_kinematics
from motionunion.normalise import normalise
from motionunion.skeleton import SMPL22_NAMES
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import recognise

FITTED, CAPTURED, TRAINING = "G001T000A001R000", "G001T000A003R016", "G059T005A037R023"


@pytest.fixture
def refs(tmp_path: Path, write_tree: Callable[[str, Path], Any]) -> dict[str, ClipRef]:
    write_tree("inter_x", tmp_path)
    return listed(tmp_path)


def listed(root: Path) -> dict[str, ClipRef]:
    return {ref.key: ref for claim in recognise([root]).claims for ref in SOURCES["inter_x"].discover(claim)}


def said(ref: ClipRef) -> Annotation:
    reading = SOURCES["inter_x"].read(ref, ReadOptions())
    assert isinstance(reading, Annotation)
    return reading


def read(ref: ClipRef) -> RawClip:
    raw = SOURCES["inter_x"].read(ref, ReadOptions())
    assert isinstance(raw, RawClip)
    return raw


def test_each_person_of_a_take_is_a_clip_and_skeletons_of_fits_are_left_out(
    refs: dict[str, ClipRef], tmp_path: Path
) -> None:
    assert list(refs) == [
        f"{FITTED}#P1", f"{FITTED}#P2", f"processed/{TRAINING}#P1", f"processed/{TRAINING}#P2",
        f"skeletons/{CAPTURED}#P1", f"skeletons/{CAPTURED}#P2", f"texts/{FITTED}", f"texts/{TRAINING}",
    ]  # fmt: skip
    (left_out,) = recognise([tmp_path]).skipped
    assert (left_out.count, left_out.path.name) == (2, FITTED)
    assert "motions/" in left_out.reason


def test_a_take_found_by_its_own_folder_has_the_same_key_and_side(refs: dict[str, ClipRef], tmp_path: Path) -> None:
    alone = listed(tmp_path / "motions" / FITTED)
    assert list(alone) == [f"{FITTED}#P1", f"{FITTED}#P2"]
    assert read(alone[f"{FITTED}#P1"]).official_split == "test"


def test_sentences_are_said_of_both_people_wherever_they_lie(refs: dict[str, ClipRef], tmp_path: Path) -> None:
    sentences = ["Two people shake hands.", "The first one walks up, the other waits."]
    for found in (refs, listed(tmp_path / "texts")):
        captions = said(found[f"texts/{FITTED}"]).captions
        people = [read(refs[f"{FITTED}#P{person}"]).ref.uid for person in (1, 2)]
        assert [(c.uid, c.text, c.tokens) for c in captions] == [
            (uid, text, None) for uid in people for text in sentences
        ]
    tagged = said(refs[f"texts/{TRAINING}"]).captions
    assert {(c.text, c.tokens) for c in tagged} == {("two people walk", "two/NUM people/NOUN walk/VERB")}
    assert [c.uid for c in tagged] == [read(refs[f"processed/{TRAINING}#P{person}"]).ref.uid for person in (1, 2)]


def test_sentences_that_are_no_text_are_refused(refs: dict[str, ClipRef]) -> None:
    ref = refs[f"texts/{FITTED}"]
    ref.path.write_bytes("zwei Leute begrüßen sich".encode("latin-1"))
    with pytest.raises(SourceFormatError) as caught:
        said(ref)
    assert caught.value.reason == "not_utf8"


def test_both_people_share_group_and_side_and_know_of_each_other(refs: dict[str, ClipRef]) -> None:
    one, two = (read(refs[f"{FITTED}#P{person}"]) for person in (1, 2))
    assert one.group == two.group == "inter_x/g001t000a001r000"
    assert one.official_split == two.official_split == "test"
    assert one.captions == two.captions == ()
    assert one.labels == {
        "recording": FITTED, "person": "P1", "partner": f"{FITTED}#P2", "action": "handshake", "role": "reactor",
    }  # fmt: skip
    assert (two.labels["partner"], two.labels["role"]) == (f"{FITTED}#P1", "actor")
    assert one.flags == two.flags == ("one_of_two",)
    assert [path.name for path in one.inputs] == ["P1.npz", "test.txt"]


def test_fits_keep_hands_shape_gender_and_the_place_of_both_in_one_world(refs: dict[str, ClipRef]) -> None:
    one, two = (read(refs[f"{FITTED}#P{person}"]) for person in (1, 2))
    with np.load(one.ref.path) as arrays:
        assert one.hands_T90 is not None
        np.testing.assert_array_equal(one.hands_T90[:, :45], arrays["pose_lhand"].reshape(-1, 45))
        np.testing.assert_array_equal(one.hands_T90[:, 45:], 0)
        np.testing.assert_array_equal(one.betas, arrays["betas"][0])
    assert (one.gender, two.gender) == ("female", "male")
    assert (one.fps, one.up, one.unit_m) == (120, "y", 1.0)
    assert one.root_T3 is not None
    assert two.root_T3 is not None
    assert np.median(two.root_T3[:, 2] - one.root_T3[:, 2]) > 0.3


def test_a_pickled_gender_is_read_too(refs: dict[str, ClipRef], tmp_path: Path) -> None:
    path = refs[f"{FITTED}#P1"].path
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "gender"}
    np.savez(path, **kept, gender=np.array("male", dtype=object))
    assert read(refs[f"{FITTED}#P1"]).gender == "male"
    np.savez(path, **kept)
    assert read(refs[f"{FITTED}#P1"]).gender is None


def test_skeletons_give_joints_of_which_only_the_middle_of_the_spine_is_made_up(
    refs: dict[str, ClipRef], walk: Callable[..., Any]
) -> None:
    raw = read(refs[f"skeletons/{CAPTURED}#P2"])
    assert (raw.fps, raw.official_split, raw.labels["action"]) == (120, "train", "grab")
    clip = normalise(raw)
    assert clip.provenance["unit_m"] == "1.0"
    assert clip.provenance["measured_unit_m"].startswith("1.0 (0.9")
    assert [name for name, own in zip(SMPL22_NAMES, clip.joint_mask, strict=True) if not own] == ["spine2"]
    wanted = walk(120.0, 1.0, 2).joints_T22x3 + np.array([0, 0, 1.0])
    assert clip.joints_T22x3 is not None
    own = clip.joint_mask
    np.testing.assert_allclose(clip.joints_T22x3[:, own], wanted[:, own], atol=1e-6)


def test_skeletons_in_millimetres_are_found_to_be(refs: dict[str, ClipRef]) -> None:
    ref = refs[f"skeletons/{CAPTURED}#P1"]
    metres = normalise(read(ref)).joints_T22x3
    np.save(ref.path, np.load(ref.path) * 1000)
    clip = normalise(read(ref))
    assert clip.provenance["unit_m"] == "0.001"
    assert clip.joints_T22x3 is not None
    assert metres is not None
    np.testing.assert_allclose(clip.joints_T22x3, metres, atol=1e-5)


def test_training_files_hold_two_people_side_by_side_and_say_their_side(
    refs: dict[str, ClipRef], walk: Callable[..., Any]
) -> None:
    for person in (1, 2):
        raw = read(refs[f"processed/{TRAINING}#P{person}"])
        assert (raw.fps, raw.official_split, raw.gender, raw.betas) == (Fraction(30), "val", None, None)
        wanted = walk(30.0, 1.0, person)
        assert raw.quats_TJ4 is not None
        assert raw.root_T3 is not None
        joints = forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, raw.skeleton.parents)
        moved = joints - wanted.joints_T22x3
        np.testing.assert_allclose(moved - moved[:1, :1], 0, atol=1e-5)
        assert raw.hands_T90 is not None
        assert np.unique(raw.hands_T90).tolist() == pytest.approx([0.1 * person])
        assert set(raw.face) == {"jaw", "eyes"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pose_body": np.zeros((3, 21, 3))}, "bad_shape"),
        ({"trans": np.zeros((120, 2))}, "bad_shape"),
        ({"root_orient": np.full((120, 3), "a")}, "bad_dtype"),
    ],
)
def test_fits_of_other_shapes_are_refused(refs: dict[str, ClipRef], change: dict[str, Any], reason: str) -> None:
    path = refs[f"{FITTED}#P1"].path
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    np.savez(path, **(kept | change))
    with pytest.raises(SourceFormatError) as caught:
        read(refs[f"{FITTED}#P1"])
    assert caught.value.reason == reason


def test_a_skeleton_and_a_training_array_of_another_shape_are_refused(refs: dict[str, ClipRef]) -> None:
    joints, training = refs[f"skeletons/{CAPTURED}#P1"], refs[f"processed/{TRAINING}#P1"]
    np.save(joints.path, np.zeros((5, 63, 3)))
    with pytest.raises(SourceFormatError, match="a skeleton has"):
        read(joints)
    with h5py.File(training.path, "w") as file:
        file.create_dataset(TRAINING, data=np.zeros((5, 56, 3)))
    with pytest.raises(SourceFormatError, match="takes have"):
        read(training)


def test_the_skeleton_lists_what_motive_exports() -> None:
    names = JOINT_MAPS["inter_x_optitrack"].names[0]
    assert len(names) == 64
    assert [names[index] for index in (5, 10, 63)] == ["RightToeBase_Nub", "LeftToeBase_Nub", "Head_Nub"]
