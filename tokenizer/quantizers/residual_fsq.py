"""Residual FSQ: every layer divides the cells of the layer before it into as many again.

A channel is bounded once, and its range cut into L^Q cells of equal width for L levels and Q layers. The first layer's digit
says in which L-th of the range the channel is, the next in which L-th of that, and so on: what each layer quantises is what
the layers before it left. Cells do not overlap, so no two rows of codes mean the same. Codes and values are those of
`ResidualFSQ` in vector-quantize-pytorch 1.32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from motionunion.errors import ConfigError
from tokenizer.quantizers.dropout import check_layers, kept_layers
from tokenizer.quantizers.levels import check_levels
from tokenizer.quantizers.projected import ProjectedQuantizer
from tokenizer.quantizers.protocol import QuantizerConfig, straight_through

FINEST = 1 << 16
"""Cells of one channel, at most: float32 still parts them well after a tanh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualFSQConfig(QuantizerConfig):
    """Finite scalar quantisers one after another."""

    kind: ClassVar[str] = "residual_fsq"
    levels: tuple[int, ...]
    """Parts into which a layer divides a cell of each channel."""
    layers: int = 2
    """Codes for one step of time, the coarsest first."""
    dropout: float = 0.0
    """Share of training steps at which only the first layers take part, 1 to all of them."""

    def __post_init__(self) -> None:
        check_levels(self.kind, self.levels)
        check_layers(self.kind, "layers", self.layers, self.dropout)
        if max(self.levels) ** self.layers > FINEST:
            raise ConfigError(
                f"{self.kind}: {max(self.levels)} levels in {self.layers} layers make {max(self.levels) ** self.layers:,} "
                f"cells of a channel, more than {FINEST:,}; take fewer layers"
            )

    @property
    def codebook_size(self) -> int:
        """Product of the levels: codes of one layer."""
        return math.prod(self.levels)

    @property
    def codes_per_step(self) -> int:
        """One for each layer."""
        return self.layers

    @property
    def residual(self) -> bool:
        """Every layer divides the cells of the one before."""
        return True


class ResidualFSQ(ProjectedQuantizer):
    """Successive division of each channel.

    Shapes: ... any batch shape, Q layers, k channels. Indices are (..., Q), the coarsest layer first; within a code the first
    level is the fastest digit, as in FSQ.
    """

    level_k: Tensor
    basis_k: Tensor
    reach_k: Tensor
    unit_Qk: Tensor
    steps: Tensor

    def __init__(self, config: ResidualFSQConfig, width: int) -> None:
        super().__init__(config, width, len(config.levels))
        self.config: ResidualFSQConfig = config
        level = torch.tensor(config.levels, dtype=torch.int64)
        self.register_buffer("level_k", level, persistent=False)
        basis = torch.cumprod(torch.tensor([1, *config.levels[:-1]], dtype=torch.int64), dim=0)
        self.register_buffer("basis_k", basis, persistent=False)
        # The outermost points of the first layer, which are half a cell from the ends of the range, are at -1 and 1.
        self.register_buffer("reach_k", level / (level - 1), persistent=False)
        units = torch.stack([level**power for power in reversed(range(config.layers))])
        self.register_buffer("unit_Qk", units, persistent=False)  # finest cells in a cell of each layer
        # Batches seen in training: what quantiser dropout is drawn from.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def quantize_channels(self, channels: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Channels (..., k) to values (..., k) and codes (..., Q); there is nothing to lose."""
        bounded = torch.tanh(channels / self.reach_k)
        cells = self._cells(bounded.detach())
        values = self._centres(cells, self._kept_unit()) * self.reach_k
        return straight_through(values, bounded * self.reach_k), self._codes(cells), channels.new_zeros(())

    def indices_of_channels(self, channels: Tensor) -> Tensor:
        """Codes (..., Q) of channels (..., k)."""
        return self._codes(self._cells(torch.tanh(channels / self.reach_k)))

    def values_of(self, indices: Tensor) -> Tensor:
        """Values (..., k) of codes (..., q); q may be less than Q, and then cells of layer q are meant, by their centres.

        Raises:
            ConfigError: If there are more codes for a step than layers.
        """
        given = indices.shape[-1]
        if not 1 <= given <= self.config.layers:
            raise ConfigError(
                f"residual_fsq: {given} codes for a step, of a quantiser with {self.config.layers} layers"
            )
        digits = indices.long().unsqueeze(-1) // self.basis_k % self.level_k
        cells = (digits * self.unit_Qk[:given]).sum(dim=-2)
        return self._centres(cells, self.unit_Qk[given - 1]) * self.reach_k

    def _cells(self, bounded: Tensor) -> Tensor:
        """Finest cells (..., k), int64, of channels (..., k) in [-1, 1]."""
        count_k = self.level_k**self.config.layers
        return torch.minimum(((bounded + 1) / 2 * count_k).long(), count_k - 1)

    def _centres(self, cells: Tensor, unit_k: Tensor) -> Tensor:
        """Centres (..., k) in [-1, 1] of the cells of `unit_k` finest ones in which finest cells (..., k) lie."""
        count_k = self.level_k**self.config.layers // unit_k
        return (2 * (cells // unit_k) + 1 - count_k).float() / count_k

    def _codes(self, cells: Tensor) -> Tensor:
        """Codes (..., Q) of finest cells (..., k)."""
        return (cells.unsqueeze(-2) // self.unit_Qk % self.level_k * self.basis_k).sum(dim=-1)

    def _kept_unit(self) -> Tensor:
        if not self.training or not self.config.dropout:
            return self.unit_Qk[-1]
        kept = kept_layers(self.steps, self.config.layers, self.config.dropout)
        self.steps += 1
        return self.level_k ** (self.config.layers - kept)
