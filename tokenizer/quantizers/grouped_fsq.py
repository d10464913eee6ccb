"""Grouped FSQ: several grids side by side, each with a code of its own.

A codebook of levels^(2k) needs no table in FSQ, but the transformer behind it needs a row for every code. Two codes of
levels^k hold the same and need the square root of the rows. (The paper names it as further work; arXiv:2412.14559.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokenizer.quantizers.dropout import check_layers
from tokenizer.quantizers.grid import Grid
from tokenizer.quantizers.levels import check_levels
from tokenizer.quantizers.projected import ProjectedQuantizer
from tokenizer.quantizers.protocol import QuantizerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedFSQConfig(QuantizerConfig):
    """Finite scalar quantisers side by side."""

    kind: ClassVar[str] = "grouped_fsq"
    levels: tuple[int, ...]
    """Grid points per channel of one group."""
    groups: int = 2
    """Codes for one step of time."""

    def __post_init__(self) -> None:
        check_levels(self.kind, self.levels)
        check_layers(self.kind, "groups", self.groups)

    @property
    def codebook_size(self) -> int:
        """Product of the levels of one group."""
        return math.prod(self.levels)

    @property
    def codes_per_step(self) -> int:
        """One for each group."""
        return self.groups


class GroupedFSQ(ProjectedQuantizer):
    """The channels of all groups from one projection, group after group; one grid quantises each.

    Shapes: ... any batch shape, Q groups, k channels of one group. Indices are (..., Q).
    """

    def __init__(self, config: GroupedFSQConfig, width: int) -> None:
        super().__init__(config, width, config.groups * len(config.levels))
        self.config: GroupedFSQConfig = config
        self.grid = Grid(config.levels)

    def quantize_channels(self, channels: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Channels (..., Q k) to grid values (..., Q k) and codes (..., Q); there is nothing to lose."""
        values, indices = self.grid(self._parted(channels))
        return values.flatten(-2), indices, channels.new_zeros(())

    def indices_of_channels(self, channels: Tensor) -> Tensor:
        """Codes (..., Q) of channels (..., Q k)."""
        return self.grid.indices(self._parted(channels))

    def values_of(self, indices: Tensor) -> Tensor:
        """Grid values (..., Q k) of codes (..., Q)."""
        return self.grid.dequantize(indices).flatten(-2)

    def _parted(self, channels: Tensor) -> Tensor:
        return channels.reshape(*channels.shape[:-1], self.config.groups, len(self.config.levels))
