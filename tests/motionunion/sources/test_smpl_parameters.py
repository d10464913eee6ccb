"""Poses, paths and shapes in every form in which files state them, and what is refused."""

from __future__ import annotations

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
from motionunion.clip import ClipRef
from motionunion.errors import ClipError, MotionUnionError, SourceFormatError
from motionunion.sources.base import ReadOptions
from motionunion.sources.smpl_parameters import (
    Body,
    Pose,
    fitted_shape,
    one_shape,
    parted_pose,
    shaped,
    smpl_clip,
    stated_rate,
    text_of,
    whole_pose,
)

HERE = Path("a.npz")
REF = ClipRef(source="smpl_fits", key="a", uid="smpl_fits/a", path=HERE, root=Path())


@given(joints=st.sampled_from([24, 52, 55]), frames=st.integers(1, 5), seed=st.integers(0, 9))
def test_flat_poses_and_those_with_an_axis_for_joints_are_the_same(joints: int, frames: int, seed: int) -> None:
    poses = np.random.default_rng(seed).normal(size=(frames, joints, 3))
    flat, deep = whole_pose(poses.reshape(frames, -1), HERE), whole_pose(poses, HERE)
    np.testing.assert_array_equal(flat.rotvecs_T22x3, poses[:, :22])
    np.testing.assert_array_equal(deep.rotvecs_T22x3, poses[:, :22])
    assert flat.family == deep.family == {24: "smpl", 52: "smplh", 55: "smplx"}[joints]
    assert (flat.hands_T90 is None) == (joints == 24)
    if flat.hands_T90 is not None:
        np.testing.assert_array_equal(flat.hands_T90, poses[:, -30:].reshape(frames, 90))


def test_whole_and_parted_poses_of_smplx_are_the_same() -> None:
    poses = np.random.default_rng(0).normal(size=(4, 165))
    arrays = {
        "root": poses[:, :3], "body": poses[:, 3:66].reshape(4, 21, 3), "jaw_": poses[:, 66:69], "eyes_": poses[:, 69:75],
        "left": poses[:, 75:120], "right": poses[:, 120:165].reshape(4, 15, 3),
    }  # fmt: skip
    parts = {"jaw": ("jaw_", 3), "eyes": ("eyes_", 6), "left_hand": ("left", 45), "right_hand": ("right", 45)}
    parted = parted_pose(arrays, HERE, "smplx", root="root", body="body", parts=parts)
    whole = whole_pose(poses, HERE)
    np.testing.assert_array_equal(parted.rotvecs_T22x3, whole.rotvecs_T22x3)
    np.testing.assert_array_equal(parted.hands_T90, whole.hands_T90)
    assert set(parted.face) == set(whole.face) == {"jaw", "eyes"}
    for name, track in whole.face.items():
        np.testing.assert_array_equal(parted.face[name], track)


def test_of_smpl_the_two_hands_are_left_out() -> None:
    body = np.arange(2 * 69.0).reshape(2, 69)
    pose = parted_pose({"r": np.zeros((2, 3)), "b": body}, HERE, "smpl", root="r", body="b", parts={})
    np.testing.assert_array_equal(pose.rotvecs_T22x3[:, 1:].reshape(2, 63), body[:, :63])
    assert pose.hands_T90 is None


@pytest.mark.parametrize("shape", [(4,), (4, 71), (4, 24), (4, 24, 4), (4, 2, 3), (0,)])
def test_other_shapes_are_no_poses(shape: tuple[int, ...]) -> None:
    with pytest.raises(SourceFormatError, match="SMPL has") as caught:
        whole_pose(np.zeros(shape), HERE)
    assert caught.value.reason == "bad_shape"


def test_a_model_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(SourceFormatError, match=r"\(4, 72\); SMPL-X has \(T, 165\)"):
        whole_pose(np.zeros((4, 72)), HERE, ("smplx",))


def test_one_hand_alone_is_no_pair_of_hands() -> None:
    arrays = {"r": np.zeros((2, 3)), "b": np.zeros((2, 63)), "l": np.ones((2, 45))}
    pose = parted_pose(
        arrays, HERE, "smplx", root="r", body="b", parts={"left_hand": ("l", 45), "right_hand": ("x", 45)}
    )
    assert pose.hands_T90 is None
    assert pose.face == {}


def test_the_pelvis_is_where_the_body_model_puts_it_whatever_the_root_turns() -> None:
    pose = Pose(np.random.default_rng(1).normal(size=(3, 22, 3)), "smpl")
    trans = np.arange(9.0).reshape(3, 3)
    raw = smpl_clip(REF, pose, trans, Body(gender="male"), Fraction(30), ReadOptions(), up="y")
    np.testing.assert_allclose(raw.root_T3, trans + TEMPLATE.pelvis_3)
    np.testing.assert_allclose(raw.quats_TJ4, rotation.from_rotvec(pose.rotvecs_T22x3))
    assert (raw.fps, raw.up, raw.unit_m, raw.gender, raw.body, raw.inputs) == (
        30,
        "y",
        1.0,
        "male",
        "template",
        (HERE,),
    )


