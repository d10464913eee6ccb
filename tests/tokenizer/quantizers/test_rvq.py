from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from tokenizer.quantizers import Quantizer
from tokenizer.quantizers.dropout import kept_layers


@pytest.fixture(params=["momask_rvq", "momask_rvq_shared"])
def published(
    request: pytest.FixtureRequest, read_golden, make_quantizer, known_codebook
) -> tuple[Quantizer, dict[str, Tensor]]:
    weights, _, expected = read_golden(request.param)
    shared = request.param.endswith("shared")
    layers = expected["indices_a"].shape[-1]
    quantizer = make_quantizer("rvq", 64, width=64, layers=layers, shared=shared, commitment=1.0)
    state = {
        f"layers.{number}.{name}": tensor
        for number in range(1 if shared else layers)
        for name, tensor in known_codebook(weights[f"quantizer.layers.{number}.codebook"]).items()
    }
    quantizer.load_state_dict({**state, "steps": torch.tensor(1)}, strict=True)
    return quantizer.eval(), expected


@pytest.mark.parametrize("clip", ["a", "b"])
def test_codes_and_commitment_equal_momasks(published: tuple[Quantizer, dict[str, Tensor]], clip: str) -> None:
    quantizer, expected = published
    found = quantizer(expected[f"encoder_{clip}"].transpose(1, 2))
    assert torch.equal(found.indices, expected[f"indices_{clip}"])
    torch.testing.assert_close(found.loss, expected[f"commit_loss_{clip}"], rtol=0, atol=1e-5)


def test_vectors_of_every_layer_and_of_the_first_two_equal_momasks(
    published: tuple[Quantizer, dict[str, Tensor]],
) -> None:
    quantizer, expected = published
    codes = expected["indices_a"]
    by_layer = expected["codes_per_layer_a"].transpose(2, 3)  # (Q, B, N, C)
    for kept in range(1, codes.shape[-1] + 1):
        torch.testing.assert_close(
            quantizer.dequantize(codes[..., :kept]), by_layer[:kept].sum(dim=0), rtol=0, atol=1e-5
        )
    first_two = quantizer.dequantize(codes[..., :2]).transpose(1, 2)
    torch.testing.assert_close(first_two, expected["latent_first2_a"], rtol=0, atol=1e-5)


def test_the_number_of_layers_kept_follows_the_dropout() -> None:
    steps = [int(kept_layers(torch.tensor(step), 4, 0.4)) for step in range(4000)]
    share = Counter(steps)
    # All four take part at 0.6 of the steps and at a quarter of the rest; 1, 2 and 3 layers at a tenth each.
    assert share[4] / 4000 == pytest.approx(0.7, abs=0.03)
    for kept in (1, 2, 3):
        assert share[kept] / 4000 == pytest.approx(0.1, abs=0.02)
    assert {int(kept_layers(torch.tensor(step), 4, 0.0)) for step in range(100)} == {4}


def test_layers_that_are_left_out_neither_speak_nor_learn(make_quantizer, make_latents) -> None:
    quantizer = make_quantizer("rvq", 16, width=6, layers=3, dropout=0.9).train()
    latents = make_latents(4, 40, 6)
    quantizer(latents)
    seen = set()
    for _ in range(40):
        kept = int(kept_layers(quantizer.steps, 3, 0.9))
        before = [layer.codebook.clone() for layer in quantizer.layers]
        found = quantizer(latents)
        moved = [not torch.equal(layer.codebook, old) for layer, old in zip(quantizer.layers, before, strict=True)]
        assert moved == [number < kept for number in range(3)]
        spoken = sum(old[found.indices[..., number]] for number, old in enumerate(before[:kept]))
        torch.testing.assert_close(found.latents, spoken)
        seen.add(kept)
    assert seen == {1, 2, 3}


def test_the_gradient_goes_straight_through_once(make_quantizer, make_latents) -> None:
    quantizer = make_quantizer("rvq", 16, width=6, layers=4, commitment=0.0)
    latents = make_latents(5, 6).requires_grad_()
    weights = make_latents(5, 6, seed=1)
    (quantizer.train()(latents).latents * weights).sum().backward()
    torch.testing.assert_close(latents.grad, weights)


def test_a_shared_codebook_is_stored_once(make_quantizer) -> None:
    names = make_quantizer("rvq", 16, layers=5, shared=True).state_dict().keys()
    assert {name for name in names if name.endswith("codebook")} == {"layers.0.codebook"}
