from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.errors import ClipError
from motionunion.joint_metrics import mpjpe
from tokenizer.evaluation.clip_errors import acceleration_error, mpjpe_unaligned


def motion(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 22, 3)).astype(np.float32)


def test_a_shift_of_the_world_counts_in_the_unaligned_error_alone() -> None:
    real = motion(8)
    shifted = real + np.array([0.3, 0.0, 0.4], dtype=np.float32)
    assert mpjpe_unaligned(shifted, real) == pytest.approx(500, rel=1e-5)
    assert mpjpe(shifted, real) == pytest.approx(0, abs=1e-3)


def test_acceleration_error_is_that_of_loops_over_frames_and_joints() -> None:
    a, b = motion(7, 1).astype(np.float64), motion(7, 2).astype(np.float64)
    total, count = 0.0, 0
    for frame in range(1, 6):
        for joint in range(22):
            one = a[frame - 1, joint] - 2 * a[frame, joint] + a[frame + 1, joint]
            other = b[frame - 1, joint] - 2 * b[frame, joint] + b[frame + 1, joint]
            total += math.dist(one, other)
            count += 1
    assert acceleration_error(a, b) == pytest.approx(1000 * total / count, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 12), st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_a_steady_drift_has_no_acceleration_error(rows: int, drift: list[float]) -> None:
    real = motion(rows).astype(np.float64)
    drifted = real + np.array(drift[:3]) + np.arange(rows)[:, None, None] * np.array(drift[3:])
    assert acceleration_error(drifted, real) == pytest.approx(0, abs=1e-9)


def test_a_constant_difference_of_accelerations_is_found_to_the_millimetre() -> None:
    real = motion(10).astype(np.float64)
    falling = real - 0.5 * 0.02 * np.arange(10)[:, None, None] ** 2 * np.array([0, 1, 0])
    assert acceleration_error(falling, real) == pytest.approx(20, rel=1e-9)


def test_two_frames_have_no_acceleration() -> None:
    assert math.isnan(acceleration_error(motion(2), motion(2, 1)))


@pytest.mark.parametrize("measure", [mpjpe_unaligned, acceleration_error])
def test_motions_of_different_shapes_are_refused(measure) -> None:
    with pytest.raises(ClipError, match="cannot be compared"):
        measure(motion(5), motion(6))
