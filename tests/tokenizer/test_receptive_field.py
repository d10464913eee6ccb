"""The computed field is the one that gradients see."""

from __future__ import annotations

import pytest
import torch

from tokenizer.model import Encoder
from tokenizer.model_config import ModelConfig
from tokenizer.receptive_field import Field, field_of

CONFIGS = [
    ModelConfig(levels=(8, 6, 5), features=3, width=4),
    ModelConfig(levels=(8, 6, 5), features=3, width=4, causal=True),
    ModelConfig(levels=(8, 6, 5), features=3, width=4, norm="LN", down=1, patcher="haar", patch=2),
    ModelConfig(levels=(8, 6, 5), features=3, width=4, norm="BN", down=3, depth=2, dilation_growth=2),
    ModelConfig(levels=(8, 6, 5), features=3, width=4, causal=True, down=1, depth=2, patcher="rearrange", patch=4),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_code_sees_the_rows_of_its_field_and_no_other(config: ModelConfig) -> None:
    torch.manual_seed(0)
    encoder = Encoder(config).eval()
    # Weights of one sign and ReLUs that are open everywhere: no path cancels another, or is shut.
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.abs_()
    field = field_of(encoder)
    assert field is not None
    steps = 2 * (field.before + field.after) // config.rows_per_code + 8
    rows = torch.rand(1, config.features, steps * config.rows_per_code, requires_grad=True)
    code = steps // 2
    latents = encoder(rows)
    assert latents.shape[-1] == steps
    # Squared, as a layer norm's outputs of equal weight add up to a constant.
    (latents[0, :, code].square().sum()).backward()
    assert rows.grad is not None
    seen = rows.grad[0].abs().sum(dim=0).nonzero().flatten()
    first = code * config.rows_per_code
    assert (int(seen[0]), int(seen[-1])) == (first - field.before, first + field.after - 1)


def test_a_causal_code_sees_nothing_after_the_rows_that_it_stands_for() -> None:
    config = CONFIGS[1]
    field = field_of(Encoder(config))
    assert field is not None
    assert field.after == config.rows_per_code


def test_the_reference_network_sees_86_rows_before_and_89_after_a_code_s_first_row() -> None:
    # By hand: 1 + 13 at a quarter of the rows, through a kernel of four at half of them, 13 more, once again, and 1.
    config = ModelConfig(levels=(8, 6, 5), features=2, width=2)
    assert field_of(Encoder(config)) == Field(before=86, after=90)


def test_a_group_norm_sees_the_whole_clip() -> None:
    assert field_of(Encoder(ModelConfig(levels=(8, 6, 5), features=2, width=32, norm="GN"))) is None
