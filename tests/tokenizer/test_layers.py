from __future__ import annotations

import pytest
import torch
from torch import nn

from motionunion.errors import ConfigError
from tokenizer.layers import LeftPadded, ResidualStack, RowNorm
from tokenizer.model import FSQVAE, build_model
from tokenizer.model_config import ModelConfig

CAUSAL = [
    {"down": 1},
    {"down": 2, "norm": "LN"},
    {"down": 3, "norm": "BN", "depth": 1},
    {"down": 1, "norm": "LN", "patcher": "haar", "patch": 4},
]


def causal_model(changes) -> FSQVAE:
    """A causal network in evaluation mode and float64, so that nothing but exact zeros is unseen."""
    config = ModelConfig(**{"levels": (8, 5), "features": 5, "width": 8, "depth": 2, "causal": True, **changes})
    return build_model(config, seed=4).double().eval()


def changed_at(run, x: torch.Tensor, place: int) -> list[int]:
    """Places of the output that change with one place of the input."""
    other = x.clone()
    other[:, place] += 1
    with torch.inference_mode():
        return (run(x) - run(other)).abs().sum(dim=(0, 2)).nonzero().flatten().tolist()


@pytest.mark.parametrize("changes", CAUSAL)
def test_a_causal_encoder_sees_its_own_rows_and_no_later_one(changes) -> None:
    model = causal_model(changes)
    R = model.config.rows_per_code
    x = torch.randn(1, 6 * R, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for row in (0, 2 * R, 3 * R - 1, 3 * R):
        seen = changed_at(lambda rows: model.encode_latents(rows).transpose(1, 2), x, row)
        assert seen[0] == row // R, f"row {row} belongs to code {row // R}"


@pytest.mark.parametrize("changes", CAUSAL)
def test_a_causal_decoder_sees_no_later_code(changes) -> None:
    model = causal_model(changes)
    R = model.config.rows_per_code
    latents = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for code in (0, 3):
        seen = changed_at(lambda z: model.vqvae.decoder(z.transpose(1, 2)).transpose(1, 2), latents, code)
        assert seen[0] == code * R, "the first row that a code stands for"


@pytest.mark.parametrize("changes", CAUSAL)
def test_codes_of_a_beginning_are_the_beginning_of_the_codes_where_the_network_is_causal(changes) -> None:
    model = causal_model(changes)
    R = model.config.rows_per_code
    x = torch.randn(2, 9 * R, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.inference_mode():
        whole = model.encode_latents(x)
        beginning = model.encode_latents(x[:, : 4 * R + 1])
    torch.testing.assert_close(beginning, whole[..., :4], rtol=0, atol=1e-12)


def test_a_network_that_is_not_causal_sees_later_rows() -> None:
    model = causal_model({"causal": False})
    x = torch.randn(1, 24, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert changed_at(lambda rows: model.encode_latents(rows).transpose(1, 2), x, 12)[0] < 3


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("down", "patch"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 4)])
def test_a_code_stands_for_as_many_rows_as_halvings_and_patches_make(causal: bool, down: int, patch: int) -> None:
    config = ModelConfig(
        levels=(8, 5), features=5, width=8, depth=1, down=down, causal=causal, patch=patch,
        patcher="none" if patch == 1 else "haar",
    )  # fmt: skip
    model, R = build_model(config, seed=0), patch * 2**down
    assert config.rows_per_code == R
    for rows in (R, 2 * R - 1, 3 * R, 5 * R + 1):
        with torch.inference_mode():
            codes = model.encode(torch.zeros(1, rows, 5))
            assert codes.shape == (1, rows // R)
            assert model.decode(codes).shape == (1, rows // R * R, 5)


def test_a_row_norm_is_a_layer_norm_of_every_row() -> None:
    norm = RowNorm(6)
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    x = torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(2))
    one = nn.functional.layer_norm(x[1, :, 4], (6,), norm.weight, norm.bias)
    torch.testing.assert_close(norm(x)[1, :, 4], one)


@pytest.mark.parametrize(("norm", "names"), [
    ("none", set()),
    ("LN", {"weight", "bias"}),
    ("GN", {"weight", "bias"}),
    ("BN", {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}),
])  # fmt: skip
def test_norms_stand_under_the_references_names(norm: str, names: set[str]) -> None:
    state = ResidualStack(32, 1, 3, norm=norm).state_dict()
    for place in ("norm1", "norm2"):
        assert {key.removeprefix(f"model.0.{place}.") for key in state if f".{place}." in key} == names


def test_a_norm_comes_before_its_activation() -> None:
    block = ResidualStack(32, 1, 3, norm="LN").model[0]
    x = torch.randn(1, 32, 7, generator=torch.Generator().manual_seed(0))
    inner = block.conv2(torch.relu(block.norm2(block.conv1(torch.relu(block.norm1(x))))))
    torch.testing.assert_close(block(x), x + inner)
    # A norm takes the size of its input away; only the shortcut still has it.
    torch.testing.assert_close(block(3 * x) - 3 * x, block(x) - x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 1, 9), (4, 2, 1)])
def test_a_left_padded_convolution_is_a_convolution_of_a_sequence_that_begins_with_zeros(
    kernel, stride, dilation
) -> None:
    layer = LeftPadded(2, 3, kernel, stride=stride, dilation=dilation)
    x = torch.randn(1, 2, 20, generator=torch.Generator().manual_seed(0))
    reach = dilation * (kernel - 1)
    zeros = torch.zeros(1, 2, 40)
    padded = nn.functional.conv1d(torch.cat([zeros, x], dim=2), layer.weight, layer.bias, dilation=dilation)
    # Every output at its last input: the last of the rows that it stands for.
    last = 40 - reach + torch.arange(stride - 1, 20, stride)
    torch.testing.assert_close(layer(x), padded[..., last])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"norm": "XN"}, "'XN' is not one of none, LN, GN, BN"),
        ({"norm": "GN"}, "GN needs a width that is a multiple of 32, got 8"),
        ({"norm": "GN", "width": 32, "causal": True}, "a causal network takes LN or none"),
        ({"latent": 0}, "model.latent: must be at least 1"),
        ({"patcher": "db4"}, "'db4' is not one of none, haar, rearrange"),
        ({"patcher": "haar", "patch": 3}, "must be a power of two, got 3"),
        ({"patch": 2}, "2 rows need a patcher"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(changes, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        ModelConfig(**{"levels": (8, 5), "features": 5, "width": 8, **changes})
