"""Residual vector quantisation: every layer quantises what the layers before it left (Zeghidour et al. 2021, arXiv:2107.03312).

Layer for layer as MoMask's (Guo et al. 2024, arXiv:2312.00063) but for three things. The gradient goes straight through once,
from the sum of the layers; the reference adds up a straight path for each layer, so that the reconstruction's gradient reaches
the encoder as many times over. Codes are nearest vectors in training too, where the reference draws them at random by
distance. A shared codebook is stored once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from motionunion.errors import ConfigError
from tokenizer.quantizers.dropout import check_layers, kept_layers
from tokenizer.quantizers.protocol import (
    Quantized,
    Quantizer,
    float32_arithmetic,
    masked_mean,
    straight_through,
)
from tokenizer.quantizers.vq import VQ, VQConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RVQConfig(VQConfig):
    """Residual vector quantiser. What `VQConfig` sets holds for every layer; `size` is that of one."""

    kind: ClassVar[str] = "rvq"
    layers: int = 6
    """Codes for one step of time, the coarsest first."""
    shared: bool = False
    """Whether all layers share one codebook."""
    dropout: float = 0.2
    """Share of training steps at which only the first layers take part, 1 to all of them."""

    def __post_init__(self) -> None:
        VQConfig.__post_init__(self)
        check_layers(self.kind, "layers", self.layers, self.dropout)

    @property
    def layer(self) -> VQConfig:
        """Configuration of one layer."""
        return VQConfig(**{field.name: getattr(self, field.name) for field in fields(VQConfig)})

    @property
    def codes_per_step(self) -> int:
        """One for each layer."""
        return self.layers

    @property
    def residual(self) -> bool:
        """Every layer quantises what is left."""
        return True


class RVQ(Quantizer):
    """Several vector quantisers, one after another; the sum of their vectors stands for the latent.

    Shapes: ... any batch shape, C channels, Q layers. Indices are (..., Q), the first layer first.
    """

    steps: Tensor

    def __init__(self, config: RVQConfig, width: int) -> None:
        super().__init__()
        self.config: RVQConfig = config
        self.layers = nn.ModuleList(VQ(config.layer, width) for _ in range(1 if config.shared else config.layers))
        # Batches seen in training: what quantiser dropout is drawn from.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, latents: Tensor, mask: Tensor | None = None) -> Quantized:
        """Quantise latents (..., C); in training mode the codebooks move, and the last layers may be left out of the sum.

        Indices are those of all layers even then.
        """
        with float32_arithmetic(latents):
            latents = latents.float()
            kept = self._kept()
            rest, total = latents, torch.zeros_like(latents)
            indices, loss = [], latents.new_zeros(())
            for number, layer in enumerate(self._in_order()):
                active = number < kept
                codes, found = layer.assign(rest, mask, active)
                indices.append(found)
                # A product, not a branch: a branch waits for the GPU.
                loss = loss + active * masked_mean((rest - codes).square(), mask)
                total = total + active * codes
                rest = rest - codes
            loss = self.config.commitment * loss / kept
            return Quantized(straight_through(total, latents), torch.stack(indices, dim=-1), loss, None)

    def indices(self, latents: Tensor) -> Tensor:
        """Codes (..., Q) of latents (..., C)."""
        with float32_arithmetic(latents):
            rest, indices = latents.detach().float(), []
            for layer in self._in_order():
                indices.append(layer.indices(rest))
                rest = rest - layer.dequantize(indices[-1])
            return torch.stack(indices, dim=-1)

    def dequantize(self, indices: Tensor) -> Tensor:
        """Sum (..., C) of the vectors of codes (..., q); q may be less than Q, and then the first q layers speak.

        Raises:
            ConfigError: If there is no code for a step, or more than layers.
        """
        if not 1 <= indices.shape[-1] <= self.config.layers:
            raise ConfigError(
                f"rvq: {indices.shape[-1]} codes for a step, of a quantiser with {self.config.layers} layers"
            )
        columns = zip(self._in_order(), indices.unbind(dim=-1), strict=False)
        # From the first to the last, as `forward` adds them: another order would round differently.
        return sum(
            (layer.dequantize(column) for layer, column in columns), start=torch.zeros((), device=indices.device)
        )

    def _in_order(self) -> list[VQ]:
        layers = cast(list[VQ], list(self.layers))
        return layers * self.config.layers if self.config.shared else layers

    def _kept(self) -> Tensor:
        if not self.training:
            return self.steps.new_full((), self.config.layers)
        kept = kept_layers(self.steps, self.config.layers, self.config.dropout)
        self.steps += 1
        return kept
