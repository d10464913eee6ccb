"""Finite scalar quantisation (Mentzer et al. 2023, arXiv:2309.15505), index for index as ScaMo's public code.

Shapes: ... any batch shape, k latent channels (one per level). A code is one integer in [0, K); its digits are mixed-radix
with the *first* level the fastest. K is the product of the levels, which is rarely the nominal size: "65536" is 64,000.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from motionunion.errors import ConfigError

# 8192 and 32768 are in the paper's range but in no public code; these two are our choice, and every manifest records
# the levels themselves. 4096 has more codes than its name says.
LEVELS: dict[int, tuple[int, ...]] = {
    256: (8, 6, 5),
    512: (8, 8, 8),
    1024: (8, 5, 5, 5),
    2048: (8, 8, 6, 5),
    4096: (7, 5, 5, 5, 5),
    8192: (8, 8, 5, 5, 5),
    16384: (8, 8, 8, 6, 5),
    32768: (8, 8, 8, 8, 8),
    65536: (8, 8, 8, 5, 5, 5),
}
EPSILON = 1e-3
"""Keeps the outermost grid points reachable: tanh stops just beyond them instead of on them."""


def levels_of(nominal: int) -> tuple[int, ...]:
    """Levels of a nominal codebook size.

    Raises:
        ConfigError: If the size has no level set; the message lists the sizes that have one.
    """
    if nominal not in LEVELS:
        raise ConfigError(
            f"codebook size {nominal} has no level set; choose one of {', '.join(map(str, LEVELS))} "
            "(nominal sizes; the true size is the product of the levels)"
        )
    return LEVELS[nominal]


class FSQ(nn.Module):
    """Rounds each latent channel to a small grid; the codebook is the grid itself and has no weights.

    All arithmetic is float32 whatever the autocast state: in bfloat16 the eight levels of a channel are only a few
    units of precision apart, and codes would change with the precision of the caller.
    """

    levels_k: Tensor
    basis_k: Tensor
    half_width_k: Tensor
    half_k: Tensor
    offset_k: Tensor
    shift_k: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ConfigError(f"fsq levels: every entry must be at least 2, got {tuple(levels)}")
        self.levels = tuple(levels)
        self.codebook_size = math.prod(levels)
        level = torch.tensor(levels, dtype=torch.int64)
        half = (level - 1) * (1 + EPSILON) / 2
        offset = torch.where(level % 2 == 0, 0.5, 0.0)
        basis = torch.cumprod(torch.tensor([1, *levels[:-1]], dtype=torch.int64), dim=0)
        # Derived from the levels, so no state dict carries them (nor does the reference's).
        self.register_buffer("levels_k", level, persistent=False)
        self.register_buffer("basis_k", basis, persistent=False)
        self.register_buffer("half_width_k", level // 2, persistent=False)
        self.register_buffer("half_k", half, persistent=False)
        self.register_buffer("offset_k", offset, persistent=False)
        self.register_buffer("shift_k", torch.atanh(offset / half), persistent=False)

    def bound(self, z: Tensor) -> Tensor:
        """Squash latents (..., k) into the range of the grid; float32."""
        with torch.autocast(z.device.type, enabled=False):
            return torch.tanh(z.float() + self.shift_k) * self.half_k - self.offset_k

    def quantize(self, z: Tensor) -> Tensor:
        """Grid values in [-1, 1] nearest to the bounded latents (..., k), with a straight-through gradient."""
        bounded = self.bound(z)
        with torch.autocast(z.device.type, enabled=False):
            rounded = bounded + (bounded.round() - bounded).detach()
            return rounded / self.half_width_k

    def indices(self, values: Tensor) -> Tensor:
        """Codes (...) in [0, K), int64, of grid values (..., k) as `quantize` gives them."""
        digits = (values.float() * self.half_width_k).round().long() + self.half_width_k
        return (digits * self.basis_k).sum(dim=-1)

    def digits(self, indices: Tensor) -> Tensor:
        """Integer digits (..., k) of codes (...), each in [0, level)."""
        return indices.long().unsqueeze(-1) // self.basis_k % self.levels_k

    def dequantize(self, indices: Tensor) -> Tensor:
        """Grid values (..., k), float32 in [-1, 1], of codes (...)."""
        return (self.digits(indices) - self.half_width_k).float() / self.half_width_k
