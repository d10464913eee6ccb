"""The 272 features on made-up motion; `test_ms272_published` has the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion.body import TEMPLATE
from motionunion.clip import Clip, ClipRef, RawClip
from motionunion.errors import ClipError
from motionunion.motion import Motion, posed
from motionunion.normalise import normalise
from motionunion.representations import decode, decode_motion, encode, registry
from motionunion.representations import ms272_layout as layout
from motionunion.representations.ms272_encoder import forward_heading
from motionunion.resample import motion_at
from motionunion.skeleton import SMPL22_PARENTS
from motionunion.sources import SOURCES, ReadOptions

IDS = ("ms272@30", "ms272@30/compat")
MakeClip = Callable[..., Clip]
Array = npt.NDArray[np.float64]


def scipy_of(quats: npt.ArrayLike) -> Rotation:
    return Rotation.from_quat(np.asarray(quats, dtype=np.float64).reshape(-1, 4), scalar_first=True)


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


@pytest.mark.parametrize("representation", IDS)
def test_a_somersault_is_decoded_as_it_was(clip_of: MakeClip, representation: str) -> None:
    quats, root, offsets = walk(clip_of, frames=60).pose()
    quats = np.array(quats)
    quats[:, 0] = Rotation.from_euler("x", np.linspace(0.0, 720.0, 60)[:, None], degrees=True).as_quat(
        scalar_first=True
    )
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


def test_parameters_of_a_body_model_give_the_features_of_that_body(tmp_path: Path) -> None:
    """AMASS's own numbers, Z up at 120 fps, to features: posed by hand, with a body model file written here."""
    random = np.random.default_rng(4)
    rest = np.zeros((22, 3))
    for joint, (offset, parent) in enumerate(zip(TEMPLATE.offsets_22x3, SMPL22_PARENTS, strict=True)):
        rest[joint] = offset + (rest[parent] if joint else 0.0)
    vertices = random.normal(0, 0.3, (6890, 3))
    vertices[:22] = rest
    shapes = random.normal(0, 0.004, (6890, 3, 16))
    parents = [0, *SMPL22_PARENTS[1:], *[20] * 15, *[21] * 15]
    (tmp_path / "models/smplh").mkdir(parents=True)
    np.savez(tmp_path / "models/smplh/SMPLH_MALE.npz", v_template=vertices, shapedirs=shapes,
             J_regressor=np.eye(52, 6890), kintree_table=np.array([parents, range(52)], dtype=np.uint32))  # fmt: skip

    time = np.arange(240)[:, None] / 120
    poses = 0.15 * np.sin(time * random.uniform(1, 4, 156) + random.uniform(0, 6, 156))
    upright = Rotation.from_euler("x", 90, degrees=True) * Rotation.from_euler("y", time)
    poses[:, :3] = (upright * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    trans = np.hstack([0.5 * time, np.sin(time), 1.15 + 0.02 * np.cos(3 * time)])
    betas = random.normal(0, 1, 16)
    path = tmp_path / "CMU/01/01_01_poses.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, poses=poses, trans=trans, betas=betas, gender="male", mocap_framerate=120.0)
    ref = ClipRef(source="amass_smplh", key="CMU/01/01_01", uid="amass/cmu/01/01_01", path=path, root=tmp_path)
    raw = SOURCES["amass_smplh"].read(ref, ReadOptions(body_models=tmp_path / "models"))
    assert isinstance(raw, RawClip)
    clip = normalise(raw)

    body = rest + shapes[:22, :, :10] @ betas[:10]
    joints = np.empty((60, 22, 3))
    to_y_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    for frame, (pose, path_3) in enumerate(zip(poses[::4], trans[::4], strict=True)):
        world: list[Array] = []
        for joint, parent in enumerate(SMPL22_PARENTS):
            own = Rotation.from_rotvec(pose[3 * joint : 3 * joint + 3]).as_matrix()
            world.append(own if parent < 0 else world[parent] @ own)
            bone = body[joint] - body[parent]
            joints[frame, joint] = body[0] if parent < 0 else joints[frame, parent] + world[parent] @ bone
        joints[frame] = (joints[frame] + path_3) @ to_y_up.T
    turned = poses[::4, :66].reshape(60, 22, 3).copy()
    turned[:, 0] = (Rotation.from_matrix(to_y_up) * Rotation.from_rotvec(turned[:, 0])).as_rotvec()
    motion = Motion(
        fps=Fraction(30),
        joints_T22x3=joints,
        quats_T22x4=np.asarray(Rotation.from_rotvec(turned.reshape(-1, 3)).as_quat(scalar_first=True)).reshape(
            60, 22, 4
        ),
        root_T3=joints[:, 0],
        offsets_22x3=np.zeros((22, 3)),
    )
    features = encode(motion_at(clip, 30), "ms272@30/compat")
    np.testing.assert_allclose(features, literal_encode(motion), rtol=0, atol=2e-6)


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
