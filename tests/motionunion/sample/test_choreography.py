"""Channels move smoothly, in order, and return to rest."""

from __future__ import annotations

import numpy as np
import pytest

from motionunion.sample.archive import coarsen, npz_bytes
from motionunion.sample.choreography import Choreography, Step, envelope, minimum_jerk
from motionunion.sample.footwork import foot_track, walk_path


def test_minimum_jerk_starts_and_ends_without_speed_or_acceleration():
    u = np.linspace(0, 1, 20001)
    s = minimum_jerk(u)
    first, second = np.gradient(s, u), np.gradient(np.gradient(s, u), u)
    assert s[0] == 0
    assert s[-1] == 1
    assert s[10000] == pytest.approx(0.5)
    assert max(abs(first[0]), abs(first[-1])) < 1e-6
    assert max(abs(second[2]), abs(second[-3])) < 0.02


def test_a_channel_holds_its_value_between_moves():
    score = Choreography()
    score.move("crouch", 1.0, 2.0, 0.3)
    score.settle("crouch", 3.0, 4.0)
    np.testing.assert_allclose(
        score.scalar("crouch", np.array([0.0, 1.5, 2.5, 4.5])), [0.0, 0.15, 0.3, 0.0], atol=1e-12
    )


def test_moves_of_one_channel_cannot_overlap():
    score = Choreography()
    score.move("crouch", 1.0, 2.0, 0.3)
    with pytest.raises(ValueError, match="while still moving"):
        score.move("crouch", 1.5, 2.5, 0.0)


def test_a_channel_takes_as_many_values_as_it_has():
    with pytest.raises(ValueError, match="takes 3 values"):
        Choreography().move("left_wrist", 0.0, 1.0, 0.5)


def test_an_envelope_is_one_inside_and_zero_outside():
    np.testing.assert_allclose(envelope(1.0, 3.0, 0.5)(np.array([0.5, 1.0, 2.0, 3.0, 3.5])), [0, 0, 1, 0, 0])


def test_a_full_turn_at_even_speed_closes_a_circle():
    score = Choreography()
    score.add("forward", lambda t: np.where((t >= 0) & (t <= 4), 1.0, 0.0))
    score.add("turn", lambda t: np.where((t >= 0) & (t <= 4), np.pi / 2, 0.0))
    path = walk_path(score, 4.0)
    x, z, heading = path.at([0.0, 2.0, 4.0])
    assert heading[2] - heading[0] == pytest.approx(2 * np.pi, abs=0.02)
    assert np.hypot(x[2], z[2]) < 0.02
    # Half-way round to the left the body is a diameter to its left (+X): 2 v / w.
    assert x[1] == pytest.approx(4 / np.pi, abs=0.02)


def test_a_foot_stays_where_it_is_between_its_steps():
    score = Choreography()
    score.move("forward", 0.0, 0.2, 1.0)
    score.steps += [Step(foot="left", lift_s=0.5, land_s=0.9), Step(foot="left", lift_s=1.6, land_s=2.0)]
    times = np.arange(0, 2.5, 0.01)
    track = foot_track(score, walk_path(score, 2.5), "left", times)
    for begin, end in ((0.0, 0.49), (0.91, 1.59), (2.01, 2.4)):
        there = (times > begin) & (times < end)
        assert track.planted_T[there].all()
        assert np.ptp(track.point_T3[there], axis=0).max() == 0
    assert track.point_T3[times < 0.5][0, 2] < track.point_T3[times > 2.1][0, 2]


def test_a_foot_cannot_lift_before_it_landed():
    score = Choreography()
    score.steps += [Step(foot="left", lift_s=0.5, land_s=0.9), Step(foot="left", lift_s=0.8, land_s=1.2)]
    with pytest.raises(ValueError, match="before it landed"):
        foot_track(score, walk_path(score, 2.0), "left", np.arange(0, 1, 0.1))


def test_archives_depend_on_their_arrays_alone():
    arrays = {"a": np.arange(5.0), "b": np.array("text")}
    assert npz_bytes(arrays) == npz_bytes({name: values.copy() for name, values in arrays.items()})


def test_coarsened_values_are_multiples_of_the_step_and_near():
    values = np.random.default_rng(0).normal(size=1000)
    rounded = coarsen(values, 2.0**-10)
    assert np.abs(rounded - values).max() <= 2.0**-11
    assert (rounded * 2**10 == np.round(rounded * 2**10)).all()
