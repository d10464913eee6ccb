"""hml263@20/compat on motions made in the test: independent oracles, properties, and what the reference turns into NaN."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from motionunion.errors import ClipError
from motionunion.representations import decode, encode, hml263_heading
from motionunion.representations import hml263_encoder as encoder
from motionunion.representations import hml263_layout as layout
from motionunion.representations.hml263_decoder import decode_by_rotations, decode_heading_free
from motionunion.rotation import conjugate, multiply, shortest_arc
from motionunion.skeleton import SMPL22_PARENTS

ID = "hml263@20/compat"
CHAINS = ((0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20))
Array = npt.NDArray[np.float64]
Motion = Callable[..., Array]


def about_y(angle: npt.ArrayLike) -> Rotation:
    angles = np.asarray(angle, dtype=np.float64)
    return Rotation.from_rotvec(angles[..., None] * [0.0, 1.0, 0.0])


def literal_encode(joints: Array) -> Array:
    """The published recipe step by step with inverse and forward kinematics along chains: slow, and our own oracle."""
    target = layout.TARGET_OFFSETS_22x3
    lengths = np.linalg.norm(joints[0, 1:] - joints[0, list(SMPL22_PARENTS[1:])], axis=-1)
    scale = np.linalg.norm(target[[5, 8]], axis=-1).sum() / lengths[[4, 7]].sum()
    quats, _ = chain_rotations(joints, smooth=False)
    placed = np.zeros_like(joints)
    placed[:, 0] = joints[:, 0] * scale
    for chain in CHAINS:
        turn = quats[0]
        for parent, joint in itertools.pairwise(chain):
            turn = turn * quats[joint]
            placed[:, joint] = placed[:, parent] + turn.apply(target[joint])
    placed[..., 1] -= placed[..., 1].min()
    placed[..., [0, 2]] -= placed[0, 0, [0, 2]]
    across = placed[0, 2] - placed[0, 1] + placed[0, 17] - placed[0, 16]
    forward = np.cross([0.0, 1.0, 0.0], across)
    placed = about_y(np.arctan2(-forward[0], forward[2])).apply(placed.reshape(-1, 3)).reshape(placed.shape)

    quats, root = chain_rotations(placed, smooth=True)
    heading = quats[0]
    steps = placed[1:] - placed[:-1]
    rows = len(joints) - 1
    features = np.zeros((rows, 263))
    features[:, 0] = np.arcsin(multiply(root[1:], conjugate(root[:-1]))[:, 2])
    features[:, 1:3] = heading[1:].apply(steps[:, 0])[:, [0, 2]]
    features[:, 3] = placed[:-1, 0, 1]
    for joint in range(1, 22):
        local = placed[:-1, joint] - placed[:-1, 0] * [1, 0, 1]
        features[:, 4 + 3 * (joint - 1) : 7 + 3 * (joint - 1)] = heading[:-1].apply(local)
        matrix = quats[joint][:-1].as_matrix()
        start = 67 + 6 * (joint - 1)
        features[:, start : start + 6] = np.concatenate([matrix[..., 0], matrix[..., 1]], axis=-1)
    for joint in range(22):
        features[:, 193 + 3 * joint : 196 + 3 * joint] = heading[:-1].apply(steps[:, joint])
    features[:, 259:] = (steps[:, layout.FEET] ** 2).sum(-1) < 0.002
    return features


def chain_rotations(joints: Array, *, smooth: bool) -> tuple[list[Rotation], Array]:
    across = joints[:, 1] - joints[:, 2] + joints[:, 17] - joints[:, 16]
    forward = np.cross([0.0, 1.0, 0.0], across / np.linalg.norm(across, axis=-1, keepdims=True))
    if smooth:
        forward = gaussian_filter1d(forward, 20, axis=0, mode="nearest")
    root = shortest_arc(forward, np.broadcast_to([0.0, 0.0, 1.0], forward.shape))
    root[0] = [1, 0, 0, 0]
    heading = Rotation.from_quat(root, scalar_first=True)
    quats = [heading] * 22
    for chain in CHAINS:
        turn = heading
        for parent, joint in itertools.pairwise(chain):
            direction = joints[:, joint] - joints[:, parent]
            rest = np.broadcast_to(layout.REST_DIRECTIONS_22x3[joint], direction.shape)
            own = Rotation.from_quat(shortest_arc(rest, direction), scalar_first=True)
            quats[joint] = turn.inv() * own
            turn = own
    return quats, root


@pytest.mark.parametrize("turn_rad", [0.0, 0.02, -0.07])
def test_shortcuts_equal_the_published_recipe_taken_literally(make_motion: Motion, turn_rad: float) -> None:
    joints = make_motion(150, 3, turn_rad=turn_rad)
    features, expected = encode(joints, ID, fps=20), literal_encode(joints)
    np.testing.assert_allclose(features, expected, rtol=0, atol=2e-6)


def test_gaussian_is_that_of_scipy(make_motion: Motion) -> None:
    values = make_motion(37, 1)[:, 5, 0]
    np.testing.assert_allclose(
        hml263_heading.smoothed(values), gaussian_filter1d(values, 20, mode="nearest"), rtol=0, atol=1e-12
    )


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(2, 400), min_size=2, max_size=6), seed=st.integers(0, 2**16))
def test_a_batch_gives_exactly_what_its_clips_give_alone(lengths: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    clips = [random.normal(size=(frames, 22, 3)) for frames in lengths]
    together = encode(clips, ID, fps=20)
    for clip, features in zip(clips, together, strict=True):
        np.testing.assert_array_equal(features, encode(clip, ID, fps=20))


@pytest.mark.parametrize("representation", ["hml263@20", ID])
def test_later_calls_and_other_threads_leave_features_alone(make_motion: Motion, representation: str) -> None:
    clips = [make_motion(300, seed) for seed in range(8)]
    first = encode(clips[0], representation, fps=20)
    kept = first.copy()
    alone = [encode(clip, representation, fps=20) for clip in clips]
    np.testing.assert_array_equal(first, kept)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda clip: encode(clip, representation, fps=20), clips))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_clip_longer_than_what_is_encoded_at_a_time_follows_the_same_recipe(make_motion: Motion) -> None:
    joints = make_motion(2 * encoder.GROUP_FRAMES + 5, 3, turn_rad=0.002)
    np.testing.assert_allclose(encode(joints, ID, fps=20), literal_encode(joints), rtol=0, atol=2e-6)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    yaw=st.floats(-3.1, 3.1),
    shift=st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5)),
    size=st.floats(0.5, 2.0),
)
def test_place_heading_and_size_of_a_subject_are_not_in_the_features(
    seed: int, yaw: float, shift: tuple[float, float, float], size: float
) -> None:
    random = np.random.default_rng(seed)
    joints = np.cumsum(random.normal(0, 0.01, (30, 22, 3)), axis=0) + _standing()
    moved = size * about_y(yaw).apply(joints.reshape(-1, 3)).reshape(joints.shape) + shift
    np.testing.assert_allclose(encode(moved, ID, fps=20), encode(joints, ID, fps=20), rtol=0, atol=5e-6)


def test_decoded_joints_are_the_placed_joints_without_the_last_frame(make_motion: Motion) -> None:
    joints = make_motion(120, 8, turn_rad=0.005)
    decoded = decode(encode(joints, ID, fps=20), ID)
    np.testing.assert_allclose(decoded, encoder.uniform_joints(joints)[:-1], rtol=0, atol=5e-6)


def test_both_decoders_agree(make_motion: Motion) -> None:
    features = encode(make_motion(90, 5), ID, fps=20)
    np.testing.assert_allclose(decode_by_rotations([features])[0], decode(features, ID), rtol=0, atol=5e-6)


def test_encoding_decoded_joints_gives_the_features_back_away_from_the_end(make_motion: Motion) -> None:
    features = encode(make_motion(260, 9, turn_rad=0.004), ID, fps=20)
    again = encode(decode(features, ID), ID, fps=20)
    rows = len(again) - layout.SMOOTHING_RADIUS
    assert rows > 100
    # Contacts are a threshold on displacements that were rounded to float32 twice; the others must return.
    np.testing.assert_allclose(again[:rows, :259], features[:rows, :259], rtol=0, atol=1e-5)
    assert (again[:rows, layout.CONTACTS] == features[:rows, layout.CONTACTS]).mean() > 0.99


def test_heading_free_decoding_keeps_posture_and_height_only(make_motion: Motion) -> None:
    features = encode(make_motion(40, 2, turn_rad=0.05), ID, fps=20)
    joints = decode_heading_free([features])[0]
    np.testing.assert_array_equal(joints[:, 0, [0, 2]], 0)
    np.testing.assert_array_equal(joints[:, 0, 1], features[:, 3])
    decoded = decode(features, ID)
    np.testing.assert_allclose(
        np.linalg.norm(joints - joints[:, :1], axis=-1), np.linalg.norm(decoded - decoded[:, :1], axis=-1), atol=1e-5
    )


@pytest.mark.parametrize("frames", [2, 3])
def test_the_shortest_clips_encode(make_motion: Motion, frames: int) -> None:
    joints = make_motion(frames, 4)
    features = encode(joints, ID, fps=20)
    assert features.shape == (frames - 1, 263)
    np.testing.assert_allclose(features, literal_encode(joints), rtol=0, atol=2e-6)


def test_a_jump_of_180_degrees_stays_finite() -> None:
    joints = np.repeat(_standing(), 60, axis=0)
    joints[30:, :, [0, 2]] *= -1
    features = encode(joints, ID, fps=20)
    assert np.isfinite(features).all()
    assert np.isfinite(decode(features, ID)).all()


def test_a_heading_that_flips_sign_at_180_degrees_is_kept_as_published() -> None:
    # 2 degrees a frame for two turns: one wrong row each time the world-to-heading rotation passes a half turn (#156).
    yaw = np.radians(2.0) * np.arange(360)
    joints = about_y(yaw.repeat(22)).apply(np.tile(_standing()[0], (360, 1))).reshape(360, 22, 3)
    features = encode(joints, ID, fps=20)
    middle = features[80:-80, 0]
    assert (middle > 0).sum() == 2
    np.testing.assert_allclose(np.abs(middle), np.radians(1.0), atol=1e-5)


@pytest.mark.parametrize("joint", range(1, 22))
def test_a_bone_turned_against_its_rest_direction_stays_finite(joint: int) -> None:
    joints = np.repeat(_standing(), 5, axis=0)
    parent = SMPL22_PARENTS[joint]
    joints[:, joint] = joints[:, parent] - 0.3 * layout.REST_DIRECTIONS_22x3[joint]
    features = encode(joints, ID, fps=20)
    assert np.isfinite(features).all()
    posed = decode_by_rotations([features])[0]
    np.testing.assert_allclose(posed[:, joint], decode(features, ID)[:, joint], atol=1e-5)


def test_a_bone_without_length_rests() -> None:
    joints = np.repeat(_standing(), 5, axis=0)
    joints[:, 15] = joints[:, 12]
    decoded = decode(encode(joints, ID, fps=20), ID)
    np.testing.assert_allclose(decoded[:, 15] - decoded[:, 12], np.tile([[0, 0, 0.103039]], (4, 1)), atol=1e-6)


def test_a_body_that_lies_along_the_vertical_axis_stays_finite() -> None:
    joints = np.repeat(_standing(), 5, axis=0)[..., [1, 0, 2]]
    assert np.isfinite(encode(joints, ID, fps=20)).all()


def test_joints_at_another_rate_are_taken_by_the_rule_of_the_id(make_motion: Motion) -> None:
    joints = make_motion(241, 6, turn_rad=0.002)
    np.testing.assert_array_equal(encode(joints, ID, fps=60), encode(joints[::3], ID, fps=20))
    np.testing.assert_array_equal(encode(joints, ID, fps=59.9999886), encode(joints[::3], ID, fps=20))
    assert encode(joints, ID, fps=Fraction(30)).shape == (160, 263)


@pytest.mark.parametrize(
    ("joints", "reason"),
    [
        (np.zeros((1, 22, 3)), "too_short"),
        (np.zeros((0, 22, 3)), "too_short"),
        (np.zeros((5, 21, 3)), "bad_shape"),
        (np.zeros((5, 22, 3)), "no_leg"),
        (np.full((5, 22, 3), np.nan), "non_finite"),
    ],
)
def test_what_is_no_motion_is_refused(joints: Array, reason: str) -> None:
    with pytest.raises(ClipError) as caught:
        encode(joints, ID, fps=20)
    assert caught.value.reason == reason


def test_the_refused_clip_of_a_list_is_named(make_motion: Motion) -> None:
    with pytest.raises(ClipError, match="clip 1 of 2"):
        encode([make_motion(5, 0), np.full((5, 22, 3), np.inf)], ID, fps=20)


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(ClipError, match="263"):
        decode(np.zeros((5, 251)), ID)


def _standing() -> Array:
    """One frame (1, 22, 3) on the target skeleton, arms hanging, facing +Z."""
    joints = np.zeros((1, 22, 3))
    for joint in range(1, 22):
        joints[:, joint] = joints[:, SMPL22_PARENTS[joint]] + layout.TARGET_OFFSETS_22x3[joint]
    return joints
