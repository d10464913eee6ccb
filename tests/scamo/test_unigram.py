from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from motionunion.errors import MotionUnionError
from scamo.unigram import Likelihood, Unigram, likelihood


def counted(*counts: int, smoothing: float = 1.0) -> Unigram:
    return Unigram(np.array(counts, dtype=np.int64), smoothing)


def test_loss_equals_the_reference_without_smoothing(read_golden):
    _, inputs, outputs = read_golden("unigram_loss")
    unigram = Unigram(inputs["counts"].numpy()[:61], smoothing=0.0)
    np.testing.assert_allclose(np.exp(unigram.log_p), outputs["probabilities"][:61], rtol=1e-6)
    targets = inputs["targets"]
    real = targets != 61
    whole = likelihood(inputs["logits"][real], targets[real], unigram)
    assert whole.l_u == pytest.approx(float(outputs["loss"]), abs=1e-5)
    assert whole.ce == pytest.approx(float(outputs["cross_entropy"]), abs=1e-5)
    for row, expected in enumerate(outputs["loss_per_row"].tolist()):
        one = likelihood(inputs["logits"][row][real[row]], targets[row][real[row]], unigram)
        assert one.l_u == pytest.approx(expected, abs=1e-5)
    # All counts are positive there, so both ways of counting must agree.
    assert (whole.l_u_seen, whole.unseen_share) == (pytest.approx(whole.l_u, abs=1e-9), 0.0)


def test_a_unigram_model_scores_zero_overall_and_on_seen_codes():
    unigram = counted(5, 0, 3, 0, 2)
    logits = torch.from_numpy(unigram.log_p).expand(5, 5)
    found = likelihood(logits, torch.tensor([0, 1, 2, 3, 4]), unigram)
    assert found.l_u == pytest.approx(0.0, abs=1e-9)
    assert found.l_u_seen == pytest.approx(0.0, abs=1e-9)
    assert (found.tokens, found.unseen) == (5, 2)


def test_smoothing_adds_one_to_every_count():
    unigram = counted(3, 0, 1)
    np.testing.assert_allclose(np.exp(unigram.log_p), [4 / 7, 1 / 7, 2 / 7])
    np.testing.assert_allclose(np.exp(unigram.log_p_seen), [4 / 6, 0, 2 / 6])


def test_end_is_counted_once_for_each_window():
    unigram = Unigram.of(np.array([0, 2, 2, 0, 0]), windows=2, codebook_size=4)
    assert unigram.counts.tolist() == [3, 0, 2, 0, 2]
    assert unigram.seen.tolist() == [0, 2]


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.int64, 9, elements=st.integers(0, 4)),
    st.integers(0, 2**31),
    st.lists(st.integers(0, 8), min_size=1, max_size=30),
)
def test_loss_is_cross_entropy_less_the_unigram_s(counts, seed, targets):
    counts[-1] += 1
    unigram, goal = Unigram(counts), torch.tensor(targets)
    logits = torch.randn(len(targets), 9, generator=torch.Generator().manual_seed(seed))
    found = likelihood(logits, goal, unigram)
    ce = torch.nn.functional.cross_entropy(logits.double(), goal).item()
    assert found.ce == pytest.approx(ce)
    assert found.h_cross == pytest.approx(float(-unigram.log_p[targets].mean()))
    assert found.l_u == pytest.approx(found.ce - found.h_cross)
    assert math.isfinite(found.l_u)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(0, 8), min_size=1, max_size=30))
def test_a_restricted_head_scores_on_seen_codes_as_the_same_columns_of_a_full_one(seed, targets):
    unigram = counted(2, 0, 1, 0, 0, 7, 1, 0, 3)
    goal = torch.tensor(targets)
    logits = torch.randn(len(targets), 9, generator=torch.Generator().manual_seed(seed))
    columns = [*unigram.seen.tolist(), 8]
    full, cut = likelihood(logits, goal, unigram), likelihood(logits[:, columns], goal, unigram, unigram.seen)
    assert cut.ce_seen_sum == pytest.approx(full.ce_seen_sum)
    assert cut.h_cross_seen_sum == pytest.approx(full.h_cross_seen_sum)
    assert (cut.unseen, cut.tokens) == (full.unseen, full.tokens)
    assert math.isfinite(cut.ce)


def test_a_restricted_model_s_probabilities_sum_to_one():
    unigram = counted(2, 0, 1, 0, 4)
    logits = torch.tensor([0.3, -1.0, 0.7]).expand(5, 3)
    each = [likelihood(logits[:1], torch.tensor([token]), unigram, unigram.seen).ce for token in range(5)]
    assert sum(math.exp(-ce) for ce in each) == pytest.approx(1.0)
    # Two codes are unseen and share (1 + 1) / (7 + 2): one code of the seven tokens occurs once.
    assert math.exp(-each[1]) == pytest.approx(2 / 9 / 2)


def test_where_every_code_is_seen_no_mass_is_set_aside():
    assert counted(1, 1, 1, 2).unseen_mass == 0.0


def test_sums_add_up():
    unigram = counted(5, 0, 3, 0, 2)
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    goal = torch.tensor([0, 1, 2, 3, 4, 0])
    whole = likelihood(logits, goal, unigram)
    parts = likelihood(logits[:2], goal[:2], unigram) + likelihood(logits[2:], goal[2:], unigram) + Likelihood()
    for name, value in whole.figures().items():
        assert parts.figures()[name] == pytest.approx(value)


def test_the_overall_figure_is_a_headline_only_under_five_per_cent_unseen():
    assert Likelihood(tokens=100, unseen=4).l_u_is_headline
    assert not Likelihood(tokens=100, unseen=5).l_u_is_headline


def test_counts_without_an_end_are_refused():
    with pytest.raises(MotionUnionError, match="END"):
        counted(1, 2, 0)
