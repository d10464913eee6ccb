from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scamo.data import IGNORED, Schedule, Windows, corrupt, drop_edges, hold_out, lay_out
from scamo.vocabulary import Vocabulary


def test_codes_follow_the_text_without_a_gap_and_the_last_text_place_predicts_the_first():
    batch = lay_out([np.array([7, 8, 9]), np.array([5])], [2, 3], Vocabulary(10))
    pad, end, no = 11, 10, IGNORED
    assert batch.inputs_BN.tolist() == [[pad, pad, 7, 8, 9], [pad, pad, pad, 5, pad]]
    assert batch.targets_BN.tolist() == [[no, 7, 8, 9, end], [no, no, 5, end, no]]


def test_codes_that_the_model_does_not_know_are_read_as_pad_and_asked_for_all_the_same():
    batch = lay_out([np.array([7, 8])], [1], Vocabulary(10, np.array([2, 8])))
    assert batch.inputs_BN.tolist() == [[3, 3, 1]]
    assert batch.targets_BN.tolist() == [[7, 8, 10]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 49), st.integers(1, 20)), min_size=1, max_size=120), st.integers(20, 900))
def test_every_epoch_takes_every_window_once(shapes, batch_tokens):
    windows = Windows.of([np.zeros(codes) for codes, _ in shapes], [["w " * words] for _, words in shapes])
    schedule = Schedule(windows, batch_tokens, seed=1)
    count = schedule.batches_per_epoch
    for epoch in range(2):
        batches = [schedule.rows(step) for step in range(epoch * count, (epoch + 1) * count)]
        assert min(len(rows) for rows in batches) >= 1
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(windows)))


def test_a_batch_holds_about_the_tokens_asked_for_and_little_padding(make_windows):
    windows = make_windows(2000)
    schedule = Schedule(windows, 600, seed=0)
    lengths = np.diff(windows.offsets) + 1 + windows.text_lengths()
    sums, full = [], []
    for step in range(schedule.batches_per_epoch):
        rows = schedule.rows(step)
        sums.append(lengths[rows].sum())
        full.append(len(rows) * lengths[rows].max())
    assert np.abs(np.array(sums) - 600).max() < 40
    assert sum(sums) / sum(full) > 0.9  # windows in random order would fill 78 % of their batches


def test_the_batch_of_a_step_needs_no_history(make_windows):
    windows = make_windows(60)
    walked, jumped = Schedule(windows, 100, seed=4), Schedule(windows, 100, seed=4)
    history = [(walked.rows(step), walked.captions(step, walked.rows(step))) for step in range(40)]
    for step in (33, 2, 39):
        assert jumped.rows(step).tolist() == history[step][0].tolist()
        assert jumped.captions(step, history[step][0]) == history[step][1]
    other = Schedule(windows, 100, seed=5)
    assert any(other.rows(step).tolist() != history[step][0].tolist() for step in range(5))


def test_every_caption_has_its_turn():
    windows = Windows.of([np.zeros(4)] * 3, [["one", "two", "three"]] * 3)
    schedule = Schedule(windows, 1000, seed=0)
    drawn = Counter(text for step in range(400) for text in schedule.captions(step, schedule.rows(step)))
    assert set(drawn) == {"one", "two", "three"}
    assert min(drawn.values()) > 300  # 400 expected of 1,200; six standard deviations are 98


def test_damage_touches_codes_only_and_never_the_targets():
    random = np.random.default_rng(0)
    vocabulary = Vocabulary(50)
    clean = lay_out([random.integers(0, 50, 40) for _ in range(50)], [3] * 50, vocabulary)
    damaged = corrupt(clean, vocabulary, 0.5, 0.2, random)
    is_code = clean.inputs_BN < 50
    assert np.array_equal(damaged.targets_BN, clean.targets_BN)
    assert np.array_equal(damaged.inputs_BN[~is_code], clean.inputs_BN[~is_code])
    hidden = (damaged.inputs_BN == vocabulary.pad)[is_code].mean()
    kept = (damaged.inputs_BN == clean.inputs_BN)[is_code].mean()
    # 2,000 codes: hidden 0.2, kept 0.8 x (0.5 + 0.5 / 50); five standard deviations are 0.056.
    assert hidden == pytest.approx(0.2, abs=0.045)
    assert kept == pytest.approx(0.408, abs=0.056)
    untouched = corrupt(clean, vocabulary, 1.0, 0.0, random)
    assert np.array_equal(untouched.inputs_BN, clean.inputs_BN)


def test_an_edge_is_dropped_as_often_as_asked_at_either_side():
    rows = [np.arange(6)] * 3000 + [np.array([4])]
    dropped = drop_edges(rows, 1 / 3, np.random.default_rng(0))
    kinds = Counter(tuple(row.tolist()) for row in dropped)
    assert set(kinds) == {(0, 1, 2, 3, 4, 5), (1, 2, 3, 4, 5), (0, 1, 2, 3, 4), (4,)}
    assert kinds[1, 2, 3, 4, 5] == pytest.approx(500, abs=100)
    assert kinds[0, 1, 2, 3, 4] == pytest.approx(500, abs=100)


def test_held_out_windows_are_whole_recordings(make_windows):
    windows = make_windows(100)
    train, held = hold_out(windows, 0.1, seed=0)
    assert len(held) == 10  # 5 of 50 recordings of two windows each
    assert not set(train.groups) & set(held.groups)
    assert len(train) + len(held) == 100
    again = hold_out(windows, 0.1, seed=0)[1]
    assert again.groups == held.groups


def test_one_recording_alone_cannot_be_held_out(make_windows):
    train, held = hold_out(make_windows(2), 0.1, seed=0)
    assert (len(train), len(held)) == (2, 0)


def test_windows_without_words_are_left_out():
    windows = Windows.of([[1], [2], [3]], [[], ["...", "sits"], ["  "]])
    kept = windows.captioned()
    assert kept.captions == (("sits",),)
    assert kept[0].tolist() == [2]
    assert kept.groups == ("1",)
