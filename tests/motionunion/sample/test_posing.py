"""Motions are possible for a body: feet stay, knees bend one way, nothing jumps, and left is left."""

from __future__ import annotations

import numpy as np
import pytest

from motionunion import rotation
from motionunion.body import TEMPLATE
from motionunion.kinematics import global_rotations
from motionunion.sample.choreography import Choreography
from motionunion.sample.posing import pose_body
from motionunion.skeleton import SMPL22_PARENTS

FPS = 60.0
LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))


def test_a_planted_foot_does_not_slide(shown):
    for clip in shown:
        for foot, (_, _, ankle, toe) in enumerate(LEGS):
            speeds = np.linalg.norm(np.diff(clip.joints, axis=0), axis=-1) * FPS
            planted = clip.posed.planted_T2[1:, foot] & clip.posed.planted_T2[:-1, foot]
            # While it rolls, either the heel or the toe joint is what stands: one of the two is still.
            still = np.minimum(speeds[:, ankle], speeds[:, toe])[planted]
            assert still.size == 0 or np.percentile(still, 99) < 0.12, (clip.action, float(still.max()))


def test_feet_stay_above_the_ground(shown):
    for clip in shown:
        assert clip.joints[..., 1].min() > -0.03, clip.action


def test_somebody_stands_on_the_ground_in_every_action(shown):
    for clip in shown:
        assert clip.joints[:, [10, 11], 1].min() < 0.05, clip.action


def test_knees_bend_backward_only(shown):
    for clip in shown:
        world = global_rotations(clip.posed.quats_T22x4, SMPL22_PARENTS)
        for hip, knee, ankle, _ in LEGS:
            ahead = rotation.rotate(world[:, hip], np.array([0.0, 0.0, 1.0]))
            straight = (clip.joints[:, hip] + clip.joints[:, ankle]) / 2
            assert np.sum((clip.joints[:, knee] - straight) * ahead, axis=-1).min() > -0.02, clip.action


def test_elbows_and_knees_fold_no_further_than_flesh_allows(shown):
    for clip in shown:
        for joint in (4, 5, 18, 19):
            angle = np.linalg.norm(rotation.to_rotvec(clip.posed.quats_T22x4[:, joint]), axis=-1)
            assert angle.max() < np.radians(160), (clip.action, joint)


def test_no_joint_moves_faster_than_people_move(shown):
    for clip in shown:
        speed = np.linalg.norm(np.diff(clip.joints, axis=0), axis=-1).max() * FPS
        assert speed < 17.0, (clip.action, speed)


def test_local_rotations_never_snap(shown):
    for clip in shown:
        between = rotation.multiply(rotation.conjugate(clip.posed.quats_T22x4[:-1]), clip.posed.quats_T22x4[1:])
        turned = np.linalg.norm(rotation.to_rotvec(between), axis=-1).max() * FPS
        assert turned < 45.0, (clip.action, turned)  # rad/s


@pytest.mark.parametrize(("action", "clearance_m"), [("jump", 0.08), ("run", 0.03)])
def test_both_feet_leave_the_ground_when_jumping_and_running(shown, action, clearance_m):
    for clip in shown:
        if clip.action == action:  # a toe joint stands at 0.02 m
            assert (clip.joints[:, [10, 11], 1].min(axis=1) > clearance_m).any(), clip.texts


def test_walking_never_leaves_the_ground(shown):
    for clip in shown:
        if clip.action == "walk":
            assert clip.joints[:, [10, 11], 1].min(axis=1).max() < 0.05


def test_reaching_targets_puts_the_wrist_where_the_script_says():
    score = Choreography()
    score.move("left_wrist", -1.0, -0.5, (0.5, 0.0, 0.6))
    posed = pose_body(score, np.array([0.0, 0.1]), 1.0, TEMPLATE.offsets_22x3)
    from motionunion.kinematics import forward_kinematics

    joints = forward_kinematics(posed.root_T3, posed.quats_T22x4, TEMPLATE.offsets_22x3, SMPL22_PARENTS)
    length = sum(np.linalg.norm(TEMPLATE.offsets_22x3[[18, 20]], axis=-1))
    np.testing.assert_allclose((joints[0, 20] - joints[0, 16]) / length, (0.5, 0.0, 0.6), atol=1e-9)
