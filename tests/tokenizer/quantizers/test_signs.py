"""Lookup-free and binary spherical quantisation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from motionunion.errors import ConfigError
from tokenizer.quantizers import quantizer_named
from tokenizer.quantizers.lfq import LFQConfig, sign_entropies

KINDS = ["lfq", "bsq"]


def entropies_by_table(
    channels: Tensor, codes: Tensor, inverse_temperature: float, weight: Tensor
) -> tuple[float, float]:
    """Both entropies from the soft choice among all codes by distance, in float64."""
    distance = (channels.double()[:, None] - codes.double()[None]).square().sum(dim=-1)
    choice = (-distance * inverse_temperature).softmax(dim=-1)
    weight = weight.double() / weight.sum()
    mean = weight @ choice
    return float(weight @ torch.special.entr(choice).sum(dim=-1)), float(torch.special.entr(mean).sum())


@pytest.mark.parametrize("bits", [1, 2, 5, 9])
@pytest.mark.parametrize("inverse_temperature", [0.3, 2.0, 100.0])
def test_entropies_equal_those_of_a_table_of_all_codes(make_latents, bits: int, inverse_temperature: float) -> None:
    channels, weight = make_latents(60, bits) * 0.7, torch.ones(60)
    weight[::3] = 0
    codes = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * bits).reshape(-1, bits)
    expected = entropies_by_table(channels, codes, inverse_temperature, weight)
    # Codes differ by 2 in a channel, whose squared distances so differ by 4 times the channel.
    alone, together = sign_entropies(4 * inverse_temperature * channels, weight)
    assert alone.item() == pytest.approx(expected[0], rel=1e-4, abs=1e-5)
    assert together.item() == pytest.approx(expected[1], rel=1e-4, abs=1e-5)


def test_sixteen_channels_of_chance_have_nearly_the_largest_entropy(make_latents) -> None:
    alone, together = sign_entropies(torch.zeros(5, 16), None)
    assert alone.item() == pytest.approx(16 * math.log(2), rel=1e-6)
    assert together.item() == pytest.approx(16 * math.log(2), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("codebook", [2, 256, 8192])
def test_codes_equal_vector_quantize_pytorchs(make_quantizer, make_latents, kind: str, codebook: int) -> None:
    library = pytest.importorskip("vector_quantize_pytorch")
    ours = make_quantizer(kind, codebook, width=20).train()
    other = library.LFQ(dim=20, codebook_size=codebook, spherical=kind == "bsq", has_projections=True,
                        commitment_loss_weight=0.25)  # fmt: skip
    other.load_state_dict({**other.state_dict(), **ours.state_dict()}, strict=True)
    latents = make_latents(3, 50, 20)
    expected = other.train()(latents, inv_temperature=5.0)
    ours.config = quantizer_named(kind, codebook, inverse_temperature=5.0)
    found = ours(latents)
    assert torch.equal(found.indices, expected.indices.long())
    torch.testing.assert_close(found.latents, expected.quantized, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        ours.dequantize(found.indices), other.indices_to_codes(found.indices), rtol=1e-5, atol=1e-5
    )
    # The library cuts probabilities off at 1e-5 in its logarithms.
    torch.testing.assert_close(found.loss, expected.entropy_aux_loss, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_code_of_sixteen_channels_round_trips(make_quantizer, kind: str) -> None:
    quantizer = make_quantizer(kind, 65536)
    codes = torch.arange(65536)
    assert torch.equal(quantizer.indices_of_channels(quantizer.values_of(codes)), codes)


def test_binary_spherical_values_have_unit_length_and_ignore_the_length_of_a_latent(
    make_quantizer, make_latents
) -> None:
    quantizer = make_quantizer("bsq", 512)
    channels = make_latents(40, 9)
    values, indices, loss = quantizer.quantize_channels(channels, None)
    torch.testing.assert_close(values.norm(dim=-1), torch.ones(40))
    longer_values, longer_indices, longer_loss = quantizer.quantize_channels(channels * 7, None)
    assert torch.equal(longer_values, values)
    assert torch.equal(longer_indices, indices)
    torch.testing.assert_close(longer_loss, loss)


def test_training_on_the_entropies_spreads_codes_and_makes_choices_clear(make_quantizer, make_latents) -> None:
    quantizer = make_quantizer("lfq", 64, width=8, entropy=1.0, inverse_temperature=0.5).train()
    latents = make_latents(500, 8) * 0.3 + 3  # all on one side to begin with
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.05)
    before = len(quantizer.indices(latents).unique())
    for _ in range(200):
        optimizer.zero_grad()
        quantizer(latents).loss.backward()
        optimizer.step()
    assert before < 8
    assert len(quantizer.indices(latents).unique()) > 40


def test_gradients_of_channels_far_out_are_numbers() -> None:
    logits = torch.tensor([[1e6, -1e6, 0.0], [-1e6, 1e6, 1e6]], requires_grad=True)
    alone, together = sign_entropies(logits, None)
    (alone - together).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("size", [0, 1, 3, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_sizes_that_are_no_power_of_two_are_refused(kind: str, size: int) -> None:
    with pytest.raises(ConfigError, match=rf"{kind}.size: must be a power of two, at least 2, got {size}"):
        quantizer_named(kind, size)


@pytest.mark.parametrize("name", ["entropy", "diversity", "inverse_temperature", "commitment"])
def test_negative_weights_are_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"lfq.{name}: must not be negative"):
        LFQConfig(**{"size": 4, name: -1.0})


def test_commitment_is_the_distance_to_the_signs(make_quantizer, make_latents) -> None:
    quantizer = make_quantizer("lfq", 16, entropy=0.0, commitment=1.0)
    channels = make_latents(30, 4)
    expected = functional.mse_loss(channels, channels.sign())
    torch.testing.assert_close(quantizer.quantize_channels(channels, None)[2], expected)
