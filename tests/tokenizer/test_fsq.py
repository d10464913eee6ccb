from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.errors import ConfigError
from tokenizer.fsq import FSQ, LEVELS, levels_of


@pytest.mark.parametrize("nominal", sorted(LEVELS))
def test_every_code_of_every_level_set_round_trips(nominal: int) -> None:
    fsq = FSQ(levels_of(nominal))
    codes = torch.arange(fsq.codebook_size)
    assert torch.equal(fsq.indices(fsq.dequantize(codes)), codes)


# True sizes: the products of the levels, worked out by hand.
@pytest.mark.parametrize(
    ("nominal", "size"),
    [(256, 240), (512, 512), (1024, 1000), (2048, 1920), (4096, 4375), (8192, 8000), (16384, 15360), (32768, 32768),
     (65536, 64000)],
)  # fmt: skip
def test_true_sizes_are_the_products_of_the_levels(nominal: int, size: int) -> None:
    assert FSQ(levels_of(nominal)).codebook_size == size


def test_first_level_is_the_fastest_digit() -> None:
    fsq = FSQ((8, 6, 5))
    assert fsq.digits(torch.tensor([0, 1, 7, 8, 48, 239])).tolist() == [
        [0, 0, 0], [1, 0, 0], [7, 0, 0], [0, 1, 0], [0, 0, 1], [7, 5, 4],
    ]  # fmt: skip


def test_an_unknown_size_is_refused_with_the_list_of_sizes() -> None:
    with pytest.raises(ConfigError, match=r"1000 has no level set.*256, 512, 1024.*65536"):
        levels_of(1000)


@pytest.mark.parametrize("levels", [(), (8, 1)])
def test_levels_below_two_are_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        FSQ(levels)


@pytest.mark.parametrize("nominal", sorted(LEVELS))
def test_bf16_autocast_does_not_change_an_index(nominal: int) -> None:
    fsq = FSQ(levels_of(nominal))
    z = torch.randn(4000, len(fsq.levels), generator=torch.Generator().manual_seed(nominal)) * 2
    plain = fsq.indices(fsq.quantize(z))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = fsq.quantize(z)
        assert values.dtype == torch.float32
        assert torch.equal(fsq.indices(values), plain)


@settings(max_examples=60, deadline=None)
@given(
    levels=st.lists(st.integers(2, 9), min_size=1, max_size=6),
    seed=st.integers(0, 2**31 - 1),
    scale=st.floats(0.01, 50.0),
)
def test_quantising_agrees_with_scalar_arithmetic_in_double_precision(
    levels: list[int], seed: int, scale: float
) -> None:
    fsq = FSQ(levels)
    z = torch.randn(20, len(levels), generator=torch.Generator().manual_seed(seed)) * scale
    found = fsq.indices(fsq.quantize(z))
    for row, index in zip(z.tolist(), found.tolist(), strict=True):
        expected, basis, clear = 0, 1, True
        for value, level in zip(row, levels, strict=True):
            half = (level - 1) * 1.001 / 2
            offset = 0.5 if level % 2 == 0 else 0.0
            bounded = math.tanh(value + math.atanh(offset / half)) * half - offset
            clear &= abs(bounded - math.floor(bounded) - 0.5) > 1e-4  # not on the edge between two grid points
            expected += (round(bounded) + level // 2) * basis
            basis *= level
        assert 0 <= index < fsq.codebook_size
        if clear:
            assert index == expected


def test_gradient_passes_straight_through_the_rounding() -> None:
    fsq = FSQ((8, 5))
    z = torch.tensor([[0.3, -0.2]], requires_grad=True)
    fsq.quantize(z).sum().backward()
    bounded = torch.autograd.functional.jacobian(lambda x: (fsq.bound(x) / fsq.half_width_k).sum(), z.detach())
    assert z.grad is not None
    torch.testing.assert_close(z.grad, bounded)
