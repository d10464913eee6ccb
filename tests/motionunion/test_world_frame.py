from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion import rotation, world_frame
from motionunion.body import TEMPLATE
from motionunion.clip import Clip, ClipRef, RawClip
from motionunion.errors import ClipError
from motionunion.joint_map import JointMap, Place
from motionunion.kinematics import forward_kinematics
from motionunion.measure import AXES
from motionunion.normalise import normalise
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton

FloatArray = npt.NDArray[np.float64]
FRAMES = 40


def motion() -> tuple[FloatArray, FloatArray]:
    """Local rotations and root path of a walk, +Y up, metres."""
    phase = np.linspace(0, 2 * np.pi, FRAMES)
    rotvecs = np.random.default_rng(3).normal(0, 0.1, (FRAMES, 22, 3))
    rotvecs[:, 1, 0] += 0.4 * np.sin(phase)
    rotvecs[:, 2, 0] -= 0.4 * np.sin(phase)
    return rotation.from_rotvec(rotvecs), np.stack([0 * phase, 0.93 + 0 * phase, 0.4 * phase], axis=-1)


def joints_of(quats: FloatArray, root: FloatArray) -> FloatArray:
    return forward_kinematics(root, quats, TEMPLATE.offsets_22x3, SMPL22_PARENTS)


@pytest.fixture
def raw(tmp_path: Path) -> RawClip:
    path = tmp_path / "a.npz"
    path.write_bytes(b"a")
    quats, root = motion()
    return RawClip(
        ref=ClipRef(source="amass_smplh", key="a", uid="amass/a", path=path, root=tmp_path),
        fps=Fraction(30), up="y", unit_m=1.0, skeleton=Skeleton(SMPL22_NAMES, SMPL22_PARENTS, TEMPLATE.offsets_22x3),
        skeleton_id="smpl22", body="template", quats_TJ4=quats, root_T3=root,
    )  # fmt: skip


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Pretend that the source's manifest says so."""

    def say(up: str, unit_m: str) -> None:
        monkeypatch.setattr(world_frame, "source_manifest", lambda _: {"up": up, "unit_m": unit_m})

    return say


def with_joints(raw: RawClip, joints: FloatArray, **changes: object) -> RawClip:
    return replace(raw, quats_TJ4=None, root_T3=None, joints_TJ3=joints, **changes)  # type: ignore[arg-type]


def assert_same(clip: Clip, wanted: FloatArray) -> None:
    assert clip.joints_T22x3 is not None
    np.testing.assert_allclose(clip.joints_T22x3, wanted, atol=1e-6)


def posed(raw: RawClip) -> FloatArray:
    clip = normalise(raw)
    assert clip.rotvecs_T22x3 is not None
    assert clip.root_T3 is not None
    assert clip.offsets_22x3 is not None
    return forward_kinematics(clip.root_T3, rotation.from_rotvec(clip.rotvecs_T22x3), clip.offsets_22x3, SMPL22_PARENTS)


@pytest.mark.parametrize("axis", list(AXES))
def test_every_axis_comes_to_y_by_a_proper_rotation(axis: str) -> None:
    matrix = rotation.to_matrix(world_frame.TO_Y_UP[axis])
    np.testing.assert_allclose(matrix @ np.array(AXES[axis]), [0, 1, 0], atol=1e-15)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_allclose(np.abs(matrix).max(axis=0), 1)  # axes go to axes


@pytest.mark.parametrize("axis", list(AXES))
def test_rotations_and_joints_of_any_axis_give_the_same_motion(raw: RawClip, axis: str) -> None:
    wanted = joints_of(*motion())
    back = rotation.conjugate(world_frame.TO_Y_UP[axis])
    assert raw.quats_TJ4 is not None
    assert raw.root_T3 is not None
    quats = np.array(raw.quats_TJ4)
    quats[:, 0] = rotation.multiply(back, quats[:, 0])
    in_file = replace(raw, up=axis, quats_TJ4=quats, root_T3=rotation.rotate(back, raw.root_T3))
    np.testing.assert_allclose(posed(in_file), wanted, atol=1e-6)
    clip = normalise(with_joints(raw, rotation.rotate(back, wanted), up=axis))
    assert_same(clip, wanted)
    assert clip.provenance["up"] == axis


