"""Which rows of a clip decide a code, computed from an encoder's own convolutions.

Code n is decided by the rows in [R n - before, R n + after), R rows to a code; what of these lies outside the clip counts as
zeros at whatever layer asks for it.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from tokenizer.layers import LeftPadded
from tokenizer.patcher import Patcher


class Field(NamedTuple):
    """Reach of one code, in feature rows from the first row that it stands for."""

    before: int
    after: int
    """Exclusive, so that a code that saw nothing but its own R rows would have `after` = R."""


def field_of(encoder: nn.Module) -> Field | None:
    """The receptive field of an encoder, or None where every code sees the whole clip (group norm).

    Walks the layers from the last to the first. A residual block's shortcut sees less than its convolutions do, so that the
    field of the chain of convolutions is the field of all.
    """
    first = last = 0
    for module in reversed(list(encoder.modules())):
        if isinstance(module, nn.GroupNorm):
            return None
        if isinstance(module, nn.Conv1d):
            (kernel,), (stride,), (dilation,) = module.kernel_size, module.stride, module.dilation
            before = padding_before(module)
            first = first * stride - before
            last = last * stride - before + dilation * (kernel - 1)
        elif isinstance(module, Patcher):
            first, last = first * module.patch, last * module.patch + module.patch - 1
    return Field(before=-first, after=last + 1)


def padding_before(convolution: nn.Conv1d) -> int:
    """Zeros that a convolution sees before its first input."""
    if isinstance(convolution, LeftPadded):
        return convolution.dilation[0] * (convolution.kernel_size[0] - 1) - (convolution.stride[0] - 1)
    return int(convolution.padding[0])
