"""Grouped and residual FSQ."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motionunion.errors import ConfigError
from tokenizer.quantizers import build_quantizer, levels_of, quantizer_named
from tokenizer.quantizers.residual_fsq import ResidualFSQ, ResidualFSQConfig

LEVELS = list(levels_of(256))


def test_codes_of_groups_equal_vector_quantize_pytorchs(make_quantizer, make_latents) -> None:
    library = pytest.importorskip("vector_quantize_pytorch")
    ours = make_quantizer("grouped_fsq", 256, width=20, groups=3).eval()
    other = library.FSQ(levels=LEVELS, dim=20, num_codebooks=3)
    other.load_state_dict(ours.state_dict(), strict=True)
    latents = make_latents(4, 100, 20)
    quantised, indices = other(latents)
    found = ours(latents)
    assert torch.equal(found.indices, indices.long())
    torch.testing.assert_close(found.latents, quantised, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours.dequantize(found.indices), other.indices_to_codes(indices), rtol=0, atol=1e-6)


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_codes_of_layers_equal_vector_quantize_pytorchs(make_quantizer, make_latents, layers: int) -> None:
    library = pytest.importorskip("vector_quantize_pytorch")
    ours = make_quantizer("residual_fsq", 256, width=20, layers=layers).eval()
    other = library.ResidualFSQ(levels=LEVELS, num_quantizers=layers, dim=20, quantize_dropout=True).eval()
    weights = {name: tensor for name, tensor in ours.state_dict().items() if name.startswith("project")}
    other.load_state_dict(weights, strict=True)
    latents = make_latents(4, 100, 20) * 2
    quantised, indices = other(latents)
    found = ours(latents)
    # Where a channel lies on the border of two cells to a rounding, one float32 order of operations says so and one not.
    same = (found.indices == indices).all(dim=-1)
    assert same.float().mean() > 0.99
    torch.testing.assert_close(found.latents[same], quantised[same], rtol=0, atol=1e-5)
    for kept in range(1, layers + 1):
        coarse = indices[..., :kept]
        torch.testing.assert_close(ours.dequantize(coarse), other.get_output_from_indices(coarse), rtol=0, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    levels=st.lists(st.integers(2, 9), min_size=1, max_size=4),
    layers=st.integers(2, 4),
    seed=st.integers(0, 2**31 - 1),
)
def test_codes_of_layers_round_trip_and_halve_no_cell_twice(levels: list[int], layers: int, seed: int) -> None:
    quantizer = ResidualFSQ(ResidualFSQConfig(levels=tuple(levels), layers=layers), width=3)
    random = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, quantizer.codebook_size, (200, layers), generator=random)
    values = quantizer.values_of(codes)
    # Centres of cells are what tanh makes of some channel: going back must give the same cells.
    channels = torch.atanh(values / quantizer.reach_k) * quantizer.reach_k
    assert torch.equal(quantizer.indices_of_channels(channels), codes)
    assert len(values.unique(dim=0)) == len(codes.unique(dim=0))


def test_the_error_shrinks_by_the_levels_with_every_layer(make_quantizer, make_latents) -> None:
    quantizer = make_quantizer("residual_fsq", 512, width=20, layers=4)
    bounded = torch.linspace(-0.999, 0.999, 3000)[:, None].expand(-1, 3)
    codes = quantizer.indices_of_channels(torch.atanh(bounded) * quantizer.reach_k)
    for kept in (1, 2, 3, 4):
        error = (quantizer.values_of(codes[:, :kept]) / quantizer.reach_k - bounded).abs().max().item()
        assert error == pytest.approx(8.0**-kept, rel=0.02)


def test_left_out_layers_leave_the_centres_of_coarser_cells(make_quantizer, make_latents) -> None:
    quantizer = make_quantizer("residual_fsq", 256, layers=3, dropout=0.9).train()
    latents, seen = make_latents(50, 12), set()
    for _ in range(40):
        found = quantizer(latents)
        coarser = [torch.equal(found.latents, quantizer.dequantize(found.indices[..., :kept])) for kept in (1, 2, 3)]
        assert sum(coarser) == 1
        seen.add(coarser.index(True))
    assert seen == {0, 1, 2}
    assert quantizer.steps == 40


def test_cells_too_fine_for_float32_are_refused() -> None:
    with pytest.raises(ConfigError, match="8 levels in 6 layers make 262,144 cells of a channel, more than 65,536"):
        quantizer_named("residual_fsq", 256, layers=6)
    build_quantizer(quantizer_named("residual_fsq", 256, layers=5), 4)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_that_is_no_probability_is_refused(dropout: float) -> None:
    with pytest.raises(ConfigError, match=r"residual_fsq.dropout: must be in \[0, 1\)"):
        quantizer_named("residual_fsq", 256, dropout=dropout)
