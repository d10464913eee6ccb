"""The 272 features on made-up motion; `test_ms272_published` has the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion.clip import Clip
from motionunion.errors import ClipError
from motionunion.motion import Motion, posed
from motionunion.representations import decode, decode_motion, encode, registry
from motionunion.representations import ms272_layout as layout
from motionunion.representations.ms272_encoder import forward_heading, steady_heading
from motionunion.resample import motion_at

IDS = ("ms272@30", "ms272@30/compat")
MakeClip = Callable[..., Clip]
Array = npt.NDArray[np.float64]


def scipy_of(quats: npt.ArrayLike) -> Rotation:
    return Rotation.from_quat(np.asarray(quats, dtype=np.float64).reshape(-1, 4), scalar_first=True)


def about(axis: str, degrees: npt.ArrayLike) -> Rotation:
    return Rotation.from_euler(axis, np.asarray(degrees, dtype=np.float64)[:, None], degrees=True)


def walk(clip_of: MakeClip, key: str = "one", frames: int = 90, turn_deg: float = 3.0) -> Motion:
    """A motion that walks and turns steadily; upright within 30 degrees."""
    motion = motion_at(clip_of(key, frames=frames, fps=Fraction(30)), 30)
    quats, root, offsets = motion.pose()
    yaw = np.zeros((frames, 4))
    half = np.deg2rad(turn_deg) * np.arange(frames) / 2
    yaw[:, 0], yaw[:, 2] = np.cos(half), np.sin(half)
    turned = np.array(quats)
    turned[:, 0] = (scipy_of(yaw) * scipy_of(quats[:, 0])).as_quat(scalar_first=True)
    return posed(Fraction(30), root, turned, offsets)


def tumbling(axis: str, degrees: Array, heading_deg: float = 40.0) -> Array:
    """Root rotations (T, 4) of somebody who faces one way and tips over about an axis of the own pelvis."""
    tipped = about("y", [heading_deg]) * about(axis, degrees)
    return np.asarray(tipped.as_quat(scalar_first=True))


def literal_encode(motion: Motion) -> Array:
    """Frame by frame, with matrices, as motion-capture people would say it on paper (Xiao et al. 2025, appendix)."""
    quats, _, _ = motion.pose()
    joints = np.array(motion.joints_T22x3, dtype=np.float64)
    joints[..., 1] -= joints[..., 1].min()
    rows = []
    last_angle, last_local, last_root = 0.0, np.zeros((22, 3)), np.zeros(3)
    for frame, pose in enumerate(joints):
        front = scipy_of(quats[frame, 0]).apply([[0.0, 0.0, 1.0]])[0]
        angle = float(np.arctan2(front[0], front[2]))
        view = Rotation.from_euler("y", -angle)
        local = view.apply(pose - pose[0] * [1, 0, 1])
        if frame == 0:
            travel, turn, change = np.zeros(3), np.eye(3), np.zeros((22, 3))
        else:
            travel = Rotation.from_euler("y", -last_angle).apply(pose[0] - last_root)
            turn = Rotation.from_euler("y", last_angle - angle).as_matrix()
            change = local - last_local
        own = scipy_of(quats[frame]).as_matrix()
        own[0] = view.as_matrix() @ own[0]
        rows.append(
            np.concatenate([travel[[0, 2]], turn[:2].ravel(), local.ravel(), change.ravel(), own[:, :2].ravel()])
        )
        last_angle, last_local, last_root = angle, local, pose[0]
    return np.array(rows)


@pytest.mark.parametrize("representation", IDS)
def test_features_are_what_the_paper_says_of_each_frame(clip_of: MakeClip, representation: str) -> None:
    motion = walk(clip_of)
    np.testing.assert_allclose(encode(motion, representation), literal_encode(motion), rtol=0, atol=5e-7)


@pytest.mark.parametrize("representation", IDS)
def test_a_batch_gives_the_values_of_each_motion_alone(clip_of: MakeClip, representation: str) -> None:
    motions = [walk(clip_of, key, frames) for key, frames in (("a", 2), ("b", 700), ("c", 600), ("d", 40))]
    for features, motion in zip(encode(motions, representation), motions, strict=True):
        assert features.shape == (motion.frames, 272)
        np.testing.assert_array_equal(features, encode(motion, representation))


@pytest.mark.parametrize("representation", IDS)
def test_decoding_gives_joints_and_rotations_back_but_for_the_start(clip_of: MakeClip, representation: str) -> None:
    motion = walk(clip_of)
    decoded = decode_motion(encode(motion, representation), representation)
    quats, root, _ = motion.pose()
    # What is lost: start position and heading, and the height over the floor.
    back = Rotation.from_euler("y", -forward_heading(np.asarray(quats[:1, 0]))[0])
    joints = motion.joints_T22x3 - root[0] * [1, 0, 1]
    joints = back.apply(joints.reshape(-1, 3)).reshape(joints.shape)
    joints[..., 1] -= joints[..., 1].min()
    np.testing.assert_allclose(decoded.joints_T22x3, joints, rtol=0, atol=2e-5)
    assert decoded.quats_T22x4 is not None
    expected = np.array(quats)
    expected[:, 0] = (back * scipy_of(quats[:, 0])).as_quat(scalar_first=True)
    apart = (scipy_of(expected).inv() * scipy_of(decoded.quats_T22x4)).magnitude()
    assert np.rad2deg(apart.max()) < 5e-4
    assert decoded.root_T3 is not None
    np.testing.assert_allclose(decoded.root_T3, joints[:, 0], rtol=0, atol=2e-5)
    np.testing.assert_array_equal(decode(encode(motion, representation), representation).dtype, np.float32)


@pytest.mark.parametrize("representation", IDS)
def test_encoding_what_was_decoded_gives_the_same_features(clip_of: MakeClip, representation: str) -> None:
    features = encode(walk(clip_of), representation)
    again = encode(decode_motion(features, representation), representation)
    np.testing.assert_allclose(again, features, rtol=0, atol=1e-6)


@pytest.mark.parametrize("representation", IDS)
def test_bones_are_measured_from_joints_and_rotations(clip_of: MakeClip, representation: str) -> None:
    motion = walk(clip_of)
    assert motion.offsets_22x3 is not None
    decoded = decode_motion(encode(motion, representation), representation)
    assert decoded.offsets_22x3 is not None
    np.testing.assert_allclose(decoded.offsets_22x3[1:], motion.offsets_22x3[1:], rtol=0, atol=1e-6)


def test_the_rest_pelvis_is_left_out_in_compat_alone(clip_of: MakeClip) -> None:
    features = encode(walk(clip_of), "ms272@30")
    plain, published = (decode_motion(features, representation) for representation in IDS)
    assert plain.offsets_22x3 is not None
    assert published.offsets_22x3 is not None
    np.testing.assert_array_equal(published.offsets_22x3[0], 0.0)
    # Rest pelvis of SMPL's mean shape (motion-representations 0.3: about (0, -0.22, 0.03)).
    np.testing.assert_allclose(plain.offsets_22x3[0], [0.0, -0.22, 0.03], atol=0.005)


@pytest.mark.parametrize("axis", ["x", "z"])
def test_a_roll_turns_the_published_heading_and_not_the_steady_one(axis: str) -> None:
    root = tumbling(axis, np.linspace(0.0, 360.0, 100))
    steady = np.unwrap(steady_heading(root))
    np.testing.assert_allclose(steady, steady[0], atol=1e-9)
    jumps = np.abs(np.diff(np.unwrap(forward_heading(root))))
    assert (jumps.max() > 3.0) == (axis == "x")


def test_a_body_past_the_vertical_flips_in_one_published_row() -> None:
    before, after = forward_heading(tumbling("x", np.array([89.0, 91.0]), heading_deg=0.0))
    assert before == pytest.approx(0.0, abs=1e-12)
    assert abs(after) == pytest.approx(np.pi)


def test_while_upright_both_headings_are_the_same() -> None:
    random = np.random.default_rng(2)
    axes = random.normal(size=(500, 3)) * [1, 0, 1]
    tilt = np.deg2rad(random.uniform(0, 59, (500, 1))) * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    root = (Rotation.from_rotvec(tilt) * about("y", random.uniform(-180, 180, 500))).as_quat(scalar_first=True)
    apart = np.exp(1j * steady_heading(root)) / np.exp(1j * forward_heading(root))
    np.testing.assert_allclose(apart, 1.0, atol=1e-12)


def test_the_steady_heading_has_no_jump_on_any_way_from_upright_to_lying() -> None:
    degrees = np.linspace(0, 150, 1501)
    for axis_deg in range(0, 360, 7):
        axis = np.array([np.cos(np.deg2rad(axis_deg)), 0.0, np.sin(np.deg2rad(axis_deg))])
        root = Rotation.from_rotvec(np.deg2rad(degrees)[:, None] * axis).as_quat(scalar_first=True)
        assert np.abs(np.diff(steady_heading(root))).max() < np.deg2rad(1.0)


def test_upside_down_the_heading_goes_evenly_from_what_was_to_what_will_be() -> None:
    # A handstand, somewhat unsteady: about the vertical the turn is anything.
    tilt = np.array([0, 60, 120, 175, 179, 178, 176, 120, 60, 0.0])
    root = (about("y", [0, 0, 0, 80, -120, 170, 30, 20, 20, 20]) * about("x", tilt)).as_quat(scalar_first=True)
    heading = np.rad2deg(steady_heading(root))
    np.testing.assert_allclose(heading, [0, 0, 0, 4, 8, 12, 16, 20, 20, 20], atol=1e-9)
    np.testing.assert_array_equal(steady_heading(root[3:6]), 0.0)


@pytest.mark.parametrize("representation", IDS)
def test_a_somersault_is_decoded_as_it_was(clip_of: MakeClip, representation: str) -> None:
    quats, root, offsets = walk(clip_of, frames=60).pose()
    quats = np.array(quats)
    quats[:, 0] = tumbling("x", np.linspace(0.0, 720.0, 60), heading_deg=0.0)
    motion = posed(Fraction(30), root, quats, offsets)
    decoded = decode(encode(motion, representation), representation)
    joints = motion.joints_T22x3 - np.asarray(root)[0] * [1, 0, 1]
    joints[..., 1] -= joints[..., 1].min()
    np.testing.assert_allclose(decoded, joints, rtol=0, atol=2e-5)


def test_a_turn_that_is_not_level_tips_over_in_compat_alone(clip_of: MakeClip) -> None:
    """As published, what a network predicts beside a level turn adds up to a floor that leans."""
    features = encode(walk(clip_of), "ms272@30")
    features[:, layout.TURN] += np.array([0, 0.02, 0, 0, 0, 0], dtype=np.float32)
    plain, published = (decode(features, representation) for representation in IDS)
    np.testing.assert_allclose(plain[:, :, 1], features[:, layout.LOCAL_JOINTS].reshape(-1, 22, 3)[:, :, 1], atol=1e-6)
    assert np.abs(published[:, :, 1] - plain[:, :, 1]).max() > 0.1


@pytest.mark.parametrize("representation", IDS)
def test_heading_free_joints_are_the_local_ones(clip_of: MakeClip, representation: str) -> None:
    features = encode(walk(clip_of), representation)
    (free,) = registry.get(representation).decode_heading_free_batch([features])
    np.testing.assert_array_equal(free.reshape(-1, 66), features[:, layout.LOCAL_JOINTS])


def test_joints_alone_are_not_made_up_for(clip_of: MakeClip) -> None:
    with pytest.raises(ClipError, match="joints alone") as caught:
        encode(np.zeros((5, 22, 3)), "ms272@30", fps=30)
    assert caught.value.reason == "no_rotations"
    with pytest.raises(ClipError, match="joints alone"):
        encode([walk(clip_of), motion_at(clip_of(joints=True), 30)], "ms272@30")


def test_what_is_no_motion_is_refused(clip_of: MakeClip) -> None:
    motion = walk(clip_of)
    entry = registry.get("ms272@30")
    with pytest.raises(ClipError, match="not finite"):
        entry.encode_batch([replace(motion, joints_T22x3=motion.joints_T22x3 * np.nan)])
    with pytest.raises(ClipError, match="shapes"):
        entry.encode_batch([replace(motion, joints_T22x3=motion.joints_T22x3[:, :21])])
    with pytest.raises(ClipError, match="272"):
        decode(np.zeros((5, 263)), "ms272@30")
    with pytest.raises(ClipError, match="272"):
        entry.decode_heading_free_batch([np.zeros((0, 272))])
