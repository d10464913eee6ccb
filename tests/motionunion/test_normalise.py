from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.clip import ClipRef, RawClip, Shipped
from motionunion.errors import ClipError
from motionunion.kinematics import forward_kinematics
from motionunion.normalise import VERSION, clip_id, normalise
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton

FloatArray = npt.NDArray[np.float64]
FRAMES = 12


@pytest.fixture
def ref(tmp_path: Path) -> ClipRef:
    path = tmp_path / "CMU" / "01" / "01_01_poses.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"what the file holds")
    return ClipRef(source="amass_smplh", key="CMU/01/01_01_poses", uid="amass/cmu/01/01_01", path=path, root=tmp_path)


def motion(seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """A body that turns its joints a little and walks on."""
    rng = np.random.default_rng(seed)
    rotvecs = rng.normal(0, 0.2, (22, 3)) + rng.normal(0, 0.01, (FRAMES, 22, 3))
    return rotation.from_rotvec(rotvecs), rng.normal(0, 1, 3) + np.linspace(0, 0.1, FRAMES)[:, None]


@pytest.fixture
def with_rotations(ref: ClipRef) -> RawClip:
    """A z-up clip of rotations, as AMASS has them: rest offsets are the body's own, y-up."""
    quats, root = motion()
    quats[:, 0] = rotation.multiply(rotation.from_rotvec([np.pi / 2, 0, 0]), quats[:, 0])
    skeleton = Skeleton(SMPL22_NAMES, SMPL22_PARENTS, TEMPLATE.offsets_22x3)
    return RawClip(
        ref=ref, fps=Fraction(120), up="z", unit_m=1.0, skeleton=skeleton, skeleton_id="smpl22", body="template",
        quats_TJ4=quats, root_T3=root, hands_T90=np.linspace(0, 1, FRAMES * 90).reshape(FRAMES, 90), betas=np.arange(16.0), gender="male",
        face={"jaw": np.ones((FRAMES, 3))}, flags=("known_bad",), labels={"content": "walk"},
    )  # fmt: skip


@pytest.fixture
def with_joints(ref: ClipRef) -> RawClip:
    """A y-up clip of joints, as HumanML3D has them."""
    quats, root = motion()
    joints = forward_kinematics(root, quats, TEMPLATE.offsets_22x3, SMPL22_PARENTS)
    skeleton = Skeleton(SMPL22_NAMES, SMPL22_PARENTS, np.zeros((22, 3)))
    return RawClip(
        ref=ref, fps=Fraction(20), up="y", unit_m=1.0, skeleton=skeleton, skeleton_id="smpl22", body="target",
        joints_TJ3=joints,
    )  # fmt: skip


def posed(raw: RawClip) -> FloatArray:
    clip = normalise(raw)
    assert clip.rotvecs_T22x3 is not None
    quats = rotation.from_rotvec(clip.rotvecs_T22x3)
    return forward_kinematics(clip.root_T3, quats, clip.offsets_22x3, SMPL22_PARENTS)


def test_z_up_becomes_y_up_by_a_proper_rotation(with_rotations: RawClip) -> None:
    before = forward_kinematics(
        with_rotations.root_T3, with_rotations.quats_TJ4, with_rotations.skeleton.offsets_J3, SMPL22_PARENTS
    )
    x, y, z = before[..., 0], before[..., 1], before[..., 2]
    np.testing.assert_allclose(posed(with_rotations), np.stack([x, z, -y], axis=-1), atol=2e-6)


def test_joints_of_a_z_up_file_turn_the_same_way(with_joints: RawClip) -> None:
    joints = with_joints.joints_TJ3
    assert joints is not None
    z_up = np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], axis=-1)
    clip = normalise(replace(with_joints, joints_TJ3=z_up, up="z"))
    np.testing.assert_allclose(clip.joints_T22x3, joints, atol=1e-6)


def test_lengths_become_metres(with_joints: RawClip, with_rotations: RawClip) -> None:
    joints = with_joints.joints_TJ3
    assert joints is not None
    in_cm = replace(with_joints, joints_TJ3=joints * 100, unit_m=0.01)
    np.testing.assert_allclose(normalise(in_cm).joints_T22x3, joints, atol=1e-6)
    skeleton = Skeleton(SMPL22_NAMES, SMPL22_PARENTS, TEMPLATE.offsets_22x3 * 100)
    assert with_rotations.root_T3 is not None
    rotations_in_cm = replace(with_rotations, skeleton=skeleton, root_T3=with_rotations.root_T3 * 100, unit_m=0.01)
    np.testing.assert_allclose(posed(rotations_in_cm), posed(with_rotations), atol=2e-6)


