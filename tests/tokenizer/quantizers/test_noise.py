from __future__ import annotations

import pytest
import torch
from scipy import stats

from tokenizer.quantizers.noise import normal, uniform

WORD = (1 << 64) - 1


def splitmix(value: int) -> int:
    """SplitMix64's step and output, in unbounded integers (Steele et al. 2014, figure 17)."""
    value = (value * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & WORD
    return value ^ (value >> 31)


@pytest.mark.parametrize(("step", "stream"), [(0, 0), (1, 0), (7, 1), (2**40, 3)])
def test_numbers_are_those_of_splitmix64_in_exact_arithmetic(step: int, stream: int) -> None:
    start = splitmix((step * 0x9E3779B97F4A7C15 + stream * 2**40) & WORD)
    expected = [((splitmix((count + start) & WORD) >> 41) + 0.5) / 2**23 for count in range(50)]
    assert uniform(torch.tensor(step), (50,), stream=stream).tolist() == expected


def test_the_first_known_outputs_of_splitmix64_are_its_authors() -> None:
    # Seed 0 of the authors' C program (prng.di.unimi.it/splitmix64.c) begins with these; its k-th state is k * GAMMA.
    assert [splitmix(count) for count in range(2)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_numbers_are_uniform_and_normal() -> None:
    step = torch.tensor(12345)
    assert stats.kstest(uniform(step, (20_000,), stream=0).numpy(), "uniform").pvalue > 0.01
    assert stats.kstest(normal(step, (100, 200), stream=0).flatten().numpy(), "norm").pvalue > 0.01


def test_steps_and_streams_have_numbers_of_their_own() -> None:
    draws = [uniform(torch.tensor(step), (1000,), stream=stream) for step in (0, 1, 2) for stream in (0, 1)]
    together = torch.stack(draws)
    assert len(together.unique()) > 5990
    correlation = torch.corrcoef(together) - torch.eye(6)
    assert correlation.abs().max() < 0.12


def test_neighbouring_steps_are_uncorrelated_in_their_first_number() -> None:
    first = torch.stack([uniform(torch.tensor(step), (1,), stream=1) for step in range(3000)]).flatten()
    assert stats.kstest(first.numpy(), "uniform").pvalue > 0.01
    assert abs(torch.corrcoef(torch.stack((first[1:], first[:-1])))[0, 1]) < 0.06
