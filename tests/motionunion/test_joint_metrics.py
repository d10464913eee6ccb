from __future__ import annotations

import numpy as np
import pytest

from motionunion.errors import ClipError
from motionunion.joint_metrics import mpjpe, mpjpe_heading_free, pelvis_aligned_errors

ID = "hml263@20/compat"


def test_travel_of_the_pelvis_does_not_count() -> None:
    joints = np.random.default_rng(0).normal(size=(10, 22, 3))
    assert mpjpe(joints, joints + np.arange(30).reshape(10, 1, 3)) == pytest.approx(0, abs=1e-9)


def test_one_joint_a_centimetre_off_is_10_mm_over_22_joints() -> None:
    joints = np.zeros((4, 22, 3))
    moved = joints.copy()
    moved[:, 7, 1] += 0.01
    assert mpjpe(joints, moved) == pytest.approx(10 / 22)
    assert pelvis_aligned_errors(joints, moved)[2, 7] == pytest.approx(10)


def test_a_wrong_turn_counts_with_heading_and_not_without() -> None:
    features = np.zeros((20, 263))
    features[:, 4:67] = np.random.default_rng(1).normal(size=63)
    turned = features.copy()
    turned[3, 0] = 0.2
    from motionunion.representations import decode

    assert mpjpe(decode(features, ID), decode(turned, ID)) > 50
    assert mpjpe_heading_free(features, turned, ID) == 0


def test_motions_of_different_length_are_refused() -> None:
    with pytest.raises(ClipError, match="cannot be compared"):
        mpjpe(np.zeros((4, 22, 3)), np.zeros((5, 22, 3)))