def test_what_a_file_says_besides_motion_is_kept(with_rotations: RawClip) -> None:
    clip = normalise(replace(with_rotations, official_split="test", group="g", valid=(3, 9)))
    assert (clip.source, clip.key, clip.uid) == ("amass_smplh", "CMU/01/01_01_poses", "amass/cmu/01/01_01")
    assert (clip.fps, clip.frames, clip.kind, clip.body, clip.valid) == (120, FRAMES, "rotations", "template", (3, 9))
    assert (clip.group, clip.official_split, clip.gender, clip.flags) == ("g", "test", "male", ("known_bad",))
    assert clip.labels == {"content": "walk"}
    assert clip.fk_error_m is None
    assert clip.joint_mask.all()
    assert clip.hands_T90 is not None
    assert clip.betas is not None
    arrays = (clip.rotvecs_T22x3, clip.root_T3, clip.offsets_22x3, clip.hands_T90, clip.betas, clip.face["jaw"])
    assert {array.dtype for array in arrays if array is not None} == {np.dtype(np.float32)}


def test_a_clip_without_a_group_is_its_own(with_joints: RawClip) -> None:
    clip = normalise(with_joints)
    assert clip.group == clip.uid
    assert clip.valid == (0, FRAMES)
    assert clip.kind == "joints"


def test_provenance_names_file_digest_reader_and_licence(with_rotations: RawClip) -> None:
    provenance = normalise(with_rotations).provenance
    assert provenance["file"] == "CMU/01/01_01_poses.npz"
    assert provenance["sha256"] == hashlib.sha256(b"what the file holds").hexdigest()
    assert provenance["reader"].startswith("amass_smplh/")
    assert provenance["reader"].endswith(f" normalise/{VERSION}")
    assert provenance["licence"]
    assert (provenance["up"], provenance["unit_m"], provenance["skeleton_id"]) == ("z", "1.0", "smpl22")


def test_the_digest_covers_every_input_by_name(with_rotations: RawClip) -> None:
    path = with_rotations.ref.path
    caption = path.with_suffix(".txt")
    caption.write_text("a person walks")
    several = replace(with_rotations, inputs=(path, caption))
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  CMU/01/{file.name}\n" for file in (path, caption)]
    assert normalise(several).provenance["sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_folder_that_moved_keeps_its_clips(with_rotations: RawClip, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    moved = there / "CMU" / "01" / "01_01_poses.npz"
    moved.parent.mkdir(parents=True)
    moved.write_bytes(with_rotations.ref.path.read_bytes())
    here = normalise(with_rotations)
    clip = normalise(replace(with_rotations, ref=replace(with_rotations.ref, path=moved, root=there)))
    assert (clip.clip_id, clip.provenance) == (here.clip_id, here.provenance)


def test_a_clip_id_is_half_a_sha256_over_canonical_json() -> None:
    text = '["lafan1","walk1_subject1",null]'
    assert clip_id("lafan1", "walk1_subject1") == hashlib.sha256(text.encode()).hexdigest()[:32]
    assert clip_id("lafan1", "walk1_subject1", (0.0, 1.5)) != clip_id("lafan1", "walk1_subject1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"joints": lambda joints: joints[:1]}, "too_short"),
        ({"joints": lambda joints: joints[:0]}, "too_short"),
        ({"joints": lambda joints: np.where(np.arange(FRAMES)[:, None, None] == 7, np.nan, joints)}, "non_finite"),
        ({"joints": lambda joints: joints * 100}, "implausible_size"),
        ({"joints": lambda joints: joints * [-1, 1, 1]}, "left_right_exchanged"),
        ({"joints": lambda joints: joints * [1, -1, -1]}, "upside_down"),
        ({"fps": Fraction(0)}, "bad_frame_rate"),
        ({"fps": Fraction(10**300)}, "bad_frame_rate"),
        ({"joints": lambda joints: joints + np.array([1e5, 0, 0])}, "implausible_place"),
        ({"betas": np.full(16, 1e200)}, "non_finite"),
        ({"valid": (12, 12)}, "no_valid_frames"),
        ({"valid": (0, 13)}, "no_valid_frames"),
    ],
)
def test_what_cannot_be_true_is_refused(with_joints: RawClip, change: dict[str, object], reason: str) -> None:
    joints = with_joints.joints_TJ3
    assert joints is not None
    values = {name: value for name, value in change.items() if name != "joints"}
    if "joints" in change:
        values["joints_TJ3"] = change["joints"](joints)  # type: ignore[operator]
    with pytest.raises(ClipError) as caught:
        normalise(replace(with_joints, **values))  # type: ignore[arg-type]
    assert caught.value.reason == reason
    assert str(with_joints.ref.path) in str(caught.value)


