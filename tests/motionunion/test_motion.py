from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from motionunion.clip import Clip
from motionunion.errors import ClipError, UsageError
from motionunion.kinematics import forward_kinematics
from motionunion.motion import Motion
from motionunion.representations import decode_motion, encode
from motionunion.resample import joints_at, motion_at, to_rate
from motionunion.skeleton import SMPL22_PARENTS

MakeClip = Callable[..., Clip]
ID = "hml263@20/compat"


def with_tracks(clip: Clip) -> Clip:
    random = np.random.default_rng(3)
    tracks = {name: random.normal(0, 0.2, (clip.frames, width)).astype(np.float32) for name, width in
              (("hands", 90), ("jaw", 3), ("eyes", 6), ("expression", 10))}  # fmt: skip
    hands = tracks.pop("hands")
    return replace(clip, hands_T90=hands, face=tracks, betas=np.arange(10, dtype=np.float32), gender="female")


def test_a_motion_of_a_clip_holds_all_that_the_clip_has(clip_of: MakeClip) -> None:
    clip = with_tracks(clip_of(frames=61, fps=Fraction(60)))
    motion = motion_at(clip, 30, frames=(10, 61))
    quats, root, offsets = motion.pose()
    assert (motion.fps, motion.frames, motion.gender) == (Fraction(30), 26, "female")
    np.testing.assert_array_equal(root, clip.root_T3[10::2])  # type: ignore[index]
    np.testing.assert_allclose(
        Rotation.from_quat(quats.reshape(-1, 4), scalar_first=True).as_rotvec().reshape(-1, 22, 3),
        clip.rotvecs_T22x3[10::2],  # type: ignore[index]
        atol=1e-7,
    )
    np.testing.assert_array_equal(motion.hands_T90, clip.hands_T90[10::2])  # type: ignore[index]
    for name, track in clip.face.items():
        np.testing.assert_array_equal(motion.face[name], track[10::2])
    np.testing.assert_array_equal(motion.joints_T22x3, forward_kinematics(root, quats, offsets, SMPL22_PARENTS))


def test_tracks_may_be_left_out(clip_of: MakeClip) -> None:
    motion = motion_at(with_tracks(clip_of()), 20, tracks=False)
    assert motion.hands_T90 is None
    assert not motion.face


def test_between_frames_fingers_turn_and_expressions_blend(clip_of: MakeClip) -> None:
    clip = with_tracks(clip_of(frames=13, fps=Fraction(30)))
    motion = motion_at(clip, 20)
    times, wanted = np.arange(13) / 30, np.arange(motion.frames) / 20
    assert clip.hands_T90 is not None
    assert motion.hands_T90 is not None
    finger = Slerp(times, Rotation.from_rotvec(clip.hands_T90[:, 6:9]))(wanted).as_rotvec()
    np.testing.assert_allclose(motion.hands_T90[:, 6:9], finger, atol=1e-6)
    np.testing.assert_allclose(motion.face["expression"][::2], clip.face["expression"][::3], atol=1e-7)


@pytest.mark.parametrize("rate", [10, 12.5, 20, 24, 29.97, 30, 60])
def test_a_motion_is_brought_to_a_rate_as_its_clip_is(rate: float, clip_of: MakeClip) -> None:
    clip = clip_of(frames=50, fps=Fraction(60))
    whole = motion_at(clip, 60)
    again, straight = to_rate(whole, rate), motion_at(clip, rate)
    assert again.fps == straight.fps == Fraction(rate)
    np.testing.assert_allclose(again.joints_T22x3, straight.joints_T22x3, atol=1e-12)
    np.testing.assert_array_equal(straight.joints_T22x3, joints_at(clip, rate))


def test_a_motion_at_its_own_rate_keeps_the_joints_that_it_came_with(clip_of: MakeClip) -> None:
    motion = motion_at(clip_of(), 20)
    moved = replace(motion, joints_T22x3=motion.joints_T22x3 + 0.001)
    assert to_rate(moved, 20).joints_T22x3 is moved.joints_T22x3


def test_joints_alone_have_no_pose(clip_of: MakeClip) -> None:
    motion = motion_at(clip_of(joints=True), 20)
    assert not motion.has_rotations
    with pytest.raises(ClipError, match="joints alone") as caught:
        motion.pose()
    assert caught.value.reason == "no_rotations"


def test_half_a_pose_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="or none of them"):
        Motion(fps=Fraction(20), joints_T22x3=np.zeros((3, 22, 3)), root_T3=np.zeros((3, 3)))


def test_a_motion_encodes_as_its_joints_do_where_no_frame_lies_between(clip_of: MakeClip) -> None:
    motion = motion_at(clip_of(fps=Fraction(60)), 60)
    features = encode(motion, ID)
    np.testing.assert_array_equal(features, encode(motion.joints_T22x3, ID, fps=60))
    np.testing.assert_array_equal(features, encode([motion], ID)[0])
    decoded = decode_motion(features, ID)
    assert (decoded.fps, decoded.frames, decoded.has_rotations) == (Fraction(20), len(features), False)


def test_joints_without_a_rate_are_not_encoded() -> None:
    with pytest.raises(UsageError, match="fps"):
        encode(np.zeros((5, 22, 3)), ID)  # type: ignore[call-overload]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(ClipError, match="frame rate"):
        encode(np.zeros((5, 22, 3)), ID, fps=fps)
