"""SMPL parameters, Motion-X's 322 and plain joints: vectors that hold what they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from motionunion.body import SMPLX_PELVIS_3, SMPLX_TEMPLATE, TEMPLATE
from motionunion.clip import Clip
from motionunion.errors import ClipError, UsageError
from motionunion.motion import Motion, posed
from motionunion.representations import decode, decode_motion, encode, registry
from motionunion.representations.heading_free import heading_free
from motionunion.resample import motion_at

MakeClip = Callable[..., Clip]
PARAMETERS = ("smpl22@30", "smplx322@30")


def degrees_apart(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    first, second = (
        Rotation.from_quat(np.asarray(quats, dtype=np.float64).reshape(-1, 4), scalar_first=True)
        for quats in (one, other)
    )
    return float(np.rad2deg((first.inv() * second).magnitude().max()))


def of_model(clip_of: MakeClip, model: str, **changes: object) -> Motion:
    """A motion of a body model's parameters, at 30 frames a second."""
    clip = clip_of(frames=40, fps=Fraction(30), body="model", labels={"model": model}, gender="female")
    random = np.random.default_rng(8)
    tracks = {"jaw": 3, "eyes": 6, "expression": 12} if model == "smplx" else {}
    given = {
        "betas": random.normal(size=16).astype(np.float32),
        "hands_T90": random.normal(0, 0.3, (40, 90)).astype(np.float32) if model != "smpl" else None,
        "face": {name: random.normal(0, 0.1, (40, width)).astype(np.float32) for name, width in tracks.items()},
        "offsets_22x3": np.asarray(TEMPLATE.offsets_22x3 + random.normal(0, 0.01, (22, 3)), dtype=np.float32),
    }
    return motion_at(replace(clip, **(given | changes)), 30)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "representation"), [("smpl", "smpl22@30"), ("smplh", "smpl22@30"), ("smplx", "smplx322@30")]
)
def test_parameters_of_the_own_model_are_kept(clip_of: MakeClip, model: str, representation: str) -> None:
    motion = of_model(clip_of, model)
    quats, root, offsets = motion.pose()
    features = encode(motion, representation)
    trans, betas = (
        (slice(72, 75), slice(75, 85)) if representation == "smpl22@30" else (slice(309, 312), slice(312, 322))
    )
    assert motion.betas is not None
    np.testing.assert_allclose(features[:, trans], np.asarray(root) - offsets[0], atol=1e-6)
    np.testing.assert_array_equal(features[:, betas], np.tile(motion.betas[:10], (40, 1)))
    decoded = decode_motion(features, representation)
    assert decoded.quats_T22x4 is not None
    assert degrees_apart(decoded.quats_T22x4, quats) < 1e-4
    assert decoded.model == ("smplx" if model == "smplx" else "smpl")
    np.testing.assert_allclose(encode(decoded, representation)[:, :66], features[:, :66], atol=1e-6)
    again = encode(decoded, representation)
    # Eyes are the one track that 322 has no place for.
    np.testing.assert_allclose(again, features, atol=1e-6)


def test_fingers_and_face_are_where_motion_x_has_them(clip_of: MakeClip) -> None:
    motion = of_model(clip_of, "smplx")
    features = encode(motion, "smplx322@30")
    assert motion.hands_T90 is not None
    np.testing.assert_array_equal(features[:, 66:156], motion.hands_T90)
    np.testing.assert_array_equal(features[:, 156:159], motion.face["jaw"])
    np.testing.assert_array_equal(features[:, 159:171], motion.face["expression"])
    np.testing.assert_array_equal(features[:, 171:309], 0.0)
    decoded = decode_motion(features, "smplx322@30")
    np.testing.assert_array_equal(decoded.hands_T90, features[:, 66:156])
    np.testing.assert_array_equal(decoded.face["jaw"], features[:, 156:159])


def test_expressions_beyond_fifty_are_left_out(clip_of: MakeClip) -> None:
    expression = np.random.default_rng(1).normal(size=(40, 100)).astype(np.float32)
    features = encode(of_model(clip_of, "smplx", face={"expression": expression}), "smplx322@30")
    np.testing.assert_array_equal(features[:, 159:209], expression[:, :50])
    np.testing.assert_array_equal(features[:, 209:309], 0.0)


@pytest.mark.parametrize(
    ("representation", "pelvis"), [("smpl22@30", TEMPLATE.pelvis_3), ("smplx322@30", SMPLX_PELVIS_3)]
)
def test_another_skeleton_takes_the_rest_pelvis_and_shape_of_the_mean(
    clip_of: MakeClip, representation: str, pelvis: npt.NDArray[np.float64]
) -> None:
    """Pelvis = trans + rest pelvis must hold for whoever poses the model with these numbers."""
    motion = motion_at(clip_of(frames=40, fps=Fraction(30)), 30)
    assert motion.model is None
    decoded = decode_motion(encode(motion, representation), representation)
    np.testing.assert_allclose(decoded.joints_T22x3[:, 0], motion.joints_T22x3[:, 0], atol=1e-6)
    features = encode(motion, representation)
    trans = features[:, 72:75] if representation == "smpl22@30" else features[:, 309:312]
    np.testing.assert_allclose(trans + pelvis, motion.joints_T22x3[:, 0], atol=1e-6)
    np.testing.assert_array_equal(features[:, -10:], 0.0)


