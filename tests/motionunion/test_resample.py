from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from motionunion.clip import Clip
from motionunion.errors import ClipError, UsageError
from motionunion.kinematics import forward_kinematics
from motionunion.resample import frames_at, integer_ratio, joints_at, joints_to_rate
from motionunion.rotation import from_rotvec
from motionunion.skeleton import SMPL22_PARENTS

MakeClip = Callable[..., Clip]


def posed(clip: Clip) -> np.ndarray:
    assert clip.rotvecs_T22x3 is not None
    assert clip.root_T3 is not None
    assert clip.offsets_22x3 is not None
    return forward_kinematics(clip.root_T3, from_rotvec(clip.rotvecs_T22x3), clip.offsets_22x3, SMPL22_PARENTS)


@pytest.mark.parametrize(
    ("fps", "ratio"),
    [
        (20, 1), (Fraction(120), 6), (120.00004577636719, 6), (59.9999886, 3), (60, 3), (100, 5), (250, None),
        (30, None), (Fraction(24000, 1001), None), (Fraction(120000, 1001), None), (12.5, None), (10, None),
    ],
)  # fmt: skip
def test_integer_ratios_are_told_after_rounding_to_two_decimals(fps: Fraction | float, ratio: int | None) -> None:
    assert integer_ratio(fps, 20) == ratio


def test_a_rate_of_12_5_has_its_own_integer_ratios() -> None:
    assert integer_ratio(100, Fraction(25, 2)) == 8


@given(frames=st.integers(1, 5000), fps=st.sampled_from([15, 20, 24, 29.97, 30, 59.94, 60, 100, 119.88, 120, 250]))
def test_the_last_frame_lies_at_or_before_the_last_one_given(frames: int, fps: float) -> None:
    count = frames_at(frames, fps, 20)
    assert joints_to_rate(np.zeros((frames, 1, 3)), fps, 20).shape[0] == count
    assert (count - 1) / 20 <= (frames - 1) / fps + 1e-9 < count / 20 + 1e-6


def test_at_an_integer_ratio_every_nth_frame_is_taken_unfiltered(clip_of: MakeClip) -> None:
    clip = clip_of(frames=100, fps=Fraction(120))
    np.testing.assert_array_equal(joints_at(clip, 20), posed(clip)[::6])
    still = clip_of(frames=100, fps=Fraction(120), joints=True)
    np.testing.assert_array_equal(joints_at(still, 20), still.joints_T22x3[::6])  # type: ignore[index]


def test_rotations_are_slerped_and_then_posed(clip_of: MakeClip) -> None:
    clip = clip_of(frames=31, fps=Fraction(30))
    assert clip.rotvecs_T22x3 is not None
    joints = joints_at(clip, 20)
    assert len(joints) == 21
    times = np.arange(21) * 1.5
    for joint in (0, 5, 18):
        oracle = Slerp(np.arange(31), Rotation.from_rotvec(clip.rotvecs_T22x3[:, joint]))(times)
        assert clip.offsets_22x3 is not None
        world = oracle
        parent = SMPL22_PARENTS[joint]
        while parent >= 0:
            world = Slerp(np.arange(31), Rotation.from_rotvec(clip.rotvecs_T22x3[:, parent]))(times) * world
            parent = SMPL22_PARENTS[parent]
        child = SMPL22_PARENTS.index(joint)
        np.testing.assert_allclose(
            joints[:, child] - joints[:, joint], world.apply(clip.offsets_22x3[child]), rtol=0, atol=1e-9
        )


def test_no_bone_bends_where_there_are_rotations(clip_of: MakeClip) -> None:
    clip = clip_of(frames=50, fps=Fraction(30), offsets_22x3=np.ones((22, 3), dtype=np.float32))
    bones = joints_at(clip, 20)[:, 1:] - joints_at(clip, 20)[:, list(SMPL22_PARENTS[1:])]
    np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), np.sqrt(3), rtol=1e-9)


def test_slerp_takes_the_short_way_where_rotation_vectors_wrap(clip_of: MakeClip) -> None:
    rotvecs = np.zeros((3, 22, 3), dtype=np.float32)
    rotvecs[:, 0, 1] = 3.1, 3.1 + 0.2 - 2 * np.pi, 3.5 - 2 * np.pi
    clip = clip_of(frames=3, fps=Fraction(30), rotvecs_T22x3=rotvecs, root_T3=np.zeros((3, 3), dtype=np.float32))
    joints = joints_at(clip, 20)
    assert clip.offsets_22x3 is not None
    expected = Rotation.from_rotvec([0, 3.1 + 0.3, 0]).apply(clip.offsets_22x3[1])
    np.testing.assert_allclose(joints[1, 1], expected, atol=1e-6)


@given(st.integers(0, 1000))
def test_positions_follow_a_parabola_exactly_inside(seed: int) -> None:
    a, b, c = np.random.default_rng(seed).normal(size=(3, 2, 3))
    time = np.arange(30)[:, None, None] / 30
    resampled = joints_to_rate(a + b * time + c * time**2, 30, 20)
    there = np.arange(20)[:, None, None] / 20
    np.testing.assert_allclose(resampled[1:-1], (a + b * there + c * there**2)[1:-1], rtol=0, atol=1e-12)


