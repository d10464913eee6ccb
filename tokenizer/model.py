"""The convolutional autoencoder of ScaMo, T2M-GPT, MoMask and MotionMillion, with the references' layer names, so that
their weights load strictly.

Shapes: B batch, T feature rows, D features, C channels of a latent, R rows to a code (`ModelConfig.rows_per_code`), N = T // R
codes. A length that is a multiple of R makes an exact round trip. The numbering inside `nn.Sequential` is the state-dict key of the published checkpoints; a layer must not move.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tokenizer.layers import ResidualStack, convolution
from tokenizer.model_config import ModelConfig
from tokenizer.patcher import Patcher, Unpatcher
from tokenizer.quantizers import Quantized, build_quantizer


class Encoder(nn.Module):
    """Rows to latents, `rows_per_code` to one."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, causal = config.width, config.causal
        halvings = (
            nn.Sequential(convolution(width, width, causal=causal, halving=True), _stack(config))
            for _ in range(config.down)
        )
        self.model = nn.Sequential(
            *_patching(Patcher, config),
            convolution(config.features * config.patch, width, causal=causal),
            nn.ReLU(),
            *halvings,
            convolution(width, config.latent_width, causal=causal),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, T) to (B, C, N)."""
        out: Tensor = self.model(x)
        return out


class Decoder(nn.Module):
    """Latents to rows, one to `rows_per_code`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, causal = config.width, config.causal
        doublings = (
            nn.Sequential(
                _stack(config),
                nn.Upsample(scale_factor=2, mode="nearest"),
                convolution(width, width, causal=causal),
            )
            for _ in range(config.down)
        )
        self.model = nn.Sequential(
            convolution(config.latent_width, width, causal=causal),
            nn.ReLU(),
            *doublings,
            convolution(width, width, causal=causal),
            nn.ReLU(),
            convolution(width, config.features * config.patch, causal=causal),
            *_patching(Unpatcher, config),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) to (B, D, T)."""
        out: Tensor = self.model(x)
        return out


def _stack(config: ModelConfig) -> ResidualStack:
    return ResidualStack(config.width, config.depth, config.dilation_growth, norm=config.norm, causal=config.causal)


def _patching(direction: type[Patcher] | type[Unpatcher], config: ModelConfig) -> list[nn.Module]:
    """The layer itself, or none: a patcher of one row computes nothing, but moves the numbers of the layers behind it."""
    return [] if config.patcher == "none" else [direction(config.patcher, config.patch)]


class Autoencoder(nn.Module):
    """Encoder, quantiser, decoder."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.quantizer = build_quantizer(config.quantizer, config.latent_width)
        self.decoder = Decoder(config)


class FSQVAE(nn.Module):
    """The whole tokenizer network; its keys carry the reference's prefix `vqvae.`.

    Works in the normalised space of its statistics. A length that is no multiple of R is cut to codes as the reference
    cuts it (with R = 4, 63 rows give 15 codes, 65 to 67 give 16), and the reconstruction has R rows a code. A causal
    network's code n has seen no row from R (n + 1) on, and its row t no code beyond t // R.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.vqvae = Autoencoder(config)

    def encode_latents(self, features: Tensor) -> Tensor:
        """Encoder output (B, C, N) of normalised features (B, T, D), before the quantiser."""
        latents: Tensor = self.vqvae.encoder(features.transpose(1, 2))
        return latents

    def encode(self, features: Tensor) -> Tensor:
        """Codes (B, N), or (B, N, Q) of several a step, int64, of normalised features (B, T, D); learns nothing."""
        return self.vqvae.quantizer.indices(self.encode_latents(features).transpose(1, 2))

    def decode(self, codes: Tensor) -> Tensor:
        """Normalised features (B, R N, D) of codes (B, N) or (B, N, Q); every row of the batch stays a clip of its own."""
        latents = self.vqvae.quantizer.dequantize(codes)
        rows: Tensor = self.vqvae.decoder(latents.transpose(1, 2))
        return rows.transpose(1, 2)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Quantized]:
        """Reconstruction (B, R N, D) of normalised features (B, T, D), and what the quantiser gave.

        `mask` (B, T) is 1 on real rows: a quantiser neither learns from nor loses by a code that begins on padding.
        """
        latents = self.encode_latents(features).transpose(1, 2)
        steps = None if mask is None else mask[:, :: self.config.rows_per_code][:, : latents.shape[1]]
        quantised: Quantized = self.vqvae.quantizer(latents, steps)
        rows: Tensor = self.vqvae.decoder(quantised.latents.transpose(1, 2))
        return rows.transpose(1, 2), quantised


def build_model(config: ModelConfig, seed: int) -> FSQVAE:
    """A network whose initial weights are a function of the configuration and the seed alone (PyTorch's default
    initialisation), leaving the caller's random state untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` would seed the GPUs as well
        return FSQVAE(config)
