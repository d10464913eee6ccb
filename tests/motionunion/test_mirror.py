from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.mirror import TWINS, is_mirrored, mirrored
from motionunion.motion import Motion, posed
from motionunion.skeleton import SMPL22_NAMES

PAIRS = ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21))
MIRROR = np.diag([-1.0, 1.0, 1.0])


def somebody(frames: int = 7, **more: object) -> Motion:
    random = np.random.default_rng(3)
    quats = rotation.from_rotvec(random.normal(0, 0.6, (frames, 22, 3)))
    offsets = TEMPLATE.offsets_22x3 + random.normal(0, 0.01, (22, 3))  # no body's sides are quite alike
    return posed(Fraction(20), random.normal(0, 1, (frames, 3)), quats, offsets, **more)  # type: ignore[arg-type]


def test_twins_are_the_joints_of_the_other_side() -> None:
    assert [(a, b) for a, b in enumerate(TWINS) if a < b] == list(PAIRS)
    assert [SMPL22_NAMES[a] for a, b in enumerate(TWINS) if a == b] == [
        "pelvis",
        "spine1",
        "spine2",
        "spine3",
        "neck",
        "head",
    ]


def test_joints_are_reflected_and_the_sides_exchanged() -> None:
    motion = somebody()
    image = mirrored(motion)
    for left, right in PAIRS:
        np.testing.assert_array_equal(image.joints_T22x3[:, left], motion.joints_T22x3[:, right] * [-1, 1, 1])
    np.testing.assert_array_equal(image.joints_T22x3[:, 15], motion.joints_T22x3[:, 15] * [-1, 1, 1])


def test_mirrored_rotations_pose_the_mirrored_joints_of_a_body_with_unlike_sides() -> None:
    motion = somebody()
    image = mirrored(motion)
    again = posed(image.fps, *(image.pose()[order] for order in (1, 0, 2)))
    np.testing.assert_allclose(again.joints_T22x3, image.joints_T22x3, atol=1e-12)


def test_rotations_are_those_of_matrices_between_two_mirrors() -> None:
    motion = somebody()
    image = mirrored(motion)
    assert motion.quats_T22x4 is not None
    assert image.quats_T22x4 is not None
    before = Rotation.from_quat(motion.quats_T22x4[:, 17][:, [1, 2, 3, 0]]).as_matrix()
    after = Rotation.from_quat(image.quats_T22x4[:, 16][:, [1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(after, MIRROR @ before @ MIRROR, atol=1e-12)


def test_a_mirror_image_of_a_mirror_image_is_the_motion() -> None:
    random = np.random.default_rng(1)
    face = {"jaw": random.normal(size=(7, 3)), "eyes": random.normal(size=(7, 6))}
    motion = somebody(hands_T90=random.normal(size=(7, 90)), face=face, gender="female", betas=random.normal(size=10))
    twice = mirrored(mirrored(motion))
    for name in ("joints_T22x3", "quats_T22x4", "root_T3", "offsets_22x3", "hands_T90", "betas"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(motion, name))
    assert (twice.gender, twice.fps) == ("female", Fraction(20))
    for name, values in face.items():
        np.testing.assert_array_equal(twice.face[name], values)


def test_a_left_index_finger_becomes_a_right_index_finger() -> None:
    hands = np.zeros((7, 90))
    hands[:, :3] = [0.1, 0.2, 0.3]  # the first joint of the left index
    image = mirrored(somebody(hands_T90=hands))
    assert image.hands_T90 is not None
    np.testing.assert_array_equal(image.hands_T90[:, 45:48], np.tile([0.1, -0.2, -0.3], (7, 1)))
    assert not image.hands_T90[:, :45].any()


def test_joints_alone_stay_joints_alone_and_an_expression_is_left_out() -> None:
    joints = np.random.default_rng(2).normal(size=(5, 22, 3))
    image = mirrored(Motion(fps=Fraction(20), joints_T22x3=joints, face={"expression": np.ones((5, 10))}))
    assert not image.has_rotations
    assert dict(image.face) == {}
    np.testing.assert_array_equal(image.joints_T22x3[:, 1], joints[:, 2] * [-1, 1, 1])


@pytest.mark.parametrize(
    ("layer", "name", "said"),
    [
        ("humanml3d", "M004822", True),
        ("humanml3d", "004822", False),
        ("kitml", "M00001", False),
        (None, "M004822", False),
    ],
)
def test_an_id_of_humanml3d_says_by_an_m_that_it_is_a_mirror_image(layer: str | None, name: str, said: bool) -> None:
    assert is_mirrored(layer, name) is said
