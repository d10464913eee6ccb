"""Random numbers that are functions of a step's number alone.

A quantiser that resets codes or leaves layers out needs chance. Drawn from a generator, it would depend on what else draws
from it, and a resumed run would need the generator's state; drawn from the number of the step, which the state dict holds, it
needs neither, never waits for a GPU, and every process of a team draws the same. Counter-based generation as in Salmon et
al. 2011 ("Parallel random numbers: as easy as 1, 2, 3"), with the mixing function of SplitMix64 (Steele et al. 2014).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

GAMMA = 0x9E3779B97F4A7C15
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
LAST_SHIFT = 31
STREAM_STRIDE = 1 << 40
"""Draws of one stream at one step, at most; steps are as far apart as streams times this, modulo 2^64."""


def uniform(step: Tensor, shape: tuple[int, ...], *, stream: int) -> Tensor:
    """Float32 numbers in (0, 1) of a shape, on the device of `step`.

    Args:
        step: Scalar int64, the number of the step.
        shape: Of the result.
        stream: Parts what is drawn at one step for different ends; a small number.
    """
    counter = torch.arange(math.prod(shape), device=step.device, dtype=torch.int64)
    # Two rounds, so that neither near steps nor near streams give shifted copies of one another.
    mixed = _mix(counter + _mix(step * _signed(GAMMA) + stream * STREAM_STRIDE))
    # 23 bits and a half: with one bit more, float32 would round the largest number to 1.
    return ((_shift_right(mixed, 41).float() + 0.5) * 2.0**-23).reshape(shape)


def normal(step: Tensor, shape: tuple[int, ...], *, stream: int) -> Tensor:
    """Float32 standard normal numbers of a shape (Box and Muller 1958); arguments as for `uniform`."""
    radius, angle = uniform(step, (2, *shape), stream=stream)
    length: Tensor = (-2 * radius.log()).sqrt()
    return length * torch.cos(2 * math.pi * angle)


def _mix(value: Tensor) -> Tensor:
    """SplitMix64 of an int64 tensor, whose products wrap around as unsigned ones do."""
    value = value * _signed(GAMMA) + _signed(GAMMA)
    for shift, factor in MIX:
        value = (value ^ _shift_right(value, shift)) * _signed(factor)
    return value ^ _shift_right(value, LAST_SHIFT)


def _shift_right(value: Tensor, bits: int) -> Tensor:
    """Logical shift: zeros come in from the left, where int64's own shift repeats the sign."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    """The int64 of the same 64 bits."""
    return value - (1 << 64) if value >= 1 << 63 else value
