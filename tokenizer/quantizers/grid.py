"""The arithmetic of finite scalar quantisation (Mentzer et al. 2023, arXiv:2309.15505), index for index as ScaMo's.

Shapes: ... any batch shape, k channels (one per level). A code is one integer in [0, K); its digits are mixed-radix with the
*first* level the fastest. Our explicit rounding gives the reference's indices and does not rest on exact divisions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tokenizer.quantizers.levels import check_levels
from tokenizer.quantizers.protocol import float32_arithmetic, straight_through

EPSILON = 1e-3
"""Keeps the outermost grid points reachable: tanh stops just beyond them instead of on them."""


class Grid(nn.Module):
    """Rounds each channel to a few points in [-1, 1]; the codebook is the grid itself and has no weights."""

    level_k: Tensor
    basis_k: Tensor
    half_width_k: Tensor
    half_k: Tensor
    offset_k: Tensor
    shift_k: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = tuple(levels)
        check_levels("fsq", self.levels)
        self.codebook_size = math.prod(levels)
        level = torch.tensor(levels, dtype=torch.int64)
        half = (level - 1) * (1 + EPSILON) / 2
        offset = torch.where(level % 2 == 0, 0.5, 0.0)
        basis = torch.cumprod(torch.tensor([1, *levels[:-1]], dtype=torch.int64), dim=0)
        # Derived from the levels, so no state dict carries them (nor does the reference's).
        self.register_buffer("level_k", level, persistent=False)
        self.register_buffer("basis_k", basis, persistent=False)
        self.register_buffer("half_width_k", (level // 2).float(), persistent=False)
        self.register_buffer("half_k", half, persistent=False)
        self.register_buffer("offset_k", offset, persistent=False)
        self.register_buffer("shift_k", torch.atanh(offset / half), persistent=False)

    def bound(self, channels: Tensor) -> Tensor:
        """Squash channels (..., k) into the range of the grid, whose points are whole numbers; float32."""
        with float32_arithmetic(channels):
            return torch.tanh(channels.float() + self.shift_k) * self.half_k - self.offset_k

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Grid values (..., k) in [-1, 1] nearest to the bounded channels (..., k), and codes (...) in [0, K), int64.

        The gradient goes straight through the rounding.
        """
        with float32_arithmetic(channels):
            bounded = self.bound(channels)
            points = bounded.detach().round()
            return straight_through(points, bounded) / self.half_width_k, self._codes(points)

    def indices(self, channels: Tensor) -> Tensor:
        """Codes (...) alone of channels (..., k)."""
        return self._codes(self.bound(channels.detach()).round())

    def digits(self, indices: Tensor) -> Tensor:
        """Integer digits (..., k) of codes (...), each in [0, level)."""
        return indices.long().unsqueeze(-1) // self.basis_k % self.level_k

    def dequantize(self, indices: Tensor) -> Tensor:
        """Grid values (..., k), float32 in [-1, 1], of codes (...)."""
        return (self.digits(indices).float() - self.half_width_k) / self.half_width_k

    def _codes(self, points: Tensor) -> Tensor:
        return ((points + self.half_width_k) * self.basis_k).sum(dim=-1).long()
