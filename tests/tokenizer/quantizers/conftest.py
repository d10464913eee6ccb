from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tokenizer.quantizers import Quantizer, build_quantizer, quantizer_named


@pytest.fixture
def make_quantizer():
    """Makes a quantiser of a kind for a nominal codebook size, its first weights always the same."""

    def make(kind: str, codebook: int = 256, *, width: int = 12, seed: int = 5, **options: Any) -> Quantizer:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build_quantizer(quantizer_named(kind, codebook, **options), width)

    return make


@pytest.fixture
def make_latents():
    """Makes normally distributed latents of a shape."""

    def make(*shape: int, seed: int = 0) -> Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

    return make


@pytest.fixture
def known_codebook():
    """Makes the state of a VQ of which the codebook is known, as the reference leaves it behind."""

    def state(codebook: Tensor) -> dict[str, Tensor]:
        counts = torch.ones(len(codebook))
        return {"codebook": codebook, "code_sum": codebook, "code_count": counts, "steps": torch.tensor(1)}

    return state
