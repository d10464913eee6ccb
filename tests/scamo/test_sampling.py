from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.errors import UsageError
from scamo.config import ModelConfig
from scamo.model import new_model
from scamo.sampling import LIKELIEST, SamplingOptions, choose, sample

CONFIG = ModelConfig(layers=2, heads=2, width=16, codebook_size=30, text_width=4)


@pytest.fixture(scope="module")
def model():
    model = new_model(CONFIG, seed=3).eval()
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data.mul_(10.0)
    return model


def prompts(lengths: list[int], seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths), 4, generator=generator), torch.tensor(lengths)


def uniform(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_motion_does_not_depend_on_its_neighbours(model):
    text, lengths = prompts([3, 1, 5, 2])
    options = SamplingOptions(max_tokens=20)
    together = sample(model, text, lengths, [10, 11, 12, 13], options)
    for row, length in enumerate(lengths.tolist()):
        alone = sample(model, text[row : row + 1, :length], lengths[row : row + 1], [10 + row], options)
        assert alone[0].tolist() == together[row].tolist()
    assert len({tuple(row) for row in map(np.ndarray.tolist, together)}) == 4


def test_the_seed_decides(model):
    text, lengths = prompts([3, 3])
    text[1] = text[0]
    first, second = sample(model, text, lengths, [1, 2], SamplingOptions(max_tokens=20))
    again, _ = sample(model, text, lengths, [1, 7], SamplingOptions(max_tokens=20))
    assert first.tolist() == again.tolist() != second.tolist()


def test_greedy_tokens_are_those_of_the_whole_forward_pass(model):
    text, lengths = prompts([4, 2])
    rows = sample(model, text, lengths, [0, 0], SamplingOptions(temperature=0, min_tokens=15, max_tokens=15))
    for row, length in enumerate(lengths.tolist()):
        tokens = torch.full((1, length), CONFIG.pad)
        for expected in rows[row].tolist():
            with torch.no_grad():
                logits = model(tokens, text[row : row + 1, :length], lengths[row : row + 1])[0, -1]
            logits[CONFIG.end] = -torch.inf
            assert int(logits.argmax()) == expected
            tokens = torch.cat([tokens, torch.tensor([[expected]])], dim=1)


def test_end_stops_a_row_and_only_that_row(model):
    text, lengths = prompts([2] * 12)
    rows = sample(model, text, lengths, list(range(12)), SamplingOptions(max_tokens=40, top_p=1.0, temperature=3.0))
    found = {len(row) for row in rows}
    assert len(found) > 1
    assert all(row.max() < CONFIG.end for row in rows)


def test_a_motion_has_at_least_and_at_most_the_tokens_asked_for(model):
    eager = new_model(CONFIG, seed=3).eval()
    with torch.no_grad():
        states = torch.zeros(1, CONFIG.width)
        eager.lm_head.weight.zero_()
        assert not eager.head(states).any()  # END is as likely as any code
    text, lengths = prompts([2] * 200)
    options = SamplingOptions(min_tokens=4, max_tokens=9, top_p=1.0)
    assert {len(row) for row in sample(eager, text, lengths, list(range(200)), options)} == {4, 5, 6, 7, 8, 9}
    may_be_empty = SamplingOptions(min_tokens=0, max_tokens=9, top_p=1.0)
    assert min(len(row) for row in sample(eager, text, lengths, list(range(200)), may_be_empty)) == 0


def test_the_pad_column_of_a_tied_head_is_never_drawn():
    tied = new_model(
        ModelConfig(layers=1, heads=1, width=8, codebook_size=3, text_width=4, tie_weights=True), seed=0
    ).eval()
    with torch.no_grad():
        tied.embedding.weight.zero_()
    text, lengths = prompts([1] * 50)
    rows = sample(tied, text, lengths, list(range(50)), SamplingOptions(top_p=1.0, max_tokens=10))
    assert {code for row in rows for code in row.tolist()} == {0, 1, 2}


def test_top_p_keeps_the_fewest_tokens_that_reach_it():
    logits = torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.05]]).log()
    drawn = {int(choose(logits, uniform(u), SamplingOptions(top_p=0.8))) for u in np.linspace(0, 0.999, 200)}
    assert drawn == {0, 1, 2}  # .5 + .2 = .7 is too little, with .15 it is enough
    # The kept ones share the whole of [0, 1): 0.5 / 0.85 = 0.588, (0.5 + 0.2) / 0.85 = 0.824
    picks = [int(choose(logits, uniform(u), SamplingOptions(top_p=0.8))) for u in (0.587, 0.589, 0.823, 0.825)]
    assert picks == [0, 1, 1, 2]


def test_top_k_keeps_k_tokens_and_temperature_flattens():
    logits = torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.05]]).log()
    drawn = {int(choose(logits, uniform(u), SamplingOptions(top_p=1.0, top_k=2))) for u in np.linspace(0, 0.999, 100)}
    assert drawn == {0, 1}
    # At temperature 1/2 probabilities are squared: .25 / (.25 + .04 + .0225 + .01 + .0025) = .769
    sharp = SamplingOptions(top_p=1.0, temperature=0.5)
    assert [int(choose(logits, uniform(u), sharp)) for u in (0.768, 0.770)] == [0, 1]


def test_draws_follow_the_probabilities():
    probabilities = torch.tensor([0.1, 0.6, 0.3])
    draws = torch.from_numpy(np.random.default_rng(0).random(20_000))
    tokens = choose(probabilities.log().expand(20_000, 3), draws, SamplingOptions(top_p=1.0))
    # Five standard deviations of a binomial share of 0.6 in 20,000 draws are 0.017.
    np.testing.assert_allclose(torch.bincount(tokens).numpy() / 20_000, probabilities, atol=0.017)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1.0), st.floats(0, 0.999999))
def test_the_short_list_and_the_whole_list_draw_the_same(seed, top_p, draw):
    width = 3 * LIKELIEST
    generator = torch.Generator().manual_seed(seed)
    spread = float(torch.rand((), generator=generator)) * 4
    logits = torch.randn(1, width, generator=generator) * spread
    got = int(choose(logits, uniform(draw), SamplingOptions(top_p=top_p)))
    ordered, tokens = logits.double().softmax(-1)[0].sort(descending=True)
    kept = int(((ordered.cumsum(0) - ordered) < top_p).sum())
    reached = ordered[:kept].cumsum(0)
    at = min(int((reached <= draw * reached[-1]).sum()), kept - 1)
    # Sums in another order may differ in the last bit, so a neighbour in the list is as right.
    assert got in tokens[max(0, at - 1) : at + 2].tolist()


def test_draws_at_the_very_end_stay_among_the_kept():
    logits = torch.tensor([[0.0, -1.0, -torch.inf]])
    assert int(choose(logits, uniform(1 - 1e-16), SamplingOptions(top_p=1.0))) in (0, 1)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"temperature": -1}, "--temperature"),
        ({"temperature": float("nan")}, "--temperature"),
        ({"top_p": 0}, "--top-p"),
        ({"top_p": 1.5}, "--top-p"),
        ({"top_k": 0}, "--top-k"),
        ({"min_tokens": 50}, "--min-tokens"),
        ({"min_tokens": 0, "max_tokens": 0}, "--max-tokens"),
    ],
)
def test_impossible_options_are_named(values, named):
    with pytest.raises(UsageError, match=named):
        SamplingOptions(**values)
