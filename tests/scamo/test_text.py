from __future__ import annotations

import pytest
import torch

from motionunion.errors import MotionUnionError
from scamo.text import MAX_FEATURES, WordEncoder, pad_features, words_of


def test_words_are_lower_case_runs_of_letters_and_digits():
    assert words_of("A man's left-hand, 2 WAVES... é_x!") == ["a", "man's", "left", "hand", "2", "waves", "é", "x"]


def test_each_word_has_its_vector_and_new_words_share_one():
    encoder = WordEncoder.of(["a man walks", "a man sits"], 4, seed=0).eval()
    assert encoder.vocabulary == ("a", "man", "sits", "walks")
    first, second = encoder.features(["A man WALKS!", "zebra a giraffe"])
    assert first.shape == (3, 4)
    assert torch.equal(second[0], second[2])
    assert torch.equal(second[1], first[0])
    assert encoder.unknown("a zebra walks") == ["zebra"]


def test_a_caption_without_words_reads_as_one_unknown_word():
    encoder = WordEncoder.of(["a"], 4, seed=0).eval()
    assert torch.equal(encoder.features(["?!"])[0], encoder.features(["zebra"])[0])


def test_a_long_caption_is_cut():
    encoder = WordEncoder.of(["a"], 2, seed=0).eval()
    assert len(encoder.features(["a " * 400])[0]) == MAX_FEATURES == 150


def test_words_are_hidden_in_training_only():
    encoder = WordEncoder.of(["walk"], 3, seed=0, word_dropout=0.25)
    unknown = encoder.table.weight[0]
    torch.manual_seed(0)
    hidden = torch.stack([(rows == unknown).all() for rows in encoder.features(["walk"] * 2000)]).float().mean()
    assert float(hidden) == pytest.approx(0.25, abs=0.05)
    encoder.eval()
    assert not any((rows == unknown).all() for rows in encoder.features(["walk"] * 100))


def test_gradients_reach_the_words_of_a_caption_and_no_others():
    encoder = WordEncoder.of(["a man walks"], 3, seed=0)
    encoder.features(["man"])[0].sum().backward()
    assert encoder.table.weight.grad is not None
    changed = encoder.table.weight.grad.abs().sum(1).nonzero()[:, 0].tolist()
    assert changed == [1 + encoder.vocabulary.index("man")]


def test_padding_keeps_features_and_lengths():
    text, lengths = pad_features([torch.ones(2, 3), torch.ones(1, 3)], torch.device("cpu"))
    assert lengths.tolist() == [2, 1]
    assert text.sum(-1).tolist() == [[3, 3], [3, 0]]


def test_a_caption_without_features_is_refused():
    with pytest.raises(MotionUnionError, match="at least one"):
        pad_features([torch.ones(2, 3), torch.ones(0, 3)], torch.device("cpu"))
