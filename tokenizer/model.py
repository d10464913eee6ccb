"""The convolutional FSQ-VAE of ScaMo, with the reference's layer names so that its weights load strictly.

Shapes: B batch, T feature rows (a multiple of four for an exact round trip), D features, C width, N = T / 4 codes.
The numbering inside `nn.Sequential` is the state-dict key of the published checkpoints; a layer must not move.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tokenizer.config import ModelConfig
from tokenizer.quantizers import Quantized, build_quantizer


class ResidualBlock(nn.Module):
    """ReLU, dilated convolution, ReLU, 1x1 convolution, and the input added."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        inner: Tensor = self.conv2(torch.relu(self.conv1(torch.relu(x))))
        return x + inner


class ResidualStack(nn.Module):
    """Residual blocks whose dilations fall (9, 3, 1), in the encoder and in the decoder alike."""

    def __init__(self, width: int, depth: int, growth: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*(ResidualBlock(width, growth**power) for power in reversed(range(depth))))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        out: Tensor = self.model(x)
        return out


class Encoder(nn.Module):
    """Rows to latents, four to one."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        halvings = (
            nn.Sequential(
                nn.Conv1d(width, width, 4, stride=2, padding=1),
                ResidualStack(width, config.depth, config.dilation_growth),
            )
            for _ in range(config.down)
        )
        self.model = nn.Sequential(
            nn.Conv1d(config.features, width, 3, padding=1),
            nn.ReLU(),
            *halvings,
            nn.Conv1d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, T) to (B, C, N)."""
        out: Tensor = self.model(x)
        return out


class Decoder(nn.Module):
    """Latents to rows, one to four."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        doublings = (
            nn.Sequential(
                ResidualStack(width, config.depth, config.dilation_growth),
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv1d(width, width, 3, padding=1),
            )
            for _ in range(config.down)
        )
        self.model = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=1),
            nn.ReLU(),
            *doublings,
            nn.Conv1d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(width, config.features, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) to (B, D, T)."""
        out: Tensor = self.model(x)
        return out


class Autoencoder(nn.Module):
    """Encoder, quantiser, decoder."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.quantizer = build_quantizer(config.quantizer, config.width)
        self.decoder = Decoder(config)


class FSQVAE(nn.Module):
    """The whole tokenizer network; its keys carry the reference's prefix `vqvae.`.

    Works in the normalised space of its statistics. A length that is no multiple of four is cut to codes as the
    reference cuts it (63 rows give 15 codes, 65 to 67 give 16), and the reconstruction has four rows a code.
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
        """Normalised features (B, 4 N, D) of codes (B, N) or (B, N, Q); every row of the batch stays a clip of its own."""
        latents = self.vqvae.quantizer.dequantize(codes)
        rows: Tensor = self.vqvae.decoder(latents.transpose(1, 2))
        return rows.transpose(1, 2)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Quantized]:
        """Reconstruction (B, 4 N, D) of normalised features (B, T, D), and what the quantiser gave.

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
