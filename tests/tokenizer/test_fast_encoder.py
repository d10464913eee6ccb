"""The encoder with fewer multiplications computes what the network's own layers compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tokenizer import fast_encoder
from tokenizer.checkpoint import Tokenizer
from tokenizer.fast_encoder import FastEncoder, Halving, ThreeTaps, is_served
from tokenizer.layers import LeftPadded
from tokenizer.model import FSQVAE, build_model
from tokenizer.model_config import ModelConfig
from tokenizer.padded_encoding import ends_kept
from tokenizer.quantizers.vq import VQConfig

LEVELS = (8, 8, 8, 5, 5, 5)


def make_model(**settings: Any) -> FSQVAE:
    given: dict[str, Any] = {"levels": LEVELS, "width": 24, "features": 7} | settings
    model = build_model(ModelConfig(**given), seed=2).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith("project_in.weight"):
            parameter.mul_(10.0)
    return model


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4))


def channels_of(model: FSQVAE, features: Tensor) -> Tensor:
    latents = model.encode_latents(features).transpose(1, 2)
    return model.vqvae.quantizer.project_in(latents)  # type: ignore[operator, no-any-return]


@pytest.mark.parametrize("rows", [1, 2, 3, 17, 18, 19, 35, 36, 37, 100])
@pytest.mark.parametrize("step", [1, 2, 3, 9])
@pytest.mark.parametrize("causal", [False, True])
def test_three_taps_are_the_convolution(rows: int, step: int, causal: bool) -> None:
    kind, padding = (LeftPadded, 0) if causal else (torch.nn.Conv1d, step)
    layer = kind(5, 6, 3, padding=padding, dilation=step).requires_grad_(False)
    x = random(3, rows, 5)
    assert torch.allclose(ThreeTaps(layer)(x, None), layer(x.transpose(1, 2)).transpose(1, 2), atol=1e-5)
    rectified = layer(x.transpose(1, 2).relu()).relu().transpose(1, 2)
    assert torch.allclose(ThreeTaps(layer)(x, None, relu=True), rectified, atol=1e-5)


@pytest.mark.parametrize("rows", [2, 3, 4, 5, 6, 7, 50, 51, 52, 53])
@pytest.mark.parametrize("causal", [False, True])
def test_a_halving_is_the_convolution(rows: int, causal: bool) -> None:
    kind, padding = (LeftPadded, 0) if causal else (torch.nn.Conv1d, 1)
    layer = kind(5, 6, 4, stride=2, padding=padding).requires_grad_(False)
    x = random(3, rows, 5)
    assert torch.allclose(Halving(layer)(x, None), layer(x.transpose(1, 2)).transpose(1, 2), atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{}, {"causal": True}, {"down": 1}, {"down": 3, "dilation_growth": 2}, {"depth": 1, "latent": 9}],
    ids=lambda settings: "-".join(settings) or "plain",
)
@pytest.mark.parametrize("rows", [16, 63, 66, 145])
def test_channels_are_those_of_the_layers(settings: dict[str, Any], rows: int) -> None:
    model, features = make_model(**settings), random(5, rows, 7)
    found, wanted = FastEncoder(model).channels(features), channels_of(model, features)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() < 1e-5 * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize("causal", [False, True])
def test_clips_of_other_lengths_do_not_touch_one_another(causal: bool) -> None:
    model, lengths = make_model(causal=causal), [16, 21, 63, 64, 80]
    encoder, features = FastEncoder(model), random(5, 80, 7)
    found = encoder.channels(features, lengths)
    with ends_kept(model.vqvae.encoder, torch.tensor(lengths), 80):
        masked = channels_of(model, features.clone())
    for clip, length in enumerate(lengths):
        alone = encoder.channels(features[clip : clip + 1, :length])[0]
        assert torch.allclose(found[clip, : length // 4], alone, atol=1e-5)
        assert torch.allclose(found[clip, : length // 4], masked[clip, : length // 4], atol=1e-5)


def test_a_quantiser_without_projections_has_its_latents() -> None:
    model, features = make_model(levels=None, quantizer=VQConfig(size=32)), random(4, 60, 7)
    found = FastEncoder(model).channels(features)
    assert torch.allclose(found, model.encode_latents(features).transpose(1, 2), atol=1e-5)


def test_clips_go_through_in_parts_that_fit_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, features, lengths = FastEncoder(make_model()), random(7, 40, 7), [40, 39, 38, 37, 36, 35, 34]
    whole = encoder.channels(features, lengths)
    monkeypatch.setattr(fast_encoder, "CACHED_ROWS", 90)
    assert torch.allclose(encoder.channels(features, lengths), whole, atol=1e-6)
    monkeypatch.setattr(fast_encoder, "CACHED_ROWS", 10)
    assert torch.allclose(encoder.channels(features, lengths), whole, atol=1e-6)


def test_in_float64_the_channels_are_those_of_a_network_in_float64() -> None:
    model, features = make_model(), random(3, 63, 7).double()
    found = FastEncoder(model, torch.float64).channels(features)
    assert torch.allclose(found, channels_of(model.double(), features), atol=1e-12)


def test_features_stay_as_they_are() -> None:
    encoder, features = FastEncoder(make_model()), random(3, 40, 7)
    copy = features.clone()
    encoder.channels(features, [20, 30, 40])
    assert torch.equal(features, copy)


def test_a_tokenizer_notices_that_its_weights_have_changed() -> None:
    model, other = make_model(), build_model(ModelConfig(levels=LEVELS, width=24, features=7), seed=3)
    tokenizer = Tokenizer(
        model, mean_D=np.zeros(7, np.float32), std_D=np.ones(7, np.float32), representation="r", parameter_hash="p",
        codebook=65536, provenance={},
    )  # fmt: skip
    features = random(2, 64, 7)
    before = tokenizer.encode_normalised(features)
    assert torch.equal(before, model.encode(features))
    model.load_state_dict(other.state_dict())
    after = tokenizer.encode_normalised(features)
    assert not torch.equal(after, before)
    assert torch.equal(after, model.encode(features))


@pytest.mark.parametrize("settings", [{"norm": "LN"}, {"norm": "BN"}, {"patcher": "haar", "patch": 2}])
def test_norms_and_patches_go_through_the_layers_themselves(settings: dict[str, Any]) -> None:
    assert not is_served(make_model(**settings))
    assert is_served(make_model())
