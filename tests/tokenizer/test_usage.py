from __future__ import annotations

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