@pytest.mark.parametrize("axis", ["y", "x", "-z"])
def test_a_file_in_left_handed_axes_is_mirrored_back_without_exchanging_joints(raw: RawClip, axis: str) -> None:
    """The file: the same motion, its axes turned so that `axis` is up, and then X counted the other way."""
    mirror = np.array([-1.0, 1.0, 1.0])
    quats, root = motion()
    wanted = joints_of(quats, root)
    flipped = {"x": "-x"}.get(axis, axis)  # where up points once X is counted the other way
    back = rotation.conjugate(world_frame.TO_Y_UP[flipped])
    clip = normalise(with_joints(raw, rotation.rotate(back, wanted) * mirror, up=axis, reflected=True))
    assert_same(clip, wanted)
    assert clip.provenance["reflected"] == "x"

    in_file = np.array(quats)
    in_file[:, 0] = rotation.multiply(back, in_file[:, 0])
    in_file *= [1.0, 1.0, -1.0, -1.0]
    skeleton = Skeleton(SMPL22_NAMES, SMPL22_PARENTS, TEMPLATE.offsets_22x3 * mirror)
    hands = np.arange(FRAMES * 90, dtype=np.float64).reshape(FRAMES, 90)
    left = replace(
        raw, up=axis, reflected=True, skeleton=skeleton, quats_TJ4=in_file, hands_T90=hands,
        root_T3=rotation.rotate(back, root) * mirror,
    )  # fmt: skip
    np.testing.assert_allclose(posed(left), wanted, atol=1e-6)
    kept = normalise(left).hands_T90
    assert kept is not None
    np.testing.assert_array_equal(kept[:, 0::3], hands[:, 0::3])
    np.testing.assert_array_equal(kept[:, 1::3], -hands[:, 1::3])
    assert "reflected" not in normalise(raw).provenance


def test_axis_and_unit_are_measured_where_the_manifest_says_so(
    raw: RawClip, allowed: Callable[[str, str], None]
) -> None:
    wanted = joints_of(*motion())
    camera = rotation.rotate(rotation.from_rotvec([np.pi, 0, 0]), wanted) * 1000
    allowed("measured", "measured")
    clip = normalise(with_joints(raw, camera, up="measured", unit_m=None))
    assert_same(clip, wanted)
    assert (clip.provenance["up"], clip.provenance["unit_m"]) == ("-y", "0.001")
    assert clip.provenance["measured_up"].startswith("-y (0.9")
    assert clip.provenance["measured_unit_m"].startswith("0.001 (0.9")
    unmeasured = normalise(with_joints(raw, wanted))
    assert not [key for key in unmeasured.provenance if key.startswith("measured")]


@pytest.mark.parametrize("change", [{"up": "measured"}, {"unit_m": None}])
def test_a_reader_may_not_measure_behind_its_manifests_back(raw: RawClip, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="its manifest does not let"):
        normalise(replace(raw, **change))  # type: ignore[arg-type]


def test_what_the_motion_does_not_tell_is_refused_and_to_be_stated(
    raw: RawClip, allowed: Callable[[str, str], None]
) -> None:
    allowed("measured", "measured")
    joints = joints_of(*motion())
    tumbling = rotation.rotate(rotation.from_rotvec([[0.7 * t, 0, 0] for t in range(FRAMES)])[:, None], joints)
    with pytest.raises(ClipError, match="which axis points up is not stated, and the motion does not tell") as caught:
        normalise(with_joints(raw, tumbling, up="measured"))
    assert caught.value.reason == "unknown_axis"
    with pytest.raises(ClipError, match="the length unit is not stated") as caught:
        normalise(with_joints(raw, joints * 24, unit_m=None))
    assert caught.value.reason == "unknown_unit"


def test_an_axis_that_is_none_is_a_mistake_of_ours(raw: RawClip) -> None:
    with pytest.raises(ValueError, match="up is 'Y'"):
        normalise(replace(raw, up="Y"))


def test_positions_of_another_skeleton_come_through_its_map(raw: RawClip) -> None:
    """Joints in reverse order, without the left foot: a stand-in on the shin takes its place, and is masked."""
    joints = joints_of(*motion())
    names = tuple(f"joint_{name}" for name in reversed(SMPL22_NAMES) if name != "left_foot")
    order = [SMPL22_NAMES.index(name.removeprefix("joint_")) for name in names]
    places = [Place(f"joint_{name}", f"joint_{name}", f"joint_{name}") for name in SMPL22_NAMES]
    places[10] = Place("joint_left_ankle", "joint_left_knee", "joint_left_ankle", 1.2, masked=True)
    own = JointMap(skeleton_id="own", title="own", names=(names,), places=tuple(places))
    skeleton = Skeleton(names, (-1, *([0] * 20)), np.zeros((21, 3)))
    clip = normalise(with_joints(raw, joints[:, order], skeleton=skeleton, skeleton_id="own", joint_map=own))
    kept = [index for index in range(22) if index != 10]
    np.testing.assert_allclose(clip.joints_T22x3[:, kept], joints[:, kept], atol=1e-6)  # type: ignore[index]
    assert clip.joint_mask.tolist() == [index != 10 for index in range(22)]
    assert clip.kind == "joints"
