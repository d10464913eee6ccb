"""Lookup-free quantisation (Yu et al. 2023, MAGVIT-v2, arXiv:2310.05737): a code is the signs of its channels.

Nothing pulls a sign towards its channel but the straight-through gradient, so two entropies are part of the loss: of a single
latent's soft choice of a code, which shall be small, and of the batch's average choice, which shall be large. All codes are all
patterns of signs, hence a latent's choice is independent from channel to channel and both entropies follow without a table of
latents times codes: the first is a sum over channels; for the second the channels are parted into two halves, whose patterns
are few, and the average choice of K codes is one product of two small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from motionunion.errors import ConfigError
from tokenizer.quantizers.projected import ProjectedQuantizer
from tokenizer.quantizers.protocol import QuantizerConfig, check_size, masked_mean, straight_through

LEAST = 1e-20
"""Probabilities are held above this in logarithms, where the gradient of p ln p would be infinite times zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LFQConfig(QuantizerConfig):
    """Lookup-free quantiser."""

    kind: ClassVar[str] = "lfq"
    size: int
    """Codes, a power of two: one channel for each factor."""
    entropy: float = 0.1
    """Weight of the two entropies."""
    diversity: float = 1.0
    """Weight of the batch's entropy against the single latents'."""
    inverse_temperature: float = 100.0
    """How sharp the soft choice is."""
    commitment: float = 0.25
    """Weight of the mean squared distance between channels and their signs."""

    def __post_init__(self) -> None:
        if self.size < 2 or self.size & (self.size - 1):
            raise ConfigError(f"{self.kind}.size: must be a power of two, at least 2, got {self.size}")
        check_size(self.kind, self.size)
        for name in ("entropy", "diversity", "inverse_temperature", "commitment"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{self.kind}.{name}: must not be negative, got {getattr(self, name)}")

    @property
    def codebook_size(self) -> int:
        """The size itself."""
        return self.size

    @property
    def channels(self) -> int:
        """Binary channels of a code."""
        return self.size.bit_length() - 1


class LFQ(ProjectedQuantizer):
    """One sign for each channel; the first channel is the highest bit of a code, as in vector-quantize-pytorch.

    Shapes: ... any batch shape, k channels.
    """

    bounded_by_tanh = False
    bit_k: Tensor

    def __init__(self, config: LFQConfig, width: int) -> None:
        super().__init__(config, width, config.channels)
        self.config: LFQConfig = config
        bits = 1 << torch.arange(config.channels - 1, -1, -1, dtype=torch.int64)
        self.register_buffer("bit_k", bits, persistent=False)

    @property
    def scale(self) -> float:
        """Absolute value of every channel of a code."""
        return 1.0

    def prepare(self, channels: Tensor) -> Tensor:
        """Channels (..., k) as they are compared with codes."""
        return channels

    def quantize_channels(self, channels: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Channels (..., k) to signed values (..., k), codes (...), and entropies and commitment, weighted."""
        prepared = self.prepare(channels)
        values = torch.where(prepared > 0, self.scale, -self.scale)
        loss = self.config.commitment * masked_mean((prepared - values).square(), mask)
        if self.config.entropy:
            alone, together = sign_entropies(4 * self.config.inverse_temperature * self.scale * prepared, mask)
            loss = loss + self.config.entropy * (alone - self.config.diversity * together)
        return straight_through(values, prepared), self.indices_of_channels(channels), loss

    def indices_of_channels(self, channels: Tensor) -> Tensor:
        """Codes (...) of channels (..., k)."""
        return ((channels > 0) * self.bit_k).sum(dim=-1)

    def values_of(self, indices: Tensor) -> Tensor:
        """Signed values (..., k) of codes (...)."""
        up = (indices.long().unsqueeze(-1) & self.bit_k) != 0
        return torch.where(up, self.scale, -self.scale)


def sign_entropies(logits: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean entropy of the latents' choices and entropy of their mean choice, in nats, over all 2^k patterns of k signs.

    Args:
        logits: (..., k), the log odds of a plus in each channel.
        mask: (...), 0 where a latent does not count.
    """
    channels = logits.shape[-1]
    flat = logits.reshape(-1, channels)
    weight = flat.new_ones(len(flat)) if mask is None else mask.reshape(-1).to(flat.dtype)
    weight = weight / weight.sum().clamp(min=1)
    plus = torch.sigmoid(flat)
    alone = weight @ (functional.softplus(flat) - flat * plus).sum(dim=1)
    high, low = _patterns(plus[:, : channels // 2]), _patterns(plus[:, channels // 2 :])
    mean = (high * weight[:, None]).T @ low
    together = -(mean * mean.clamp(min=LEAST).log()).sum()
    return alone, together


def _patterns(plus_Mk: Tensor) -> Tensor:
    """Probabilities (M, 2^k) of all patterns of k independent signs; one column where k is 0."""
    patterns = plus_Mk.new_ones(len(plus_Mk), 1)
    for column in plus_Mk.unbind(dim=1):
        both = torch.stack((1 - column, column), dim=1)
        patterns = (patterns[:, :, None] * both[:, None, :]).flatten(1)
    return patterns