@pytest.mark.parametrize(
    ("pose", "trans", "reason"),
    [
        (np.zeros((0, 22, 3)), np.zeros((0, 3)), "empty"),
        (np.full((2, 22, 3), np.nan), np.zeros((2, 3)), "non_finite"),
        (np.zeros((2, 22, 3)), np.full((2, 3), np.inf), "non_finite"),
        (np.full((2, 22, 3), "a"), np.zeros((2, 3)), "bad_dtype"),
    ],
)
def test_what_is_no_motion_is_refused(pose: Any, trans: Any, reason: str) -> None:
    with pytest.raises(MotionUnionError) as caught:
        smpl_clip(REF, Pose(pose, "smpl"), trans, Body(), Fraction(30), ReadOptions(), up="y")
    assert isinstance(caught.value, SourceFormatError | ClipError)
    assert caught.value.reason == reason


def test_arrays_of_another_length_are_named() -> None:
    with pytest.raises(SourceFormatError, match=r"trans has shape \(3, 3\), not \(4, 3\)"):
        shaped({"trans": np.zeros((3, 3))}, "trans", HERE, 4, 3)
    assert shaped({"e": np.zeros((4, 2, 5))}, "e", HERE, 4, None).shape == (4, 10)


def test_a_rounded_rate_keeps_what_was_stated() -> None:
    assert stated_rate({"mocap_framerate": np.array(30)}, HERE) == (Fraction(30), {})
    fps, labels = stated_rate({"framerate": np.array([119.999])}, HERE, ("framerate",))
    assert (fps, labels) == (Fraction(120), {"stated_fps": "119.999"})
    with pytest.raises(SourceFormatError, match="never guessed") as caught:
        stated_rate({"mocap_framerate": np.array(30)}, HERE, ("framerate",))
    assert caught.value.reason == "no_frame_rate"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), (np.array([], dtype="U4"), None), (np.array(b" Male"), "male"), (np.array(["F"]), "f")],
)
def test_words_come_as_text_or_as_bytes(value: Any, text: str | None) -> None:
    assert text_of(value) == text


def test_a_shape_said_for_every_frame_counts_once_and_a_changing_one_is_refused() -> None:
    betas = np.linspace(-1, 1, 10)
    np.testing.assert_array_equal(one_shape({"betas": np.tile(betas, (5, 1))}, HERE), betas)
    with pytest.raises(SourceFormatError, match="one shape"):
        one_shape({"betas": np.arange(50.0).reshape(5, 10)}, HERE)
    assert one_shape({}, HERE) is None


def test_a_shape_fitted_to_every_frame_is_their_median() -> None:
    betas = np.outer([1.0, 2.0, 9.0], np.ones(10))
    shape, flags = fitted_shape({"betas": betas}, HERE)
    np.testing.assert_array_equal(shape, np.full(10, 2.0))
    assert flags == ("shape_varies",)
    shape, flags = fitted_shape({"betas": np.ones((3, 10))}, HERE)
    np.testing.assert_array_equal(shape, np.ones(10))
    assert (flags, fitted_shape({}, HERE)) == ((), (None, ()))
    with pytest.raises(ClipError, match="not a number"):
        fitted_shape({"betas": np.array([[1.0], [np.nan]])}, HERE)


def test_every_smpl_tree_gives_back_the_walk_that_was_written(
    tmp_path: Path, write_tree: Callable[[str, Path], Any], walk: Callable[..., Any]
) -> None:
    """Axes, unit, order of joints and the offset of the pelvis, each source its own: all lead to one walk."""
    from motionunion.kinematics import forward_kinematics
    from motionunion.normalise import normalise
    from motionunion.skeleton import SMPL22_PARENTS
    from motionunion.sources import SOURCES
    from motionunion.sources.detect import recognise

    first = {
        "aistpp": ("gBR_sBM_cAll_d04_mBR0_ch01", 60, 0), "behave": ("Date01_Sub01_backpack_back", 30, 0),
        "egobody": ("smplx/recording_20210907_S02_S01_01/body_idx_0", 30, 0), "grab": ("s2/airplane_fly_1", 120, 0),
        "humman": ("p000459_a000011", 30, 7), "motionhub": ("GRAB/s1/airplane_fly_1", 30, 0),
        "smpl_fits": ("fits/video_walk", 30, 3),
    }  # fmt: skip
    for source, (key, fps, seed) in first.items():
        write_tree(source, tmp_path / source)
        claims = recognise([tmp_path / source]).claims
        refs = {ref.key: ref for claim in claims for ref in SOURCES[claim.source].discover(claim)}
        clip = normalise(SOURCES[source].read(refs[key], ReadOptions()))  # type: ignore[arg-type]
        walked = walk(float(fps), seed=seed)
        assert clip.rotvecs_T22x3 is not None
        assert clip.offsets_22x3 is not None
        assert clip.fps == fps
        joints = forward_kinematics(
            clip.root_T3, rotation.from_rotvec(clip.rotvecs_T22x3), clip.offsets_22x3, SMPL22_PARENTS
        )
        wanted = walked.joints_T22x3[: len(joints)]
        shift = (joints - wanted)[0, 0] if source == "behave" else np.zeros(3)  # its camera stands 2.5 m away
        assert np.abs(joints - shift - wanted).max() < 2e-5, source