def test_the_first_bad_frame_is_named(with_rotations: RawClip) -> None:
    assert with_rotations.root_T3 is not None
    root = with_rotations.root_T3.copy()
    root[5:8, 1] = np.inf
    with pytest.raises(ClipError, match="root is not finite in 3 of 12 frames, first in frame 5"):
        normalise(replace(with_rotations, root_T3=root))


def test_shipped_features_are_passed_on_untouched_and_a_doubt_becomes_a_flag(with_joints: RawClip) -> None:
    joints = with_joints.joints_TJ3
    assert joints is not None
    shipped = Shipped(representation="hml263@20/compat", features_TD=np.ones((FRAMES, 263)))
    clip = normalise(replace(with_joints, joints_TJ3=joints * [-1, 1, 1], shipped=shipped, flags=("mirrored",)))
    assert clip.shipped is shipped
    assert clip.flags == ("mirrored", "left_right_exchanged")


def test_a_clip_with_both_or_neither_kind_of_motion_is_a_mistake_of_ours(with_joints: RawClip) -> None:
    with pytest.raises(ValueError, match="either rotations or joints"):
        normalise(replace(with_joints, joints_TJ3=None))
    with pytest.raises(ValueError, match="either rotations or joints"):
        normalise(replace(with_joints, quats_TJ4=motion()[0]))


def test_a_stated_axis_that_the_motion_contradicts_is_refused(with_joints: RawClip) -> None:
    joints = with_joints.joints_TJ3
    assert joints is not None
    walk = joints - joints[:, :1] + np.linspace(0, 1.5, FRAMES)[:, None, None] * [0, 0, 1]
    z_up = np.stack([walk[..., 0], -walk[..., 2], walk[..., 1]], axis=-1)
    assert normalise(replace(with_joints, joints_TJ3=z_up, up="z")).flags == ()
    with pytest.raises(ClipError, match="walks the way it faces") as caught:
        normalise(replace(with_joints, joints_TJ3=z_up, up="y"))
    assert caught.value.reason == "axis_disagrees"


def test_a_path_in_another_unit_than_the_body_is_refused(with_rotations: RawClip) -> None:
    root = with_rotations.root_T3
    assert root is not None
    with pytest.raises(ClipError, match="the path is in another unit than the bones") as caught:
        normalise(replace(with_rotations, root_T3=root * 94))
    assert caught.value.reason == "unit_disagrees"


def test_what_is_odd_within_the_valid_frames_becomes_a_flag(with_rotations: RawClip) -> None:
    root = with_rotations.root_T3
    assert root is not None
    leaping = root.copy()
    leaping[:3] += 1.0
    odd = replace(with_rotations, root_T3=leaping, hands_T90=np.ones((FRAMES, 90)))
    assert normalise(odd).flags == ("known_bad", "fast_root", "fast_joint", "frozen_hands")
    assert normalise(replace(odd, valid=(3, FRAMES))).flags == ("known_bad", "frozen_hands")


def test_a_frame_rate_that_jumps_contradict_is_flagged_and_kept(with_joints: RawClip) -> None:
    time = np.arange(360) / 60
    since = time % 2 - 1
    up = np.where((since > 0) & (since < 0.5), 9.81 / 2 * since * (0.5 - since), 0.0)
    joints = forward_kinematics(
        np.stack([0 * time, 0.93 + up, 0 * time], axis=-1), np.tile([1.0, 0, 0, 0], (360, 22, 1)),
        TEMPLATE.offsets_22x3, SMPL22_PARENTS,
    )  # fmt: skip
    clip = normalise(replace(with_joints, joints_TJ3=joints, fps=Fraction(120), labels={"content": "jump"}))
    assert clip.fps == 120
    assert clip.flags == ("fps_suspect",)
    assert clip.labels["content"] == "jump"
    assert 57 < float(clip.labels["fps_estimate"]) < 63
    assert clip.labels["fps_evidence"] == "free fall, 3 jumps"
    assert normalise(replace(with_joints, joints_TJ3=joints, fps=Fraction(60))).flags == ()