def test_upsampling_keeps_the_given_frames(clip_of: MakeClip) -> None:
    clip = clip_of(frames=11, fps=Fraction(10), joints=True)
    np.testing.assert_allclose(joints_at(clip, 20)[::2], clip.joints_T22x3, atol=1e-7)  # type: ignore[arg-type]


def test_only_the_valid_interval_is_used(clip_of: MakeClip) -> None:
    clip = clip_of(frames=40, joints=True, valid=(7, 31))
    np.testing.assert_array_equal(joints_at(clip, 20), clip.joints_T22x3[7:31])  # type: ignore[index]


def test_nothing_outside_the_interval_is_looked_at(clip_of: MakeClip) -> None:
    clip = clip_of(frames=40, fps=Fraction(30), joints=True)
    assert clip.joints_T22x3 is not None
    spoiled = clip.joints_T22x3.copy()
    spoiled[:5], spoiled[30:] = np.nan, np.nan
    inside = joints_at(replace(clip, joints_T22x3=spoiled), 20, frames=(5, 30))
    np.testing.assert_array_equal(inside, joints_at(clip, 20, frames=(5, 30)))


@pytest.mark.parametrize("frames", [(3, 3), (5, 2), (0, 41), (-1, 4)])
def test_an_interval_outside_the_clip_is_refused(clip_of: MakeClip, frames: tuple[int, int]) -> None:
    with pytest.raises(ClipError, match="clip of 40 frames"):
        joints_at(clip_of(frames=40), 20, frames=frames)


@pytest.mark.parametrize("fps", [0, -30, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(ClipError, match="frame rate"):
        joints_to_rate(np.zeros((5, 22, 3)), fps, 20)


@pytest.mark.parametrize("fps", [10, 15, 19.97, 20, 20.001])
def test_filtering_is_for_lower_rates_alone(clip_of: MakeClip, fps: float) -> None:
    clip = clip_of(frames=40, fps=Fraction(fps))
    np.testing.assert_array_equal(joints_at(clip, 20, mode="filtered"), joints_at(clip, 20, mode="compat"))


@pytest.mark.parametrize("fps", [25, Fraction(30000, 1001), 60, 100, 120])
def test_no_bone_bends_by_filtering_where_there_are_rotations(clip_of: MakeClip, fps: Fraction) -> None:
    clip = clip_of(frames=200, fps=Fraction(fps), offsets_22x3=np.ones((22, 3), dtype=np.float32))
    joints = joints_at(clip, 20, mode="filtered")
    bones = joints[:, 1:] - joints[:, list(SMPL22_PARENTS[1:])]
    np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), np.sqrt(3), rtol=1e-9)
    np.testing.assert_allclose(joints[0], posed(clip)[0], atol=1e-6)


def test_filtering_keeps_what_is_slow(clip_of: MakeClip) -> None:
    time = np.arange(601)[:, None] / 120
    clip = clip_of(
        frames=601, fps=Fraction(120),
        rotvecs_T22x3=np.repeat(0.3 * np.sin(2 * time)[:, None] * np.array([1.0, 0.5, -0.2]), 22, axis=1).astype("f4"),
        root_T3=(np.sin(time) * [1.0, 0.1, 2.0]).astype("f4"),
    )  # fmt: skip
    # The ends lack what lies beyond them.
    np.testing.assert_allclose(
        joints_at(clip, 20, mode="filtered")[8:-8], joints_at(clip, 20, mode="compat")[8:-8], atol=1e-4
    )


@pytest.mark.parametrize(("fps", "stride"), [(30, 1), (50, 2), (59.9999886, 2), (60, 3), (90, 4), (250, 12)])
def test_the_published_stride_takes_every_nth_frame_whatever_rate_that_leaves(
    clip_of: MakeClip, fps: float, stride: int
) -> None:
    clip = clip_of(frames=100, fps=Fraction(fps))
    np.testing.assert_array_equal(joints_at(clip, 20, mode="stride"), posed(clip)[::stride])


def test_the_published_stride_goes_by_the_rate_that_the_file_states_to_all_its_digits(clip_of: MakeClip) -> None:
    clip = clip_of(frames=100, fps=Fraction(60), labels={"stated_fps": "59.9999886"})
    np.testing.assert_array_equal(joints_at(clip, 20, mode="stride"), posed(clip)[::2])
    np.testing.assert_array_equal(joints_at(clip, 20, mode="compat"), posed(clip)[::3])


def test_the_published_stride_cannot_make_frames(clip_of: MakeClip) -> None:
    with pytest.raises(ClipError, match="cannot make more") as caught:
        joints_at(clip_of(frames=40, fps=Fraction(15)), 20, mode="stride")
    assert caught.value.reason == "too_slow"


def test_an_unknown_rule_is_refused(clip_of: MakeClip) -> None:
    with pytest.raises(UsageError, match="compat"):
        joints_at(clip_of(), 20, mode="nearest")
