from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tokenizer.quantizers.vq import VQ, VQConfig


def made(size: int = 24, width: int = 16, **options: object) -> VQ:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return VQ(VQConfig(size=size, **options), width)  # type: ignore[arg-type]


def latents(steps: int, width: int = 16, seed: int = 0) -> Tensor:
    return torch.randn(steps, width, generator=torch.Generator().manual_seed(seed))


def test_three_training_steps_equal_the_references(read_golden) -> None:
    _, given, expected = read_golden("emavq_update")
    quantizer = made(24, 16, decay=0.5, commitment=1.0).train()
    for step in range(3):
        x = given[f"x_{step}"].transpose(1, 2)
        found = quantizer(x)
        tolerance = {"rtol": 0, "atol": 1e-6}
        torch.testing.assert_close(found.latents.transpose(1, 2), expected[f"quantised_{step}"], **tolerance)
        torch.testing.assert_close(found.loss, expected[f"commit_loss_{step}"], **tolerance)
        torch.testing.assert_close(quantizer.code_count, expected[f"code_count_{step}"], rtol=0, atol=0)
        for name in ("codebook", "code_sum"):
            torch.testing.assert_close(getattr(quantizer, name), expected[f"{name}_{step}"], **tolerance)


@pytest.mark.parametrize("case", ["t2mgpt_emavq", "scamo_emavq"])
@pytest.mark.parametrize("clip", ["a", "b"])
def test_codes_and_commitment_equal_the_references(read_golden, case: str, clip: str) -> None:
    weights, _, expected = read_golden(case)
    quantizer = made(64, 64, commitment=1.0).eval()
    quantizer.codebook.copy_(weights["vqvae.quantizer.codebook"])
    found = quantizer(expected[f"encoder_{clip}"].transpose(1, 2))
    assert torch.equal(found.indices, expected[f"indices_{clip}"])
    torch.testing.assert_close(found.loss, expected[f"commit_loss_{clip}"], rtol=0, atol=1e-5)
