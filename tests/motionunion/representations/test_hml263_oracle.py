"""hml263@20 against its own definition, taken literally: frame by frame, bone by bone, with scipy's rotations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionunion.representations import encode
from motionunion.representations import hml263_layout as layout
from motionunion.representations.hml263_heading import true_heading
from motionunion.rotation import shortest_arc
from motionunion.skeleton import SMPL22_PARENTS

Array = npt.NDArray[np.float64]
Motion = Callable[..., Array]
LENGTHS = layout.TARGET_LENGTHS_22


def literal(joints: Array) -> Array:
    """Features of an upright motion (T, 22, 3), from the page that defines them."""
    directions = np.zeros_like(joints)
    for joint in range(1, 22):
        bone = joints[:, joint] - joints[:, SMPL22_PARENTS[joint]]
        directions[:, joint] = bone / np.linalg.norm(bone, axis=-1, keepdims=True)
    leg = sum(np.linalg.norm(joints[0, joint] - joints[0, SMPL22_PARENTS[joint]]) for joint in (5, 8))
    placed = np.zeros_like(joints)
    placed[:, 0] = joints[:, 0] * (LENGTHS[5] + LENGTHS[8]) / leg
    for joint in range(1, 22):
        placed[:, joint] = placed[:, SMPL22_PARENTS[joint]] + LENGTHS[joint] * directions[:, joint]
    placed -= [placed[0, 0, 0], placed[..., 1].min(), placed[0, 0, 2]]

    yaws = []
    for frame in directions:
        mean = {
            side: 0.5 * (LENGTHS[left] + LENGTHS[left + 1]) for side, left in (("hip", 1), ("collar", 13), ("arm", 16))
        }
        left = mean["hip"] * (frame[1] - frame[2]) + mean["collar"] * (frame[13] - frame[14])
        left = left + mean["arm"] * (frame[16] - frame[17])
        ahead = np.cross(left, [0.0, 1.0, 0.0])
        yaws.append(np.arctan2(ahead[0], ahead[2]))
    placed = Rotation.from_rotvec([0, -yaws[0], 0]).apply(placed.reshape(-1, 3)).reshape(placed.shape)
    to_heading = [Rotation.from_rotvec([0, yaws[0] - yaw, 0]) for yaw in yaws]

    rows = np.zeros((len(joints) - 1, 263))
    for t in range(len(rows)):
        rows[t, 0] = 0.5 * (to_heading[t + 1] * to_heading[t].inv()).as_rotvec()[1]
        rows[t, 1:3] = to_heading[t + 1].apply(placed[t + 1, 0] - placed[t, 0])[[0, 2]]
        rows[t, 3] = placed[t, 0, 1]
        rows[t, 4:67] = to_heading[t].apply(placed[t, 1:] - placed[t, 0] * [1, 0, 1]).ravel()
        own = [Rotation.identity()] * 22
        for joint in range(1, 22):
            parent = SMPL22_PARENTS[joint]
            seen = to_heading[t].apply(placed[t, joint] - placed[t, parent])
            own[joint] = Rotation.from_quat(shortest_arc(layout.REST_DIRECTIONS_22x3[joint], seen), scalar_first=True)
            matrix = (own[parent].inv() * own[joint]).as_matrix()
            rows[t, 67 + 6 * (joint - 1) : 73 + 6 * (joint - 1)] = np.r_[matrix[:, 0], matrix[:, 1]]
        step = placed[t + 1] - placed[t]
        rows[t, 193:259] = to_heading[t].apply(step).ravel()
        rows[t, 259:] = (step[[7, 10, 8, 11]] ** 2).sum(axis=-1) < 0.002
    return rows


@pytest.mark.parametrize("turn_rad", [0.0, 0.05, -0.4, 2.0])
def test_features_are_what_their_definition_says(make_motion: Motion, turn_rad: float) -> None:
    joints = make_motion(40, 21, turn_rad=turn_rad)
    np.testing.assert_allclose(encode(joints, "hml263@20", fps=20), literal(joints), rtol=0, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 55.0), st.floats(-180, 180), st.floats(-180, 180))
def test_upright_the_heading_is_across_hips_and_shoulders(tilt: float, around: float, yaw: float) -> None:
    bones = body_at(tilt, around, yaw)
    cosine, sine = true_heading(bones, np.array([0]), np.array([1]))
    left = bones[:, 13 - 1, 0]
    ahead = np.cross(left, [0.0, 1.0, 0.0])
    np.testing.assert_allclose([-sine[0], cosine[0]], ahead[[0, 2]] / np.linalg.norm(ahead[[0, 2]]), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(81.0, 156.0), st.floats(-180, 180), st.floats(-179, 179))
def test_lying_the_heading_is_the_turn_before_the_tilt(tilt: float, around: float, yaw: float) -> None:
    cosine, sine = true_heading(body_at(tilt, around, yaw), np.array([0]), np.array([1]))
    np.testing.assert_allclose(np.degrees(np.arctan2(-sine[0], cosine[0])), yaw, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 156.0), st.floats(-180, 180), st.floats(-180, 180))
def test_the_heading_does_not_jump_anywhere_but_upside_down(tilt: float, around: float, yaw: float) -> None:
    headings = []
    for more in (0.0, 0.5):
        cosine, sine = true_heading(body_at(tilt + more, around, yaw), np.array([0]), np.array([1]))
        headings.append(np.arctan2(-sine[0], cosine[0]))
    assert abs(np.degrees(np.angle(np.exp(1j * (headings[1] - headings[0]))))) < 5.0


def body_at(tilt_deg: float, around_deg: float, yaw_deg: float) -> Array:
    """Bones (3, 21, 1) of the resting target, turned by a yaw and then tipped by a tilt about a level axis."""
    axis = Rotation.from_euler("Y", around_deg, degrees=True).apply([1.0, 0.0, 0.0])
    turn = Rotation.from_rotvec(np.radians(tilt_deg) * axis) * Rotation.from_euler("Y", yaw_deg, degrees=True)
    bones: Array = turn.apply(layout.REST_DIRECTIONS_22x3[1:]).T[:, :, None]
    return bones
