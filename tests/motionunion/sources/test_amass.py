"""AMASS files of both releases: addresses, rates, values, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, MotionUnionError, SourceFormatError
from motionunion.formats.frame_rate import exact_rate
from motionunion.kinematics import forward_kinematics
from motionunion.sources.amass import Amass
from motionunion.sources.amass_names import key_of, subset_of, uid_of
from motionunion.sources.base import Claim, ReadOptions

Writer = Callable[..., Path]


def ref_of(path: Path, root: Path, layout: str = "smplh") -> ClipRef:
    return next(iter(Amass(layout).discover(Claim(f"amass_{layout}", root, (path,)))))


def read(path: Path, layout: str = "smplh", root: Path | None = None) -> RawClip:
    return Amass(layout).read(ref_of(path, root or path.parent, layout), ReadOptions())


@pytest.mark.parametrize(
    ("stated", "rate"),
    [
        (120.0, Fraction(120)),
        (120.00004577636719, Fraction(120)),
        (59.9999886, Fraction(60)),
        (59.99, Fraction(5999, 100)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (119.88012, Fraction(120000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (12.5, Fraction(25, 2)),
        (250, Fraction(250)),
    ],
)
def test_a_rate_is_an_exact_fraction(stated: float, rate: Fraction) -> None:
    assert exact_rate(stated) == rate


@pytest.mark.parametrize("stated", [0.0, -120.0, float("nan"), float("inf"), 0.004])
def test_no_rate_is_refused(stated: float) -> None:
    with pytest.raises(ClipError) as caught:
        exact_rate(stated)
    assert caught.value.reason == "no_frame_rate"


@given(st.floats(0.01, 1000))
def test_every_rate_is_within_a_hundredth_of_what_is_stated(stated: float) -> None:
    assert abs(float(exact_rate(stated)) - stated) < 0.0101


@pytest.mark.parametrize(
    ("key", "uid"),
    [
        ("CMU/01/01_01_poses", "amass/cmu/01/01_01"),
        ("CMU/01/01_01_stageii.npz", "amass/cmu/01/01_01"),
        ("BioMotionLab_NTroje/rub001/0005_normal_jog1_poses.npy", "amass/bmlrub/rub001/0005_normal_jog1"),
        ("BMLrub/rub001/0005_normal_jog1_stageii", "amass/bmlrub/rub001/0005_normal_jog1"),
        ("ACCAD/Female1General_c3d/A1 - Stand_poses", "amass/accad/female1general_c3d/a1___stand"),
        ("ACCAD/Female1General_c3d/A1_-_Stand_stageii", "amass/accad/female1general_c3d/a1___stand"),
        ("Eyes_Japan_Dataset/aita/x(1)_poses", "amass/eyesjapandataset/aita/x_1_"),
        ("KIT/3/v1.5_walk_poses", "amass/kit/3/v1.5_walk"),
        ("MPI_Limits/03099/op2_poses", "amass/poseprior/03099/op2"),
    ],
)
def test_renames_and_releases_of_a_file_meet_in_one_uid(key: str, uid: str) -> None:
    assert uid_of(key) == uid


@pytest.mark.parametrize("given_path", ["", "amass", "amass/CMU", "amass/CMU/01"])
def test_the_key_does_not_depend_on_the_folder_that_was_given(
    tmp_path: Path, write_smplh: Writer, given_path: str
) -> None:
    path = write_smplh(tmp_path / "amass/CMU/01/01_01_poses.npz")
    ref = ref_of(path, tmp_path / given_path)
    assert (ref.key, ref.uid) == ("CMU/01/01_01_poses", "amass/cmu/01/01_01")


def test_an_archive_unpacked_into_a_folder_of_its_own_name_keeps_its_key(tmp_path: Path) -> None:
    path = tmp_path / "KIT/KIT/3/kick_poses.npz"
    assert key_of(path, tmp_path) == "KIT/3/kick_poses"


def test_a_subset_of_another_name_is_addressed_below_a_folder_called_amass(tmp_path: Path) -> None:
    path = tmp_path / "data/AMASS/Made Up/s1/walk_poses.npz"
    keys = {key_of(path, tmp_path / given) for given in ("", "data", "data/AMASS", "data/AMASS/Made Up")}
    assert keys == {"Made Up/s1/walk_poses"}
    assert uid_of("Made Up/s1/walk_poses") == "amass/made_up/s1/walk"
    assert key_of(tmp_path / "x/y/z.npz", tmp_path) == "x/y/z"


def test_only_folders_that_are_called_after_a_subset_are_one() -> None:
    assert subset_of("MPI_HDM05") == "hdm05"
    assert subset_of("BMLmovi") == "bmlmovi"
    assert subset_of("smplh") is None


def test_an_smplh_file_gives_the_rotations_and_the_pelvis_that_it_states(tmp_path: Path, write_smplh: Writer) -> None:
    path = write_smplh(tmp_path / "CMU/01/01_01_poses.npz")
    raw = read(path)
    with np.load(path) as arrays:
        np.testing.assert_allclose(
            rotation.to_rotvec(raw.quats_TJ4), arrays["poses"][:, :66].reshape(-1, 22, 3), atol=1e-12
        )
        np.testing.assert_allclose(raw.root_T3, arrays["trans"] + TEMPLATE.pelvis_3)
        np.testing.assert_array_equal(raw.hands_T90, arrays["poses"][:, 66:])
        np.testing.assert_array_equal(raw.betas, arrays["betas"])
    assert (raw.up, raw.unit_m, raw.gender, raw.fps, raw.body) == ("z", 1.0, "male", Fraction(120), "template")
    assert raw.skeleton_id == "smpl22"
    assert raw.valid is None
    assert raw.labels == {}


def test_an_smplx_file_gives_face_and_hands_and_leaves_its_pickle_alone(tmp_path: Path, write_smplx: Writer) -> None:
    path = write_smplx(tmp_path / "CMU/01/01_01_stageii.npz", expression=np.ones((12, 10)))
    raw = read(path, "smplx")
    with np.load(path) as arrays:
        np.testing.assert_allclose(
            rotation.to_rotvec(raw.quats_TJ4[:, 1:]).reshape(12, 63), arrays["pose_body"], atol=1e-12
        )
        np.testing.assert_array_equal(raw.hands_T90, arrays["pose_hand"])
        assert {part: values.shape for part, values in raw.face.items()} == {
            "jaw": (12, 3),
            "eyes": (12, 6),
            "expression": (12, 10),
        }
        np.testing.assert_array_equal(raw.face["eyes"], arrays["pose_eye"])
    assert raw.fps == 60
    assert raw.ref.uid == "amass/cmu/01/01_01"


def test_one_array_of_165_numbers_is_read_as_its_parts_are(tmp_path: Path, write_smplx: Writer) -> None:
    with np.load(write_smplx(tmp_path / "parts_stageii.npz"), allow_pickle=True) as parts:
        names = ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")
        poses = np.concatenate([parts[name] for name in names], axis=1)
    whole = write_smplx(tmp_path / "whole_stageii.npz", poses=poses, **dict.fromkeys(names))
    one, two = read(tmp_path / "parts_stageii.npz", "smplx"), read(whole, "smplx")
    np.testing.assert_array_equal(one.quats_TJ4, two.quats_TJ4)
    np.testing.assert_array_equal(one.hands_T90, two.hands_T90)
    np.testing.assert_array_equal(one.face["jaw"], two.face["jaw"])


@pytest.mark.parametrize("gender", [np.bytes_(b"female"), "female", np.array(["Female"]), np.array(b"female ")])
def test_gender_is_text_however_it_was_stored(tmp_path: Path, write_smplh: Writer, gender: Any) -> None:
    assert read(write_smplh(tmp_path / "a_poses.npz", gender=gender)).gender == "female"


def test_a_rate_that_is_rounded_is_kept_beside_as_it_was_stated(tmp_path: Path, write_smplh: Writer) -> None:
    raw = read(write_smplh(tmp_path / "a_poses.npz", mocap_framerate=59.9999886))
    assert (raw.fps, raw.labels) == (Fraction(60), {"stated_fps": "59.9999886"})


@pytest.mark.parametrize(
    ("subset", "fps", "frames", "valid"),
    [
        ("Eyes_Japan_Dataset", 120.0, 400, (360, 400)),
        ("EyesJapanDataset", 250.0, 800, (750, 800)),
        ("MPI_HDM05", 120.0, 361, (360, 361)),
        ("TotalCapture", 60.0, 70, (60, 70)),
        ("PosePrior", 120.0, 130, (120, 130)),
        ("Transitions_mocap", 120.0, 61, (60, 61)),
        ("CMU", 120.0, 400, None),
    ],
)
def test_lead_ins_lie_outside_valid_and_nothing_is_cut(
    tmp_path: Path, write_smplh: Writer, subset: str, fps: float, frames: int, valid: tuple[int, int] | None
) -> None:
    raw = read(write_smplh(tmp_path / subset / "s/a_poses.npz", frames, mocap_framerate=fps), root=tmp_path)
    assert raw.valid == valid
    assert len(raw.quats_TJ4) == frames


def test_a_clip_shorter_than_its_lead_in_keeps_its_frames_and_says_so(tmp_path: Path, write_smplh: Writer) -> None:
    raw = read(write_smplh(tmp_path / "MPI_HDM05/s/a_poses.npz", 360), root=tmp_path)
    assert raw.valid is None
    assert raw.flags == ("shorter_than_lead_in",)


@pytest.mark.parametrize(
    ("subset", "layout", "disputed"),
    [("TotalCapture", "smplx", True), ("TotalCapture", "smplh", False), ("TCDHands", "smplx", True), ("SSM_synced", "smplh", True),
     ("CMU", "smplx", False)],
)  # fmt: skip
def test_rates_that_are_known_to_be_wrong_are_kept_and_flagged(
    tmp_path: Path, write_smplh: Writer, write_smplx: Writer, subset: str, layout: str, disputed: bool
) -> None:
    write = write_smplh if layout == "smplh" else write_smplx
    raw = read(write(tmp_path / subset / "s/a_poses.npz", 400), layout, root=tmp_path)
    assert ("fps_disputed" in raw.flags, "amass#" in raw.labels.get("fps_dispute", "")) == (disputed, disputed)
    assert raw.fps == (120 if layout == "smplh" else 60)


@pytest.mark.parametrize(
    ("take", "stated", "disputed"),
    [("62/62_11", 120.0, True), ("62/62_11", 59.9999886, False), ("01/01_01", 120.0, False)],
)
def test_a_take_of_cmu_at_another_rate_than_its_own_list_says_is_flagged(
    tmp_path: Path, write_smplx: Writer, take: str, stated: float, disputed: bool
) -> None:
    raw = read(write_smplx(tmp_path / f"CMU/{take}_stageii.npz", mocap_frame_rate=stated), "smplx", root=tmp_path)
    assert ("fps_disputed" in raw.flags, "60 by CMU" in raw.labels.get("fps_dispute", "")) == (disputed, disputed)
    assert raw.fps == round(stated)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mocap_framerate": None}, "no_frame_rate"),
        ({"mocap_framerate": 0.0}, "no_frame_rate"),
        ({"mocap_framerate": "fast"}, "no_frame_rate"),
        ({"trans": None}, "missing_array"),
        ({"trans": np.zeros((11, 3))}, "bad_shape"),
        ({"trans": np.full((12, 3), np.nan)}, "non_finite"),
        ({"poses": np.zeros((12, 100))}, "bad_shape"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "empty"),
        ({"poses": np.array([{}], dtype=object)}, "pickled"),
        ({"betas": np.arange(120.0).reshape(12, 10)}, "bad_shape"),
        ({"betas": np.array([np.inf])}, "non_finite"),
        ({"betas": np.zeros(0)}, "bad_shape"),
        ({"betas": np.array(["a"])}, "bad_dtype"),
        ({"poses": np.full((12, 156), "a")}, "bad_dtype"),
        ({"trans": np.full((12, 3), "a")}, "bad_dtype"),
    ],
)
def test_what_cannot_be_a_motion_is_refused_with_its_reason(
    tmp_path: Path, write_smplh: Writer, changes: dict[str, Any], reason: str
) -> None:
    path = write_smplh(tmp_path / "a_poses.npz", **changes)
    with pytest.raises(MotionUnionError) as caught:
        read(path)
    assert isinstance(caught.value, SourceFormatError | ClipError)
    assert caught.value.reason == reason
    assert reason == "no_frame_rate" or "a_poses.npz" in str(caught.value)


def test_a_truncated_file_is_refused_as_truncated(tmp_path: Path, write_smplh: Writer) -> None:
    path = write_smplh(tmp_path / "a_poses.npz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceFormatError) as caught:
        read(path)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize(
    ("file", "layout", "frames", "fps", "gender"),
    [
        ("amass/smplh/272rep/test.npz", "smplh", 2575, 120, "male"),
        ("amass/smplh/nghorbani_amass/amass_sample.npz", "smplh", 601, 120, "male"),
        ("amass/smplh/nghorbani_amass/dmpl_sample.npz", "smplh", 235, 120, "female"),
        ("amass/smplx/140_02_stageii.npz", "smplx", 937, 120, "neutral"),
    ],
)
def test_real_files_stand_upright_on_their_feet_once(
    real_data: Path, file: str, layout: str, frames: int, fps: int, gender: str
) -> None:
    raw = read(real_data / file, layout)
    assert (len(raw.quats_TJ4), raw.fps, raw.gender) == (frames, fps, gender)
    joints = forward_kinematics(raw.root_T3, raw.quats_TJ4, raw.skeleton.offsets_J3, raw.skeleton.parents)
    height = joints[..., 2] - joints[..., 2].min(axis=1, keepdims=True)
    tallest = int(height[:, 15].argmax())  # some crouch or lie for most of the clip
    assert 1.2 < height[tallest, 15] < 1.65
    assert 0.5 < height[tallest, 0] < height[tallest, 15] - 0.4
    assert height[tallest, 7:9].max() < 0.4


def test_a_real_file_cut_short_is_refused(real_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut_stageii.npz"
    shutil.copyfile(real_data / "amass/smplx/140_02_stageii.npz", path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(SourceFormatError) as caught:
        read(path, "smplx")
    assert caught.value.reason == "truncated"
