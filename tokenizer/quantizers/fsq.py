"""Finite scalar quantisation, ScaMo's quantiser (Mentzer et al. 2023, arXiv:2309.15505; Lu et al. 2024, arXiv:2412.14559)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokenizer.quantizers.grid import Grid
from tokenizer.quantizers.levels import check_levels
from tokenizer.quantizers.projected import ProjectedQuantizer
from tokenizer.quantizers.protocol import QuantizerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class FSQConfig(QuantizerConfig):
    """Finite scalar quantiser."""

    kind: ClassVar[str] = "fsq"
    levels: tuple[int, ...]
    """Grid points per channel. Their product is the codebook size: 64,000 for the nominal 65536."""

    def __post_init__(self) -> None:
        check_levels(self.kind, self.levels)

    @property
    def codebook_size(self) -> int:
        """Product of the levels."""
        return math.prod(self.levels)


class FSQ(ProjectedQuantizer):
    """One grid point of one grid for every step. The two projections are all its weights, under the reference's names."""

    def __init__(self, config: FSQConfig, width: int) -> None:
        super().__init__(config, width, len(config.levels))
        self.grid = Grid(config.levels)

    def quantize_channels(self, channels: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Channels (..., k) to grid values (..., k) and codes (...); there is nothing to lose."""
        values, indices = self.grid(channels)
        return values, indices, channels.new_zeros(())

    def indices_of_channels(self, channels: Tensor) -> Tensor:
        """Codes (...) of channels (..., k)."""
        return self.grid.indices(channels)

    def values_of(self, indices: Tensor) -> Tensor:
        """Grid values (..., k) of codes (...)."""
        return self.grid.dequantize(indices)
