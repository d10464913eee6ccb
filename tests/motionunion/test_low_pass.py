from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from scipy.spatial.transform import Rotation

from motionunion.low_pass import KAISER_BETA, REACH, low_pass, low_pass_rotations
from motionunion.resample import frames_at, joints_to_rate

STEPS = [Fraction(5, 4), Fraction(3, 2), Fraction(3000, 1001), Fraction(5, 2), Fraction(6), Fraction(25, 2)]


def count(frames: int, step: Fraction) -> int:
    return int((frames - 1) / step) + 1


@pytest.mark.parametrize("step", [3, 5, 6, 12])
def test_at_a_whole_ratio_it_is_scipys_filter_of_the_same_window(step: int) -> None:
    values = np.random.default_rng(step).normal(size=(700, 3))
    taps = signal.firwin(2 * REACH * step + 1, 1.0 / step, window=("kaiser", KAISER_BETA))
    oracle = np.stack([np.convolve(column, taps, mode="valid") for column in values.T], axis=-1)[::step]
    inside = slice(REACH, REACH + len(oracle))
    found = low_pass(values, Fraction(step), count(700, Fraction(step)))
    np.testing.assert_allclose(found[inside], oracle, atol=1e-12)


@pytest.mark.parametrize("step", STEPS)
def test_slow_swings_pass_fast_ones_do_not_and_the_middle_is_halved(step: Fraction) -> None:
    # In units of the result's frames: 0.3 cycles a frame are 6 Hz at 20 fps.
    time = np.arange(3000) / float(step)
    frames = count(3000, step)
    there = np.arange(frames)
    for cycles, share in ((0.02, 1.0), (0.1, 1.0), (0.3, 1.0), (0.5, 0.5), (0.7, 0.0), (1.0, 0.0), (1.9, 0.0)):
        if cycles < float(step) / 2:
            found = low_pass(np.exp(2j * np.pi * cycles * time).real, step, frames)[20:-20]
            wanted = share * np.cos(2 * np.pi * cycles * there)[20:-20]
            np.testing.assert_allclose(found, wanted, atol=2e-3 if share != 0.5 else 5e-3)


@settings(max_examples=40, deadline=None)
@given(step=st.fractions(1, 15, max_denominator=1001), frames=st.integers(1, 400), seed=st.integers(0, 99))
def test_a_steady_motion_stays_exactly_what_it_is(step: Fraction, frames: int, seed: int) -> None:
    start, speed = np.random.default_rng(seed).normal(size=(2, 4))
    found = low_pass(start + np.arange(frames)[:, None] * speed, step, count(frames, step))
    expected = start + np.arange(len(found))[:, None] * float(step) * speed
    np.testing.assert_allclose(found, expected, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(step=st.sampled_from(STEPS), frames=st.integers(2, 200), seed=st.integers(0, 99))
def test_the_first_frame_stays_what_it_is(step: Fraction, frames: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(frames, 5))
    np.testing.assert_allclose(low_pass(values, step, 1)[0], values[0], atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(step=st.sampled_from(STEPS), cut=st.integers(1, 200))
def test_the_first_frames_do_not_depend_on_how_many_are_asked_for(step: Fraction, cut: int) -> None:
    values = np.random.default_rng(0).normal(size=(2600, 2))
    whole = low_pass(values, step, count(2600, step))
    cut = min(cut, len(whole))
    np.testing.assert_allclose(low_pass(values, step, cut), whole[:cut], atol=1e-14)


@settings(max_examples=30, deadline=None)
@given(
    axis=st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 1)),
    degrees_a_frame=st.floats(-25, 25),
    step=st.sampled_from(STEPS),
)
def test_a_steady_turn_stays_what_it_is_to_a_few_thousandths_of_a_degree(
    axis: tuple[float, float, float], degrees_a_frame: float, step: Fraction
) -> None:
    axis_unit = np.array(axis) / np.linalg.norm(axis)
    angle = np.radians(degrees_a_frame / float(step))  # of one source frame
    start = Rotation.from_rotvec([0.3, -0.2, 0.9])
    turns = (Rotation.from_rotvec(np.arange(300)[:, None] * angle * axis_unit) * start).as_quat(scalar_first=True)
    turns *= np.random.default_rng(0).choice([-1, 1], (300, 1))  # either sign is the same rotation
    frames = count(300, step)
    found = Rotation.from_quat(low_pass_rotations(turns, step, frames), scalar_first=True)
    wanted = Rotation.from_rotvec(np.arange(frames)[:, None] * float(step) * angle * axis_unit) * start
    inside = slice(REACH, frames - REACH)
    # 25 degrees a frame of the result are 500 a second at 20 fps.
    assert np.degrees((found[inside] * wanted[inside].inv()).magnitude().max()) < 0.005


def test_filtered_rotations_are_the_mean_on_the_group_to_third_order() -> None:
    time = np.arange(400)[:, None] / 120.0
    swing = np.concatenate([0.3 * np.sin(9 * time), 0.2 * np.cos(13 * time), 0.25 * np.sin(17 * time)], axis=1)
    source = Rotation.from_rotvec(swing)
    found = Rotation.from_quat(
        low_pass_rotations(source.as_quat(scalar_first=True), Fraction(6), 60), scalar_first=True
    )
    taps = signal.firwin(2 * REACH * 6 + 1, 1.0 / 6, window=("kaiser", KAISER_BETA))
    for frame in range(REACH, 50):
        centre = source[6 * frame]
        around = source[6 * frame - 6 * REACH : 6 * frame + 6 * REACH + 1]
        mean = centre * Rotation.from_rotvec(taps @ (centre.inv() * around).as_rotvec())
        assert (found[frame].inv() * mean).magnitude() < 2e-4


def test_a_joint_that_turns_too_fast_for_a_mean_takes_the_nearest_frame() -> None:
    # Half a turn and back in turn: no filter at a sixth of the rate can say where such a joint points.
    angles = np.where(np.arange(240) % 4 < 2, 0.0, np.pi) * np.array(1.0)
    turns = Rotation.from_rotvec(angles[:, None] * [0.0, 1.0, 0.0]).as_quat(scalar_first=True)
    found = low_pass_rotations(turns[:, None], Fraction(6), 40)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1.0, atol=1e-12)


@pytest.mark.parametrize("frames", [0, 1, 2, 7, 61])
@pytest.mark.parametrize("fps", [24, 29.97, 59.94, 119.88, 250])
def test_it_gives_as_many_frames_as_are_announced(frames: int, fps: float) -> None:
    found = joints_to_rate(np.zeros((frames, 22, 3)), fps, 20, mode="filtered")
    assert found.shape == (frames_at(frames, fps, 20, mode="filtered"), 22, 3)
