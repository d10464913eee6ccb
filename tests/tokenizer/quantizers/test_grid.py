from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.errors import ConfigError
from tokenizer.quantizers.grid import Grid
from tokenizer.quantizers.levels import LEVELS, levels_of


@pytest.mark.parametrize("nominal", sorted(LEVELS))
def test_every_code_of_every_level_set_round_trips(nominal: int) -> None:
    grid = Grid(levels_of(nominal))
    codes = torch.arange(grid.codebook_size)
    values = grid.dequantize(codes)
    # Channels that the bound leads to these very points: the way that an encoder's output takes.
    points = (values * grid.half_width_k).round()
    channels = torch.atanh((points + grid.offset_k) / grid.half_k) - grid.shift_k
    assert channels.isfinite().all()
    assert torch.equal(grid.indices(channels), codes)
    assert torch.equal(grid(channels)[0], values)


# True sizes: the products of the levels, worked out by hand.
@pytest.mark.parametrize(
    ("nominal", "size"),
    [(256, 240), (512, 512), (1024, 1000), (2048, 1920), (4096, 4375), (8192, 8000), (16384, 15360), (32768, 32768),
     (65536, 64000)],
)  # fmt: skip
def test_true_sizes_are_the_products_of_the_levels(nominal: int, size: int) -> None:
    assert Grid(levels_of(nominal)).codebook_size == size


def test_first_level_is_the_fastest_digit() -> None:
    grid = Grid((8, 6, 5))
    assert grid.digits(torch.tensor([0, 1, 7, 8, 48, 239])).tolist() == [
        [0, 0, 0], [1, 0, 0], [7, 0, 0], [0, 1, 0], [0, 0, 1], [7, 5, 4],
    ]  # fmt: skip


def test_an_unknown_size_is_refused_with_the_list_of_sizes() -> None:
    with pytest.raises(ConfigError, match=r"1000 has no level set.*256, 512, 1024.*65536"):
        levels_of(1000)


@pytest.mark.parametrize("levels", [(), (8, 1), (1001,)])
def test_levels_that_make_no_grid_are_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="at least 2 and at most 1000"):
        Grid(levels)


def test_more_codes_than_float32_counts_are_refused() -> None:
    with pytest.raises(ConfigError, match="more than 16,777,216"):
        Grid((1000, 1000, 17))


def test_channels_far_beyond_the_grid_get_its_outermost_points() -> None:
    grid = Grid((1000, 8, 7))
    assert grid.digits(grid.indices(torch.tensor([[1e30] * 3, [-1e30] * 3]))).tolist() == [[999, 7, 6], [0, 0, 0]]


@pytest.mark.parametrize("nominal", sorted(LEVELS))
def test_bf16_autocast_does_not_change_an_index(nominal: int) -> None:
    grid = Grid(levels_of(nominal))
    z = torch.randn(4000, len(grid.levels), generator=torch.Generator().manual_seed(nominal)) * 2
    plain_values, plain = grid(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values, indices = grid(z)
        assert torch.equal(values, plain_values)
        assert torch.equal(indices, plain)
        assert torch.equal(grid.indices(z), plain)


@settings(max_examples=60, deadline=None)
@given(
    levels=st.lists(st.integers(2, 9), min_size=1, max_size=6),
    seed=st.integers(0, 2**31 - 1),
    scale=st.floats(0.01, 50.0),
)
def test_quantising_agrees_with_scalar_arithmetic_in_double_precision(
    levels: list[int], seed: int, scale: float
) -> None:
    grid = Grid(levels)
    z = torch.randn(20, len(levels), generator=torch.Generator().manual_seed(seed)) * scale
    values, found = grid(z)
    assert torch.equal(grid.indices(z), found)
    assert torch.equal(grid.dequantize(found), values)
    for row, index in zip(z.tolist(), found.tolist(), strict=True):
        expected, basis, clear = 0, 1, True
        for value, level in zip(row, levels, strict=True):
            half = (level - 1) * 1.001 / 2
            offset = 0.5 if level % 2 == 0 else 0.0
            bounded = math.tanh(value + math.atanh(offset / half)) * half - offset
            clear &= abs(bounded - math.floor(bounded) - 0.5) > 1e-4  # not on the edge between two grid points
            expected += (round(bounded) + level // 2) * basis
            basis *= level
        assert 0 <= index < grid.codebook_size
        if clear:
            assert index == expected


@pytest.mark.parametrize("nominal", sorted(LEVELS))
@pytest.mark.parametrize("autocast", [False, True])
def test_codes_equal_vector_quantize_pytorchs(nominal: int, autocast: bool) -> None:
    other = pytest.importorskip("vector_quantize_pytorch").FSQ(levels=list(levels_of(nominal)))
    grid = Grid(levels_of(nominal))
    z = torch.randn(5000, 1, len(grid.levels), generator=torch.Generator().manual_seed(nominal)) * 1.5
    expected_values, expected = other(z)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        values, indices = grid(z)
    # Float32 parts neighbouring points to about 1e-6; a channel within 1e-5 of the border between two may go either way.
    from_border = (grid.bound(z) - grid.bound(z).floor() - 0.5).abs().amin(dim=-1)
    assert (from_border > 1e-5).float().mean() > 0.999
    assert torch.equal(indices[from_border > 1e-5], expected.long()[from_border > 1e-5])
    torch.testing.assert_close(values[from_border > 1e-5], expected_values[from_border > 1e-5], rtol=0, atol=1e-6)
    torch.testing.assert_close(grid.dequantize(indices), other.indices_to_codes(indices), rtol=0, atol=1e-6)


def test_gradient_passes_straight_through_the_rounding() -> None:
    grid = Grid((8, 5))
    z = torch.tensor([[0.3, -0.2]], requires_grad=True)
    grid(z)[0].sum().backward()
    bounded = torch.autograd.functional.jacobian(lambda x: (grid.bound(x) / grid.half_width_k).sum(), z.detach())
    assert z.grad is not None
    torch.testing.assert_close(z.grad, bounded)


@pytest.mark.parametrize("nominal", [256, 512, 1024, 2048, 4096, 16384, 65536])
def test_fsq_arithmetic_equals_the_reference(read_golden, nominal: int) -> None:
    _, given, expected = read_golden("fsq_raw")
    grid = Grid(levels_of(nominal))
    assert given[f"levels_{nominal}"].tolist() == list(grid.levels)
    torch.testing.assert_close(grid.bound(given[f"z_{nominal}"]), expected[f"bounded_{nominal}"], rtol=0, atol=1e-6)
    values, indices = grid(given[f"z_{nominal}"])
    torch.testing.assert_close(values, expected[f"codes_{nominal}"], rtol=0, atol=1e-6)
    assert torch.equal(indices.int(), expected[f"indices_{nominal}"])
    codes = given[f"indices_{nominal}"]
    assert torch.equal(grid.digits(codes), expected[f"digits_of_indices_{nominal}"])
    torch.testing.assert_close(grid.dequantize(codes), expected[f"codes_of_indices_{nominal}"], rtol=0, atol=1e-7)
