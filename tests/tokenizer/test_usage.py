from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tokenizer.usage import code_usage, count_codes


def test_codes_are_counted_for_every_layer_apart() -> None:
    indices = torch.tensor([[[0, 3], [1, 3], [1, 2]]])
    assert count_codes(indices, 4).tolist() == [[1, 2, 0, 0], [0, 0, 1, 2]]
    assert count_codes(indices[..., 0], 4).tolist() == [[1, 2, 0, 0]]


def test_masked_steps_are_not_counted() -> None:
    indices = torch.tensor([[0, 1, 2], [3, 3, 3]])
    assert count_codes(indices, 4, torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])).tolist() == [[1, 1, 0, 1]]
    assert count_codes(indices, 4, torch.zeros(2, 3)).tolist() == [[0, 0, 0, 0]]


def test_usage_of_a_uniform_histogram_is_its_number_of_codes() -> None:
    usage = code_usage(np.array([5, 5, 5, 5, 0, 0, 0, 0]), 8)
    assert (usage.tokens, usage.used, usage.share_of_codebook, usage.share_of_possible) == (20, 4, 0.5, 0.5)
    assert usage.exp_entropy == pytest.approx(4, rel=1e-5)
    assert usage.tokens_per_code == 5


def test_few_tokens_cannot_use_many_codes() -> None:
    assert code_usage(np.array([1, 1, 1, 0] + [0] * 96), 100).share_of_possible == 1


def test_exponential_entropy_of_one_code_is_one_and_of_none_is_zero() -> None:
    assert code_usage(np.array([0, 9]), 8).exp_entropy == pytest.approx(1, abs=1e-6)
    assert code_usage(np.zeros(8, np.int64), 8).exp_entropy == 0


def test_exponential_entropy_agrees_with_the_dense_formula() -> None:
    counts = np.random.default_rng(0).integers(0, 9, 300)
    share = counts / counts.sum()
    dense = math.exp(-(share * np.log(share + 1e-7)).sum())
    assert code_usage(counts, 300).exp_entropy == pytest.approx(dense, rel=1e-12)
