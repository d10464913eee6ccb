"""Convolutions, norms and residual blocks of the autoencoder, with the reference's names.

Shapes: B clips, C channels, T rows at whatever resolution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NORMS = ("none", "LN", "GN", "BN")
GROUPS = 32
"""Of a group norm, as in the reference."""


class LeftPadded(nn.Conv1d):
    """A convolution whose zeros all stand before the first row, so that no output has seen a later input.

    With stride s, output n has seen inputs up to s n + s - 1: the last row that it stands for, and no further.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, T) to (B, C', T // stride)."""
        before = self.dilation[0] * (self.kernel_size[0] - 1) - (self.stride[0] - 1)
        return super().forward(functional.pad(input, (before, 0)))


class CausalConv(nn.Module):
    """`LeftPadded` one level down, where published causal checkpoints have the weights of all but residual blocks."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = LeftPadded(channels, width, kernel, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C', T // stride)."""
        out: Tensor = self.conv(x)
        return out


def convolution(channels: int, width: int, *, causal: bool, halving: bool = False) -> nn.Module:
    """A convolution over three rows, or one over four that halves the time axis."""
    kernel, stride = (4, 2) if halving else (3, 1)
    if causal:
        return CausalConv(channels, width, kernel, stride)
    return nn.Conv1d(channels, width, kernel, stride=stride, padding=1)


class RowNorm(nn.LayerNorm):
    """Layer norm over the channels of each row by itself."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        return super().forward(input.transpose(1, 2)).transpose(1, 2)


def norm_named(name: str, width: int) -> nn.Module:
    """`none`; `LN` over each row; `GN` over groups of channels and all rows; `BN` over the batch."""
    match name:
        case "LN":
            return RowNorm(width)
        case "GN":
            return nn.GroupNorm(GROUPS, width, eps=1e-6)
        case "BN":
            return nn.BatchNorm1d(width, eps=1e-6)
    return nn.Identity()


class ResidualBlock(nn.Module):
    """Norm, ReLU, dilated convolution, norm, ReLU, 1x1 convolution, and the input added."""

    def __init__(self, width: int, dilation: int, *, norm: str = "none", causal: bool = False) -> None:
        super().__init__()
        self.norm1 = norm_named(norm, width)
        self.conv1 = (
            LeftPadded(width, width, 3, dilation=dilation)
            if causal
            else nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        )
        self.norm2 = norm_named(norm, width)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        inner: Tensor = self.conv1(torch.relu(self.norm1(x)))
        inner = self.conv2(torch.relu(self.norm2(inner)))
        return x + inner


class ResidualStack(nn.Module):
    """Residual blocks whose dilations fall (9, 3, 1), in the encoder and in the decoder alike."""

    def __init__(self, width: int, depth: int, growth: int, *, norm: str = "none", causal: bool = False) -> None:
        super().__init__()
        dilations = (growth**power for power in reversed(range(depth)))
        self.model = nn.Sequential(*(ResidualBlock(width, step, norm=norm, causal=causal) for step in dilations))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        out: Tensor = self.model(x)
        return out
