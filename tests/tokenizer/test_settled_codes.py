"""Codes do not depend on how a float32 sum happened to be added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tokenizer import settled_codes
from tokenizer.fast_encoder import FastEncoder
from tokenizer.model import FSQVAE, build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers.fsq import FSQ
from tokenizer.quantizers.lfq import LFQConfig
from tokenizer.quantizers.rvq import RVQConfig
from tokenizer.settled_codes import SettledCodes

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


def exact_codes(model: FSQVAE, clip: Tensor) -> Tensor:
    quantizer = model.vqvae.quantizer
    assert isinstance(quantizer, FSQ)
    return quantizer.indices_of_channels(FastEncoder(model, torch.float64).channels(clip[None].double()))[0]


@pytest.mark.parametrize("settings", [{}, {"causal": True}, {"down": 1}, {"down": 3}], ids=str)
def test_a_step_is_settled_from_the_rows_that_decide_it(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, lengths = make_model(**settings), [16, 63, 211, 280]
    features = random(4, 280, 7)
    rows = model.config.rows_per_code
    encoder = SettledCodes(model)
    wanted = [exact_codes(model, features[clip, :length]) for clip, length in enumerate(lengths)]
    # All that float32 has found is thrown away: every step has to be settled.
    monkeypatch.setattr(settled_codes, "OPEN", 0.6)
    encoder._fast.channels = lambda features, lengths=None: torch.zeros(4, 280 // rows, 6)  # type: ignore[method-assign]
    found = encoder.encode(features, lengths)
    for clip, length in enumerate(lengths):
        assert torch.equal(found[clip, : length // rows], wanted[clip])


def test_what_float32_adds_up_otherwise_changes_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    model, features = make_model(), random(12, 200, 7)
    encoder = SettledCodes(model)
    before, channels = encoder.encode(features), encoder._fast.channels
    # A thousand times the error there is, and as much more room: errors of the true size would take a million steps to be seen.
    monkeypatch.setattr(settled_codes, "OPEN", 6e-3)

    def shaken(features: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        found = channels(features, lengths)
        return found + 1e-3 * random(*found.shape).clamp(-1.5, 1.5)

    encoder._fast.channels = shaken  # type: ignore[method-assign]
    assert torch.equal(encoder.encode(features), before)
    monkeypatch.setattr(settled_codes, "OPEN", 0.0)
    assert not torch.equal(encoder.encode(features), before)


def test_few_steps_are_open() -> None:
    model, features = make_model(), random(30, 200, 7)
    encoder = SettledCodes(model)
    settled: list[int] = []
    encoder._settled = lambda features, step: settled.append(step) or torch.zeros(6)  # type: ignore[method-assign, func-returns-value]
    encoder.encode(features)
    assert len(settled) <= 3  # of 1,500


@pytest.mark.parametrize(
    "quantizer", [LFQConfig(size=256), RVQConfig(size=16, layers=3)], ids=lambda config: config.kind
)
def test_other_quantisers_have_the_codes_of_the_layers(quantizer: Any) -> None:
    model, features = make_model(levels=None, quantizer=quantizer), random(4, 60, 7)
    assert torch.equal(SettledCodes(model).encode(features), model.encode(features))


def test_steps_behind_the_end_of_a_clip_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled_codes, "OPEN", 0.6)
    encoder, features = SettledCodes(make_model()), random(2, 40, 7)
    settled: list[int] = []
    encoder._settled = lambda features, step: settled.append(step) or torch.zeros(6)  # type: ignore[method-assign, func-returns-value]
    encoder.encode(features, [18, 40])
    assert settled == [*range(4), *range(10)]
