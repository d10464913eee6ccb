"""Patches of rows: the time axis folded into channels before the first convolution, and back after the last.

MotionMillion's patcher (Fan et al. 2025, arXiv:2507.07095), which is the one-dimensional part of NVIDIA's Cosmos tokenizers.
`haar` splits every pair of rows into what they share and what they differ by, again and again up to the patch size;
`rearrange` only puts the rows of a patch side by side. Shapes: B clips, C channels, T rows, P rows of a patch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

PATCHERS = ("none", "haar", "rearrange")

_TAPS = {"haar": math.sqrt(0.5), "rearrange": 1.0}
"""Both entries of the buffer that published checkpoints hold; it tells the two kinds apart."""
_SCALE = 0.5
"""Of each level on top of the orthonormal wavelet: a level then shrinks what two rows share by the square root of two."""


class _Patches(nn.Module):
    """What both directions hold. The two buffers are in published state dicts, also where a patch is one row."""

    wavelets: Tensor
    _arange: Tensor

    def __init__(self, kind: str, patch: int) -> None:
        super().__init__()
        self.kind, self.patch = kind, patch
        self.levels = patch.bit_length() - 1
        self.register_buffer("wavelets", torch.full((2,), _TAPS[kind]))
        self.register_buffer("_arange", torch.arange(2))


class Patcher(_Patches):
    """Rows to patches. Rows beyond a multiple of the patch are cut."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C P, T // P)."""
        x = x[..., : x.shape[-1] // self.patch * self.patch]
        if self.kind == "rearrange":
            clips, channels, rows = x.shape
            parts = x.reshape(clips, channels, rows // self.patch, self.patch)
            return parts.transpose(2, 3).reshape(clips, channels * self.patch, rows // self.patch)
        tap, other = (self.wavelets * _SCALE).to(x.dtype)
        for _ in range(self.levels):
            first, second = tap * x[..., 0::2], other * x[..., 1::2]
            x = torch.cat([first + second, first - second], dim=1)
        return x


class Unpatcher(_Patches):
    """Patches to rows: the exact inverse of `Patcher`."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C P, N) to (B, C, N P)."""
        if self.kind == "rearrange":
            clips, channels, patches = x.shape
            parts = x.reshape(clips, channels // self.patch, self.patch, patches)
            return parts.transpose(2, 3).reshape(clips, channels // self.patch, patches * self.patch)
        tap, other = (self.wavelets / _SCALE).to(x.dtype)
        for _ in range(self.levels):
            shared, difference = x.chunk(2, dim=1)
            x = torch.stack([tap * (shared + difference), other * (shared - difference)], dim=3).flatten(2, 3)
        return x