def test_betas_of_one_family_mean_nothing_to_the_other(clip_of: MakeClip) -> None:
    np.testing.assert_array_equal(encode(of_model(clip_of, "smplh"), "smplx322@30")[:, 312:], 0.0)
    np.testing.assert_array_equal(encode(of_model(clip_of, "smplx"), "smpl22@30")[:, 75:], 0.0)


def test_both_templates_stand_at_the_height_of_their_model() -> None:
    np.testing.assert_array_equal(SMPLX_TEMPLATE.offsets_22x3[1:], TEMPLATE.offsets_22x3[1:])
    assert TEMPLATE.pelvis_3[1] - SMPLX_TEMPLATE.pelvis_3[1] == pytest.approx(0.128, abs=0.001)


@pytest.mark.parametrize("representation", PARAMETERS)
def test_a_rotation_vector_longer_than_half_a_turn_is_the_same_rotation(representation: str) -> None:
    rows = np.zeros((3, registry.get(representation).dims))
    rows[:, 1] = [3.0, 3.3, 6.0]
    motion = decode_motion(rows, representation)
    again = decode_motion(encode(motion, representation), representation)
    assert motion.quats_T22x4 is not None
    assert again.quats_T22x4 is not None
    assert degrees_apart(motion.quats_T22x4, again.quats_T22x4) < 1e-4


@pytest.mark.parametrize("representation", PARAMETERS)
def test_parameters_are_not_made_up_from_joints(clip_of: MakeClip, representation: str) -> None:
    with pytest.raises(ClipError, match="joints alone"):
        encode(motion_at(clip_of(joints=True), 30), representation)


@pytest.mark.parametrize("representation", [*PARAMETERS, "joints22@30"])
def test_what_is_no_motion_is_refused(clip_of: MakeClip, representation: str) -> None:
    motion = motion_at(clip_of(frames=10, fps=Fraction(30)), 30)
    quats, root, offsets = motion.pose()
    with pytest.raises(ClipError, match="not finite"):
        encode(posed(Fraction(30), np.asarray(root) * np.nan, quats, offsets), representation)
    dims = registry.get(representation).dims
    for shape in ((4, dims + 1), (0, dims), (dims,)):
        with pytest.raises(ClipError, match="shape"):
            decode(np.zeros(shape), representation)


@pytest.mark.parametrize("joints", [True, False])
def test_plain_joints_are_the_joints(clip_of: MakeClip, joints: bool) -> None:
    motion = motion_at(clip_of(joints=joints), 20)
    features = encode([motion], "joints22@20")[0]
    np.testing.assert_array_equal(features, motion.joints_T22x3.reshape(-1, 66).astype(np.float32))
    np.testing.assert_array_equal(decode(features, "joints22@20"), motion.joints_T22x3.astype(np.float32))
    assert decode_motion(features, "joints22@20").fps == 20
    with pytest.raises(ClipError, match="22, 3"):
        encode(np.zeros((5, 24, 3)), "joints22@20", fps=20)


@pytest.mark.parametrize("rate", ["20", "12.5", "29.97", "59.94", "120", "0.5"])
def test_plain_joints_and_parameters_exist_at_any_rate(rate: str) -> None:
    for family in ("joints22", "smpl22"):
        entry = registry.get(f"{family}@{rate}")
        assert (entry.id, entry.rate) == (f"{family}@{rate}", Fraction(rate))
    assert registry.get("joints22@20").parameter_hash != registry.get(f"smpl22@{rate}").parameter_hash


@pytest.mark.parametrize(
    "rate", ["", "0", "0.0", "20.0", "020", "-20", "1e3", "30000/1001", "nan", "20 ", "٢٠", "1234567"]
)
def test_a_rate_is_spelt_in_one_way(rate: str) -> None:
    with pytest.raises(UsageError, match="<rate>"):
        registry.get(f"joints22@{rate}")


@pytest.mark.parametrize("representation", ["joints22@30", *PARAMETERS])
def test_heading_free_joints_know_neither_place_nor_direction(clip_of: MakeClip, representation: str) -> None:
    motion = motion_at(clip_of(frames=20, fps=Fraction(30)), 30)
    quats, root, offsets = motion.pose()
    turn = Rotation.from_euler("y", 130, degrees=True)
    turned = np.array(quats)
    turned[:, 0] = (turn * Rotation.from_quat(turned[:, 0], scalar_first=True)).as_quat(scalar_first=True)
    moved = posed(Fraction(30), turn.apply(root) + np.array([3, 0, -2]), turned, offsets)
    free = registry.get(representation).decode_heading_free_batch
    one, other = free([encode(motion, representation), encode(moved, representation)])
    np.testing.assert_allclose(one, other, atol=1e-5)
    leftwards = (one[:, [1, 16]] - one[:, [2, 17]]).sum(axis=1)
    assert (leftwards[:, 0] > 0).all()
    np.testing.assert_allclose(leftwards[:, 2], 0.0, atol=1e-6)


def test_a_body_whose_sides_tell_no_direction_is_not_turned() -> None:
    np.testing.assert_array_equal(heading_free(np.zeros((2, 22, 3))), 0.0)
