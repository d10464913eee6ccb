from __future__ import annotations

import pytest
import torch

from tokenizer.model import FSQVAE, build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers import levels_of

CASES = [("scamo_fsq_256", 256), ("scamo_fsq_65536", 65536)]


@pytest.mark.parametrize(("name", "nominal"), CASES)
@pytest.mark.parametrize("clip", ["a", "b"])
def test_network_equals_the_reference(read_golden, name: str, nominal: int, clip: str) -> None:
    weights, given, expected = read_golden(name)
    model = FSQVAE(ModelConfig(levels=levels_of(nominal), width=64))
    model.load_state_dict(weights, strict=True)
    features = given[f"motion_{clip}"]
    with torch.inference_mode():
        latents = model.encode_latents(features)
        rows, quantised = model(features)
        codes = quantised.indices
        decoded = model.decode(codes)
    torch.testing.assert_close(latents, expected[f"encoder_{clip}"], rtol=0, atol=1e-5)
    assert torch.equal(codes.int(), expected[f"indices_{clip}"])
    # The reference differs from itself by up to 1.1e-5 on the larger case (INDEX.md).
    torch.testing.assert_close(rows, expected[f"reconstruction_{clip}"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(decoded, expected[f"reconstruction_{clip}"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "nominal"), CASES)
def test_decoding_given_codes_equals_the_reference(read_golden, name: str, nominal: int) -> None:
    weights, given, expected = read_golden(name)
    model = FSQVAE(ModelConfig(levels=levels_of(nominal), width=64))
    model.load_state_dict(weights, strict=True)
    with torch.inference_mode():
        rows = model.decode(given["codes_given"])
        first = model.decode(expected["indices_a"][:1])
    torch.testing.assert_close(rows, expected["decoded_given"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(first, expected["decoded_clip0_a"], rtol=1e-5, atol=1e-5)


def test_paper_size_has_the_papers_parameter_count() -> None:
    with torch.device("meta"):
        model = FSQVAE(ModelConfig(levels=levels_of(65536)))
    assert sum(weight.numel() for weight in model.parameters()) == 19_443_469
    assert all(name.startswith("vqvae.") for name in model.state_dict())


def test_buffers_of_an_fsq_quantiser_are_not_part_of_a_checkpoint() -> None:
    model = FSQVAE(ModelConfig(levels=(8, 5), features=9, width=8))
    names = {name.removeprefix("vqvae.quantizer.") for name in model.state_dict() if ".quantizer." in name}
    assert names == {"project_in.weight", "project_in.bias", "project_out.weight", "project_out.bias"}


def test_batched_decoding_keeps_clips_apart() -> None:
    model = build_model(ModelConfig(levels=(8, 5), features=9, width=8), seed=3)
    codes = torch.randint(0, 40, (3, 6), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = model.decode(codes)
        alone = torch.cat([model.decode(row[None]) for row in codes])
    assert together.shape == (3, 24, 9)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize(("rows", "codes"), [(63, 15), (64, 16), (65, 16), (67, 16), (68, 17)])
def test_rows_beyond_a_multiple_of_four_are_cut_as_the_reference_does(rows: int, codes: int) -> None:
    model = build_model(ModelConfig(levels=(8, 5), features=9, width=8), seed=0)
    with torch.inference_mode():
        assert model.encode(torch.zeros(1, rows, 9)).shape == (1, codes)


def test_initial_weights_follow_the_seed_and_leave_the_callers_random_state_alone() -> None:
    config = ModelConfig(levels=(8, 5), features=9, width=8)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first, second, other = (build_model(config, seed).state_dict() for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
