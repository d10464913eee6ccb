"""The three ids of the 263 on motions whose true features are known: what `/compat` gets wrong, and what `hml263@20` gets right."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionunion.errors import ClipError
from motionunion.representations import decode, encode
from motionunion.representations import hml263_layout as layout
from motionunion.representations.hml263_decoder import decode_by_rotations, decode_heading_free
from motionunion.representations.hml263_encoder import uniform_joints
from motionunion.skeleton import SMPL22_MIRROR_PAIRS, SMPL22_PARENTS

FIXED, COMPAT, STRIDE = "hml263@20", "hml263@20/compat", "hml263@20/compat-stride"
IDS = (FIXED, COMPAT, STRIDE)
POSTURE = np.r_[3:193]
Array = npt.NDArray[np.float64]
Motion = Callable[..., Array]


def standing() -> Array:
    """One frame (22, 3) on the target skeleton, facing +Z."""
    joints = np.zeros((22, 3))
    for joint in range(1, 22):
        joints[joint] = joints[SMPL22_PARENTS[joint]] + layout.TARGET_OFFSETS_22x3[joint]
    return joints


def turned(axis: str, angles_deg: npt.ArrayLike, body: Array | None = None) -> Array:
    """A rigid body (T, 22, 3) turned about an axis through its pelvis by an angle in each frame."""
    angles = np.radians(np.asarray(angles_deg, dtype=np.float64))
    turns = Rotation.from_rotvec(angles[:, None] * np.eye(3)["XYZ".index(axis)]).as_matrix()
    joints: Array = np.einsum("tij,kj->tki", turns, standing() if body is None else body)
    return joints


def walking(seconds: float, fps: float) -> Array:
    """Somebody who goes 1 m/s ahead, along a curve of 20 degrees a second to the left, legs swinging once a second."""
    time = np.arange(int(seconds * fps) + 1) / fps
    yaw = np.radians(20.0) * time
    joints = np.tile(standing(), (len(time), 1, 1))
    for joint, side in ((4, 1.0), (5, -1.0)):
        angle = side * 0.4 * np.sin(2 * np.pi * time)
        below = [joint, joint + 3, joint + 6]
        hip = SMPL22_PARENTS[joint]
        swing = Rotation.from_rotvec(angle[:, None] * [1.0, 0.0, 0.0]).as_matrix()
        joints[:, below] = joints[:, [hip]] + np.einsum("tij,tkj->tki", swing, joints[:, below] - joints[:, [hip]])
    joints = np.einsum("tij,tkj->tki", Rotation.from_rotvec(yaw[:, None] * [0.0, 1.0, 0.0]).as_matrix(), joints)
    radius = 1.0 / np.radians(20.0)
    path = np.stack([radius * (1 - np.cos(yaw)), np.zeros_like(time), radius * np.sin(yaw)], axis=-1)
    walk: Array = joints + path[:, None]
    return walk


# A spin


@pytest.mark.parametrize("degrees_a_frame", [2.0, 5.0, 12.0, 40.0, 170.0, -170.0])
def test_a_spin_of_720_degrees_is_that_turn_in_every_row(degrees_a_frame: float) -> None:
    frames = max(int(720 / abs(degrees_a_frame)), 8)
    features = encode(turned("Y", degrees_a_frame * np.arange(frames)), FIXED, fps=20)
    # The world turns against the body as seen from it, and column 0 is half of that.
    np.testing.assert_allclose(features[:, 0], np.radians(-degrees_a_frame / 2), atol=1e-6)
    # What the body does with itself is nothing.
    np.testing.assert_allclose(features[:, POSTURE], np.tile(features[:1, POSTURE], (len(features), 1)), atol=1e-6)


@pytest.mark.parametrize(("degrees_a_frame", "off_m"), [(2.0, 0.07), (5.0, 0.19)])
def test_a_spin_decodes_exactly_but_not_as_published(degrees_a_frame: float, off_m: float) -> None:
    spin = turned("Y", degrees_a_frame * np.arange(int(720 / degrees_a_frame)), None)
    fixed, compat = (
        np.abs(decode(encode(spin, i, fps=20), i) - uniform_joints(spin)[:-1]).max() for i in (FIXED, COMPAT)
    )
    assert fixed < 2e-6
    # One wrong row each time the heading passes 180 degrees (motion-representations: 0.07 m and 0.19 m on a real body).
    assert 0.3 * off_m < compat < 2.0 * off_m


def test_the_published_smoothing_hides_fast_spins_that_the_true_facing_shows() -> None:
    spin = turned("Y", 12.0 * np.arange(240))
    assert abs(np.median(encode(spin, COMPAT, fps=20)[:, 0])) < 0.01
    np.testing.assert_allclose(np.median(encode(spin, FIXED, fps=20)[:, 0]), np.radians(-6.0), atol=1e-6)


def test_published_rotations_of_a_body_that_only_spins_change_and_are_kept() -> None:
    spin = turned("Y", 3.0 * np.arange(60))
    changed = np.ptp(encode(spin, COMPAT, fps=20)[:, layout.ROTATIONS], axis=0).max()
    assert changed > 0.5


def test_a_facing_jump_of_180_degrees_is_one_row() -> None:
    motion = turned("Y", np.where(np.arange(60) < 30, 0.0, 180.0))
    features = encode(motion, FIXED, fps=20)
    np.testing.assert_allclose(np.abs(features[29, 0]), np.pi / 2, atol=1e-6)
    np.testing.assert_allclose(np.delete(features[:, 0], 29), 0.0, atol=1e-6)
    np.testing.assert_allclose(decode(features, FIXED), uniform_joints(motion)[:-1], atol=1e-6)
    published = encode(motion, COMPAT, fps=20)
    assert np.isfinite(published).all()


# Rolls


def test_a_forward_roll_keeps_its_heading() -> None:
    roll = turned("X", 9.0 * np.arange(41))
    features = encode(roll, FIXED, fps=20)
    np.testing.assert_allclose(features[:, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(decode(features, FIXED), uniform_joints(roll)[:-1], atol=2e-6)


@pytest.mark.parametrize("tilt", [0.0, 7.0, -12.0])
def test_a_cartwheel_keeps_its_heading_though_left_and_right_change_sides(tilt: float) -> None:
    wheel = turned("Z", 2.0 * np.arange(181), turned("X", [tilt])[0])
    features = encode(wheel, FIXED, fps=20)
    # Hips and shoulders alone would say half a turn, twice. A trunk that leans is told less and less well, the more it is
    # upside down; it turns a part of that, evenly, and comes back. Columns hold half the turns.
    swung = 2 * np.abs(np.cumsum(features[:, 0]))
    assert swung.max() < np.radians(6.0 * abs(tilt) + 0.001)
    assert swung[-1] < 1e-5
    assert np.abs(features[:, 0]).max() < np.radians(3.5)
    np.testing.assert_allclose(decode(features, FIXED), uniform_joints(wheel, published=False)[:-1], atol=2e-6)


def test_rolling_over_on_the_floor_turns_the_heading_evenly() -> None:
    lying = Rotation.from_rotvec([-np.pi / 2, 0, 0]).apply(standing())
    roll = turned("Z", 6.0 * np.arange(61), lying)
    features = encode(roll, FIXED, fps=20)
    # On the back and on the belly somebody whose head stays where it is faces opposite ways.
    np.testing.assert_allclose(features[:, 0], np.radians(3.0), atol=2e-3)


def test_upside_down_the_heading_goes_evenly_to_where_it_is_told_again() -> None:
    # Down by a forward roll, a quarter turn in the handstand, and back up.
    down, turn = np.linspace(0, 180, 31), np.linspace(0, 90, 31)
    tips = Rotation.from_euler(
        "XY",
        np.stack([np.r_[down, np.full(29, 180.0), down[::-1]], np.r_[np.zeros(30), turn, np.full(30, 90.0)]], -1),
        degrees=True,
    )
    joints = np.einsum("tij,kj->tki", tips.as_matrix(), standing())
    features = encode(joints, FIXED, fps=20)
    assert np.isfinite(features).all()
    assert np.abs(features[:, 0]).max() < np.radians(8.0)
    np.testing.assert_allclose(decode(features, FIXED), uniform_joints(joints, published=False)[:-1], atol=2e-6)


@pytest.mark.parametrize("representation", IDS)
def test_rolling_on_the_floor_stays_finite_and_decodes(representation: str) -> None:
    lying = Rotation.from_rotvec([-np.pi / 2, 0, 0]).apply(standing())
    roll = turned("Z", 6.0 * np.arange(61), lying)
    features = encode(roll, representation, fps=20)
    assert np.isfinite(features).all()
    published = representation != FIXED
    error = np.abs(decode(features, representation) - uniform_joints(roll, published=published)[:-1]).max()
    assert error < (1.0 if published else 2e-6)


def test_a_body_on_its_side_from_the_first_frame_faces_as_it_does_when_it_rises() -> None:
    rising = turned("Z", np.r_[np.full(10, 90.0), np.linspace(90, 0, 31)])
    features = encode(rising, FIXED, fps=20)
    np.testing.assert_allclose(features[:, 0], 0.0, atol=1e-6)
    last = decode(features, FIXED)[-1]
    assert last[1, 0] - last[2, 0] > 0.2, "the left hip is at +X of somebody who faces +Z"


@pytest.mark.parametrize("representation", IDS)
def test_a_body_that_never_tells_its_heading_faces_ahead(representation: str) -> None:
    side = turned("Z", np.full(20, 90.0))
    features = encode(side, representation, fps=20)
    np.testing.assert_allclose(features[:, :3], 0.0, atol=1e-6)


# A jump


@pytest.mark.parametrize("representation", IDS)
def test_a_jump_is_height_without_travel_and_lifts_all_contacts(representation: str) -> None:
    frames = np.arange(41)
    height = np.maximum(0.0, 1.2 - 0.012 * (frames - 20.0) ** 2)
    features = encode(np.tile(standing(), (41, 1, 1)) + height[:, None, None] * [0, 1, 0], representation, fps=20)
    np.testing.assert_allclose(features[:, 3] - features[0, 3], height[:-1], atol=1e-6)
    np.testing.assert_allclose(features[:, :3], 0.0, atol=1e-6)
    moving = np.abs(np.diff(height)) > np.sqrt(layout.CONTACT_SQUARED_M2)
    np.testing.assert_array_equal(features[:, layout.CONTACTS] == 0, np.repeat(moving[:, None], 4, axis=1))
    assert moving.sum() > 10


# Frame rates


@pytest.mark.parametrize("fps", [25, Fraction(30000, 1001), 50, Fraction(60000, 1001), 59.9999886, 120, 250, 12.5])
@pytest.mark.parametrize("representation", [FIXED, COMPAT])
def test_a_walk_of_any_rate_is_the_same_walk(representation: str, fps: Fraction | float) -> None:
    features = encode(walking(6.0, float(fps)), representation, fps=fps)
    expected = encode(walking(6.0, 20.0), representation, fps=20)
    rows = min(len(features), len(expected))
    assert len(expected) - rows <= 1
    # A swing of 1 Hz sampled at 12.5 or 25 fps is rounder than it was, and so by millimetres everywhere. The published
    # heading is smoothed over an end that may lie a frame earlier.
    away = slice(3, rows - (layout.SMOOTHING_RADIUS if representation == COMPAT else 3))
    np.testing.assert_allclose(features[away, :259], expected[away, :259], atol=0.012)
    np.testing.assert_allclose(features[away, :3], expected[away, :3], atol=5e-4)


@pytest.mark.parametrize(
    ("fps", "left"),
    [
        (20, 20), (24, 24), (25, 25), (Fraction(30000, 1001), Fraction(30000, 1001)), (30, 30), (50, 25), (60, 20),
        (59.9999886, 29.9999943), (90, 22.5), (100, 20), (119.88, 23.976), (120, 20), (150, 150 / 7), (250, 250 / 12),
    ],
)  # fmt: skip
def test_the_published_stride_leaves_the_published_rates(fps: Fraction | float, left: float) -> None:
    ahead = np.tile(standing(), (400, 1, 1)) + (np.arange(400) / float(fps))[:, None, None] * [0, 0, 1]
    features = encode(ahead, STRIDE, fps=fps)
    np.testing.assert_allclose(features[:, 2], 1.0 / float(left), rtol=1e-4)
    np.testing.assert_allclose(encode(ahead, FIXED, fps=fps)[:, 2], 1.0 / 20.0, rtol=1e-4)
    np.testing.assert_allclose(encode(ahead, COMPAT, fps=fps)[:, 2], 1.0 / 20.0, rtol=1e-4)


@pytest.mark.parametrize("fps", [10, 12.5, 15, 19.9])
def test_the_published_stride_refuses_what_crashed_it(fps: float) -> None:
    with pytest.raises(ClipError, match="fewer than 20") as caught:
        encode(walking(2.0, fps), STRIDE, fps=fps)
    assert caught.value.reason == "too_slow"


def test_shaking_above_10_hz_is_filtered_out_where_compat_takes_it_for_slow_swaying() -> None:
    time = np.arange(1201) / 120.0
    shaken = np.tile(standing(), (1201, 1, 1)) + 0.02 * np.sin(2 * np.pi * 19.0 * time)[:, None, None] * [1, 0, 0]
    assert np.abs(encode(shaken, FIXED, fps=120)[10:-10, 1]).max() < 1e-4
    assert np.abs(encode(shaken, COMPAT, fps=120)[10:-10, 1]).max() > 5e-3


# Sides and axes


@pytest.mark.parametrize("representation", IDS)
def test_a_mirrored_motion_gives_mirrored_features(make_motion: Motion, representation: str) -> None:
    joints = make_motion(80, 12, turn_rad=0.03)
    order = np.arange(22)
    for left, right in SMPL22_MIRROR_PAIRS:
        order[left], order[right] = right, left
    mirrored = encode((joints * [-1, 1, 1])[:, order], representation, fps=20)
    features = encode(joints, representation, fps=20)
    # Target bones differ by 7 mm between left and right, and the subject's size comes from the right leg alone.
    size = float(np.ptp(features[:, layout.LOCAL_JOINTS]))
    expected = decode_heading_free([features])[0][:, order] * [-1, 1, 1]
    np.testing.assert_allclose(decode_heading_free([mirrored])[0], expected, atol=0.1 * size)
    np.testing.assert_allclose(mirrored[:, 0], -features[:, 0], atol=1e-6 if representation == FIXED else 0.03)
    same = mirrored[:, layout.CONTACTS] == features[:, layout.CONTACTS][:, [2, 3, 0, 1]]
    assert same.mean() > 0.9


@pytest.mark.parametrize("representation", IDS)
def test_swapped_axes_are_a_reflection_until_x_is_negated(make_motion: Motion, representation: str) -> None:
    joints = walking(3.0, 20.0)
    z_up = joints[..., [0, 2, 1]] * [1, -1, 1]  # (x, -z, y): a proper turn
    swapped = z_up[..., [0, 2, 1]]
    features = encode(joints, representation, fps=20)
    np.testing.assert_allclose(encode(swapped * [-1, 1, 1], representation, fps=20), features, atol=2e-6)
    reflected = decode(encode(swapped, representation, fps=20), representation)
    # Left and right are where they belong after facing, so the body walks backwards on feet that point behind it.
    assert reflected[-1, 0, 2] < 0 < decode(features, representation)[-1, 0, 2]
    assert (reflected[0, [10, 11], 2] < reflected[0, [7, 8], 2]).all()


# Bones


@pytest.mark.parametrize("representation", IDS)
@pytest.mark.parametrize("joint", [j for j in range(1, 22) if j not in layout.LEG_JOINTS])
def test_a_bone_without_length_rests_and_the_others_stay(representation: str, joint: int) -> None:
    joints = np.tile(standing(), (5, 1, 1))
    children = [joint]
    for child in range(joint + 1, 22):
        if SMPL22_PARENTS[child] in children:
            children.append(child)
    joints[:, children] -= layout.TARGET_OFFSETS_22x3[joint]
    features = encode(joints, representation, fps=20)
    np.testing.assert_allclose(features, encode(np.tile(standing(), (5, 1, 1)), representation, fps=20), atol=1e-6)


@pytest.mark.parametrize("representation", IDS)
def test_a_right_leg_without_length_is_refused(representation: str) -> None:
    joints = np.tile(standing(), (5, 1, 1))
    joints[:, [5, 8]] = joints[:, [2]]
    with pytest.raises(ClipError) as caught:
        encode(joints, representation, fps=20)
    assert caught.value.reason == "no_leg"


# What holds for every motion


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), turn=st.floats(-3.0, 3.0), frames=st.integers(3, 90))
def test_the_fixed_encoder_decodes_to_the_placed_joints_and_back(seed: int, turn: float, frames: int) -> None:
    random = np.random.default_rng(seed)
    wobble = random.normal(0, 0.04, (frames, 22, 3))
    motion = turned("Y", np.degrees(turn) * np.arange(frames)) + wobble
    features = encode(motion, FIXED, fps=20)
    decoded = decode(features, FIXED)
    np.testing.assert_allclose(decoded, uniform_joints(motion, published=False)[:-1], atol=1e-5)
    by_rotations = decode_by_rotations([features], published=False)[0]
    np.testing.assert_allclose(by_rotations, decoded, atol=1e-5)
    again = encode(decoded, FIXED, fps=20)
    # The floor may have been touched in the frame that the features lost.
    again[:, [3, *range(5, 67, 3)]] += features[0, 3] - again[0, 3]
    rest = np.r_[0:67, 193:259]
    np.testing.assert_allclose(again[:, rest], features[:-1][:, rest], atol=2e-5)
    # A bone that nearly points against its rest direction turns about an axis that float32 barely tells.
    np.testing.assert_allclose(again[:, layout.ROTATIONS], features[:-1, layout.ROTATIONS], atol=1e-2)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), first=st.integers(1, 50), rows=st.integers(2, 40))
def test_a_part_of_a_motion_has_a_part_of_its_features(seed: int, first: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    motion = turned("Y", np.cumsum(random.uniform(-30, 30, 100))) + 0.1 * random.normal(size=(100, 1, 3))
    motion[:, :, 1] -= motion[:, :, 1].min(axis=1, keepdims=True)  # every frame touches the floor
    whole = encode(motion, FIXED, fps=20)
    part = encode(motion[first : first + rows + 1], FIXED, fps=20)
    np.testing.assert_allclose(part, whole[first : first + rows], atol=2e-6)


def test_the_ids_share_a_layout_and_no_parameters() -> None:
    from motionunion.representations import get_representation

    entries = [get_representation(representation) for representation in IDS]
    assert len({entry.parameter_hash for entry in entries}) == 3
    assert {(entry.dims, entry.blocks, entry.rate) for entry in entries} == {(263, layout.BLOCKS, Fraction(20))}
