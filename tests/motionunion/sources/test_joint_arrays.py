"""Arrays of joints with a description: what it says is what is read, and what it does not say is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.clip import Clip, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.measure import height
from motionunion.normalise import normalise
from motionunion.sources.base import Folder, ReadOptions
from motionunion.sources.detect import recognise
from motionunion.sources.joint_arrays import JointArrays

READER = JointArrays()
PLAIN = {"name": '"mine"', "skeleton": '"smpl22"', "fps": "30", "up": '"y"', "unit_m": "1"}
OPTITRACK = """
[joints]
names = [
    "hips spine spine1 neck neck1 head left_shoulder left_arm left_forearm left_hand left_hand_end right_shoulder right_arm \
right_forearm right_hand right_hand_end left_upleg left_leg left_foot left_toe left_toe_end right_upleg right_leg right_foot \
right_toe right_toe_end",
]
[map]
pelvis = "hips"
left_hip = "left_upleg"
right_hip = "right_upleg"
spine1 = "spine"
left_knee = "left_leg"
right_knee = "right_leg"
spine2 = { missing = true }
left_ankle = "left_foot"
right_ankle = "right_foot"
spine3 = "spine1"
left_foot = "left_toe"
right_foot = "right_toe"
neck = "neck"
left_collar = "left_shoulder"
right_collar = "right_shoulder"
head = "head"
left_shoulder = "left_arm"
right_shoulder = "right_arm"
left_elbow = "left_forearm"
right_elbow = "right_forearm"
left_wrist = "left_hand"
right_wrist = "right_hand"
"""


def describe(folder: Path, more: str = "", **changes: str | None) -> None:
    keys = PLAIN | changes
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
    (folder / "about.toml").write_text("\n".join(["[arrays]", *lines, more]))


def readings(folder: Path) -> dict[str, RawClip | Exception]:
    claim = READER.recognise(Folder.list(folder))
    assert claim is not None
    found: dict[str, RawClip | Exception] = {}
    for ref in READER.discover(claim):
        try:
            found[ref.key] = READER.read(ref, ReadOptions())
        except (SourceFormatError, ClipError) as error:
            found[ref.key] = error
    return found


def clips(folder: Path) -> dict[str, Clip]:
    found = {}
    for key, raw in readings(folder).items():
        assert isinstance(raw, RawClip), raw
        found[key] = normalise(raw)
    return found


@pytest.fixture
def joints(walk: Callable[..., Any]) -> np.ndarray:
    found: np.ndarray = walk(30).joints_T22x3
    return found


def test_axes_unit_and_order_are_those_of_the_description(tmp_path: Path, joints: np.ndarray) -> None:
    describe(tmp_path, up='"-z"', unit_m="0.01", fps='"30000/1001"', order='"xyz frames joints"', licence='"CC0-1.0"')
    np.save(tmp_path / "walk.npy", (100 * joints[..., [0, 2, 1]] * [1, 1, -1]).transpose(2, 0, 1))
    (clip,) = clips(tmp_path).values()
    assert clip.joints_T22x3 is not None
    np.testing.assert_allclose(clip.joints_T22x3, joints * [1, 1, 1], atol=1e-6)
    assert (clip.key, clip.fps, clip.provenance["licence"]) == ("mine/walk", Fraction(30000, 1001), "CC0-1.0")


def test_left_handed_axes_are_mirrored_once_and_no_joint_changes_sides(tmp_path: Path, joints: np.ndarray) -> None:
    describe(tmp_path, hand='"left"')
    np.save(tmp_path / "walk.npy", joints * [-1, 1, 1])
    (clip,) = clips(tmp_path).values()
    np.testing.assert_allclose(clip.joints_T22x3, joints, atol=1e-6)
    describe(tmp_path)
    (raw,) = readings(tmp_path).values()
    assert isinstance(raw, RawClip)
    with pytest.raises(ClipError, match="left and right are exchanged"):
        normalise(raw)


def test_the_joints_of_smplh_and_smplx_begin_with_the_22(tmp_path: Path, joints: np.ndarray) -> None:
    describe(tmp_path)
    np.save(tmp_path / "walk.npy", np.concatenate([joints, joints[:, :1].repeat(30, axis=1)], axis=1))
    (clip,) = clips(tmp_path).values()
    np.testing.assert_allclose(clip.joints_T22x3, joints, atol=1e-6)


def test_people_share_group_and_world_and_are_told_apart(tmp_path: Path, joints: np.ndarray) -> None:
    describe(tmp_path, order='"people frames joints xyz"', files='"*.npy"')
    np.save(tmp_path / "pair.npy", np.stack([joints, joints + np.array([0, 0, 2])]))
    one, two = clips(tmp_path).values()
    assert (one.key, two.key, one.group) == ("mine/pair#P1", "mine/pair#P2", two.group)
    assert one.labels == {"recording": "mine/pair", "person": "P1"}
    assert one.joints_T22x3 is not None and two.joints_T22x3 is not None  # noqa: PT018
    np.testing.assert_allclose(two.joints_T22x3 - one.joints_T22x3, np.broadcast_to([0, 0, 2], joints.shape), atol=1e-6)


def test_a_group_is_what_the_pattern_finds_in_the_key(tmp_path: Path, joints: np.ndarray) -> None:
    describe(tmp_path, group="'(session\\d)'")
    for name in ("session1_a", "session1_b", "session2_a", "other"):
        np.save(tmp_path / f"{name}.npy", joints)
    assert [clip.group for clip in clips(tmp_path).values()] == [
        "joint_arrays/mine/other", *["joint_arrays/mine/session1"] * 2, "joint_arrays/mine/session2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "reason", "says"),
    [
        ("fps", None, "unknown_frame_rate", "never guessed"),
        ("up", None, "unknown_axis", "which axis points up"),
        ("unit_m", None, "unknown_unit", "metres per unit"),
        ("fps", "0", "bad_description", "frames per second"),
        ("fps", "true", "bad_description", "frames per second"),
        ("fps", "nan", "bad_description", "frames per second"),
        ("up", '"w"', "bad_description", "not one of"),
        ("unit_m", "-1", "bad_description", "above 0"),
        ("name", '"a/b"', "bad_description", "part of every key"),
        ("skeleton", '"nobody"', "bad_description", "known are"),
        ("skeleton", None, "bad_description", "[joints] and [map]"),
        ("order", '"frames joints"', "bad_description", "each axis once"),
        ("order", '"frames frames joints xyz"', "bad_description", "each axis once"),
        ("files", '"../*.npy"', "bad_description", "below the description"),
        ("hand", '"both"', "bad_description", "neither"),
        ("group", "'('", "bad_description", "regular expression"),
        ("axes", '"z"', "bad_description", "no key of a description"),
    ],
)
def test_what_the_description_does_not_say_is_refused_by_its_key(
    tmp_path: Path, joints: np.ndarray, key: str, value: str | None, reason: str, says: str
) -> None:
    describe(tmp_path, **{key: value})
    np.save(tmp_path / "walk.npy", joints)
    (error,) = readings(tmp_path).values()
    assert isinstance(error, SourceFormatError)
    assert (error.path.name, error.reason) == ("about.toml", reason)
    assert says in str(error)
    assert key in str(error)


@pytest.mark.parametrize(
    ("name", "array", "changes", "reason"),
    [
        ("walk.npy", np.zeros((9, 21, 3)), {}, "bad_shape"),
        ("walk.npy", np.zeros((9, 22, 2)), {}, "bad_shape"),
        ("walk.npy", np.zeros((9, 66)), {}, "bad_shape"),
        ("walk.npy", np.zeros((9, 67)), {"order": '"frames joints_xyz"'}, "bad_shape"),
        ("walk.npy", np.zeros((9, 22, 3), dtype="S2"), {}, "bad_shape"),
        ("walk.npy", np.zeros((9, 5000, 22, 3)), {"order": '"frames people joints xyz"'}, "bad_shape"),
        ("walk.npy", np.zeros((9, 0, 22, 3)), {"order": '"frames people joints xyz"'}, "bad_shape"),
        ("walk.npy", np.zeros((9, 22, 3)), {"order": '"frames people joints xyz"'}, "bad_shape"),
        ("walk.npy", np.zeros((9, 22, 3)), {"fps": '{ array = "fps" }'}, "no_frame_rate"),
        ("walk.npy", np.zeros((9, 22, 3)), {"fps": '{ seconds_per_frame = "@dt" }'}, "missing_array"),
    ],
)
def test_an_array_that_is_not_as_described_is_refused(
    tmp_path: Path, name: str, array: np.ndarray, changes: dict[str, str], reason: str
) -> None:
    describe(tmp_path, **changes)
    np.save(tmp_path / name, array)
    (error,) = readings(tmp_path).values()
    assert isinstance(error, SourceFormatError | ClipError)
    assert error.reason == reason
    assert name in str(error)


def test_several_arrays_need_a_name(tmp_path: Path, joints: np.ndarray) -> None:
    describe(tmp_path)
    np.savez(tmp_path / "two.npz", a=joints, rate=np.array(30.0))
    (error,) = readings(tmp_path).values()
    assert isinstance(error, SourceFormatError)
    assert error.reason == "missing_array"
    describe(tmp_path, array='"a"', fps='{ array = "rate" }')
    (clip,) = clips(tmp_path).values()
    assert (clip.key, clip.fps) == ("mine/two", 30)


def test_two_descriptions_of_one_folder_share_it(tmp_path: Path, joints: np.ndarray) -> None:
    describe(tmp_path, files='"*.npy"')
    (tmp_path / "about.toml").rename(tmp_path / "other.toml")
    describe(tmp_path, name='"second"', files='"sub/*.npz"', fps="60")
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "walk.npy", joints)
    np.savez(tmp_path / "sub" / "walk.npz", joints)
    assert {key: clip.fps for key, clip in clips(tmp_path).items()} == {"mine/walk": 30, "second/sub/walk": 60}


def test_other_toml_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "arrays"\n')
    assert READER.recognise(Folder.list(tmp_path)) is None


def test_real_joint_arrays_stand_upright_at_their_size(real_data: Path, tmp_path: Path) -> None:
    folders = {
        "lafan1": ("lafan1_global_positions", {"skeleton": '"lafan1"'}, ""),
        "amass": ("omniretarget_amass_joints", {"up": '"z"', "array": '"global_joint_positions"'}, ""),
        "optitrack": ("omniretarget_optitrack", {"up": '"z"', "array": '"global_joint_positions"', "skeleton": None}, OPTITRACK),
    }  # fmt: skip
    for name, (folder, changes, more) in folders.items():
        shutil.copytree(real_data / "joints_only" / folder, tmp_path / name)
        describe(tmp_path / name, more, **({"name": f'"{name}"'} | changes))
    found: dict[str, Clip] = {}
    for claim in recognise([tmp_path]).claims:
        assert claim.source == "joint_arrays"
        for ref in READER.discover(claim):
            found[ref.key] = normalise(READER.read(ref, ReadOptions()))
    heights = {}
    for key, clip in found.items():
        assert clip.joints_T22x3 is not None
        heights[key] = height(clip.joints_T22x3)
    assert {key: len(clip.joints_T22x3) for key, clip in found.items() if clip.joints_T22x3 is not None} == {
        "lafan1/dance1_subject1": 3945, "amass/demo_data_AMASS_E6_-_quick_retreat_stageii": 161,
        "amass/demo_data_AMASS_EricCamper04_stageii": 485, "optitrack/walk": 1814,
    }  # fmt: skip
    assert all(1.35 < tall < 2.0 for tall in heights.values()), heights
    assert not found["optitrack/walk"].joint_mask[6]
    assert found["optitrack/walk"].joint_mask.sum() == 21


def test_a_real_pair_in_json_is_two_clips_of_one_recording(real_data: Path, tmp_path: Path) -> None:
    shutil.copytree(real_data / "two_person", tmp_path / "pair")
    describe(
        tmp_path / "pair", files='"*.json"', array='"representations/interhuman/positions"', fps='{ array = "fps" }',
        order='"frames people joints xyz"',
    )  # fmt: skip
    one, two = clips(tmp_path / "pair").values()
    assert (one.fps, one.frames, one.group) == (30, 72, two.group)
    said = json.loads(next((tmp_path / "pair").glob("*.json")).read_text())
    positions = np.array(said["representations"]["interhuman"]["positions"])
    np.testing.assert_allclose(two.joints_T22x3, positions[:, 1], atol=1e-6)
