"""The encoder on a processor, in float32, with a third fewer multiplications than its convolutions ask for.

A convolution over three rows takes six products for two outputs, and four are enough (Winograd, Arithmetic Complexity of
Computations, 1980, F(2,3); Lavin and Gray 2016, arXiv:1509.09308):

    y0 = (x0 - x2) g0 + (x1 + x2) (g0 + g1 + g2) / 2 + (x2 - x1) (g0 - g1 + g2) / 2
    y1 = (x1 + x2) (g0 + g1 + g2) / 2 - (x2 - x1) (g0 - g1 + g2) / 2 - (x1 - x3) g2

The same for two taps takes three products for four, F(2,2); a halving convolution is one over two pairs of rows. The last convolution
and the quantiser's first projection, with nothing between them, are one. Sums are added up in another order than by the
layers themselves, so that channels differ in the last bits. Shapes: B clips, T rows at whatever resolution, C channels, O channels of an
output, N steps; channels lie last, so that every product is one of large matrices. Rows outside a clip are zeros for every layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tokenizer.layers import ResidualBlock
from tokenizer.model import FSQVAE
from tokenizer.quantizers.projected import ProjectedQuantizer
from tokenizer.receptive_field import padding_before

CACHED_ROWS = 4096
"""Feature rows that go through all layers together, about (but one clip at least): what a layer leaves is still in the cache then."""

Ends = Sequence[int] | None
"""Rows of each clip at the resolution of a layer; None where all have as many as the batch."""


def is_served(model: FSQVAE) -> bool:
    """Whether a network is computed here: on a processor, without norms and patches."""
    on_cpu = next(model.parameters()).device.type == "cpu"
    return on_cpu and model.config.norm == "none" and model.config.patcher == "none"


class FastEncoder:
    """Channels of normalised features, from a copy of a network's weights in the form that the products above need.

    Args:
        model: One that `is_served`.
        dtype: In which all is computed.
    """

    def __init__(self, model: FSQVAE, dtype: torch.dtype = torch.float32) -> None:
        first, _, *halvings, last = model.vqvae.encoder.model
        self.dtype = dtype
        self._versions = _versions(model)
        self._first = ThreeTaps(_convolution_in(first), dtype)
        self._levels = [
            (Halving(_convolution_in(halving[0]), dtype), [Block(block, dtype) for block in halving[1].model])  # type: ignore[index]
            for halving in halvings
        ]
        quantizer, convolution = model.vqvae.quantizer, _convolution_in(last)
        self._last: ThreeTaps | Projected = ThreeTaps(convolution, dtype)
        if isinstance(quantizer, ProjectedQuantizer):
            self._last = Projected(convolution, quantizer.project_in, dtype)

    def is_of(self, model: FSQVAE) -> bool:
        """Whether the network's weights are still those that were copied."""
        return self._versions == _versions(model)

    def channels(self, features: Tensor, lengths: Ends = None) -> Tensor:
        """What the quantiser rounds (B, N, k), where it projects latents to k channels, else the latents (B, N, C).

        Args:
            features: Normalised (B, T, D), of the type in which all is computed. Not changed.
            lengths: Rows of each clip; all T where None. Steps from `length // R` on mean nothing, R rows to a step.
        """
        # Parts of like size: a few clips left over would cost as much as many.
        clips = -(-len(features) // max(1, round(len(features) * features.shape[1] / CACHED_ROWS)))
        parts = [
            self._part(features[first : first + clips], lengths and lengths[first : first + clips])
            for first in range(0, len(features), clips)
        ]
        return torch.cat(parts)

    def _part(self, features: Tensor, lengths: Ends) -> Tensor:
        x = self._first(features, lengths).relu_()
        for halving, blocks in self._levels:
            x = halving(x, lengths)
            lengths = lengths and [length // 2 for length in lengths]
            for block in blocks:
                block.add_to(x, lengths)
        return self._last(x, lengths)


class ThreeTaps:
    """A convolution over three rows, any number of rows apart."""

    def __init__(self, convolution: nn.Conv1d, dtype: torch.dtype = torch.float32) -> None:
        (self.step,), self.before = convolution.dilation, padding_before(convolution)
        one, two, three = _taps(convolution)
        self.weights = [w.to(dtype) for w in (one, (one + two + three) / 2, (one - two + three) / 2, -three)]
        self.bias = _bias(convolution, dtype)

    def __call__(self, x: Tensor, ends: Ends, *, relu: bool = False) -> Tensor:
        """(B, T, C) to (B, T, O); with `relu`, of the positive parts and only these."""
        clips, rows, channels = x.shape
        step = self.step
        pairs = -(-rows // (2 * step))
        near = _between_zeros(x, ends, self.before, 2 * step * (pairs + 1), relu=relu)
        near = near.view(clips, pairs + 1, 2, step, channels)
        x0, x1, x2, x3 = near[:, :-1, 0], near[:, :-1, 1], near[:, 1:, 0], near[:, 1:, 1]
        total, width = clips * pairs * step, self.bias.shape[0]
        mixed = x.new_empty(clips, pairs, step, channels)
        flat = mixed.view(total, channels)
        torch.add(x1, x2, out=mixed)
        both = torch.addmm(self.bias, flat, self.weights[1])
        torch.sub(x2, x1, out=mixed)
        odd = flat @ self.weights[2]
        y = both + odd, both.sub_(odd)
        torch.sub(x0, x2, out=mixed)
        y[0].addmm_(flat, self.weights[0])
        torch.sub(x1, x3, out=mixed)
        y[1].addmm_(flat, self.weights[3])
        out = x.new_empty(clips, rows, width)
        for phase in (0, 1):
            _spread(y[phase].view(clips, pairs, step, width), phase, out, relu=relu)
        return out


class Halving:
    """A convolution over four rows that takes two steps at a time."""

    def __init__(self, convolution: nn.Conv1d, dtype: torch.dtype = torch.float32) -> None:
        self.before = padding_before(convolution)
        taps = _taps(convolution)
        one, two = torch.cat(taps[:2]), torch.cat(taps[2:])
        self.weights = [w.to(dtype) for w in (one, one + two, two)]
        self.bias = _bias(convolution, dtype)

    def __call__(self, x: Tensor, ends: Ends) -> Tensor:
        """(B, T, C) to (B, T // 2, O)."""
        clips, rows, channels = x.shape
        pairs = -(-(rows // 2) // 2)
        near = _between_zeros(x, ends, self.before, 4 * (pairs + 1)).view(clips, pairs + 1, 2, 2 * channels)
        x0, x1, x2 = near[:, :-1, 0], near[:, :-1, 1], near[:, 1:, 0]
        both = torch.addmm(self.bias, x1.reshape(-1, 2 * channels), self.weights[1])
        out = both.new_empty(clips * pairs, 2, both.shape[1])
        y0 = torch.addmm(both, (x0 - x1).view(-1, 2 * channels), self.weights[0])
        y1 = both.addmm_((x2 - x1).view(-1, 2 * channels), self.weights[2])
        torch.stack((y0, y1), dim=1, out=out)
        return out.view(clips, 2 * pairs, -1)[:, : rows // 2].contiguous()


class Block:
    """A residual block without norms."""

    def __init__(self, block: ResidualBlock, dtype: torch.dtype) -> None:
        self.three = ThreeTaps(block.conv1, dtype)
        (weight,) = _taps(block.conv2)
        self.weight, self.bias = weight.to(dtype), _bias(block.conv2, dtype)

    def add_to(self, x: Tensor, ends: Ends) -> None:
        """Add to (B, T, C), which is contiguous, what the block computes of it."""
        inner = self.three(x, ends, relu=True)
        flat = x.view(-1, x.shape[-1]).add_(self.bias)
        flat.addmm_(inner.view(-1, inner.shape[-1]), self.weight)


class Projected:
    """A convolution over three neighbours to C channels and a projection of these to a few, k, as one."""

    def __init__(self, convolution: nn.Conv1d, projection: nn.Linear, dtype: torch.dtype) -> None:
        self.before = padding_before(convolution)
        to_few = projection.weight.detach().double().T
        self.few = to_few.shape[1]
        self.weight = torch.cat([tap @ to_few for tap in _taps(convolution)], dim=1).to(dtype)
        self.bias = (_bias(convolution, torch.float64) @ to_few + projection.bias.detach().double()).to(dtype)

    def __call__(self, x: Tensor, ends: Ends) -> Tensor:
        """(B, T, C) to (B, T, k)."""
        rows = x.shape[1]
        near = _between_zeros(x, ends, self.before, rows + 2)
        by_tap = (near @ self.weight).view(*near.shape[:2], 3, self.few)
        sums: Tensor = by_tap[:, :rows, 0] + by_tap[:, 1 : rows + 1, 1]
        return sums + by_tap[:, 2:, 2] + self.bias


def _between_zeros(x: Tensor, ends: Ends, before: int, rows: int, *, relu: bool = False) -> Tensor:
    """(B, T, C) as it lies in `rows` rows, `before` of them zeros in front, and zeros from each clip's end on."""
    near = x.new_empty(len(x), rows, x.shape[2])
    kept = min(x.shape[1], rows - before)
    near[:, :before] = 0
    near[:, before + kept :] = 0
    inside = near[:, before : before + kept]
    if relu:
        torch.clamp_min(x[:, :kept], 0, out=inside)
    else:
        inside.copy_(x[:, :kept])
    for clip, end in enumerate(ends or ()):
        inside[clip, end:] = 0
    return near


def _spread(y: Tensor, phase: int, out: Tensor, *, relu: bool) -> None:
    """Put the first or the second (`phase`) half of every run of 2 s rows, (B, pairs, s, O), where it belongs in (B, T, O)."""
    pairs, step = y.shape[1:3]
    run = 2 * step
    whole = run * (pairs - 1)
    place = whole + phase * step
    left = min(step, out.shape[1] - place)  # the last run may be cut short
    moved = [(y[:, pairs - 1, :left], out[:, place : place + left])] if left > 0 else []
    if pairs > 1:
        runs = out[:, :whole].view(len(out), pairs - 1, 2, step, out.shape[2])
        moved.append((y[:, : pairs - 1], runs[:, :, phase]))
    for values, target in moved:
        if relu:
            torch.clamp_min(values, 0, out=target)
        else:
            target.copy_(values)


def _taps(convolution: nn.Conv1d) -> list[Tensor]:
    """What each row is multiplied by, (C, O), float64."""
    return [tap.T for tap in convolution.weight.detach().double().unbind(dim=2)]


def _bias(convolution: nn.Conv1d, dtype: torch.dtype) -> Tensor:
    assert convolution.bias is not None  # ours all have one
    return convolution.bias.detach().to(dtype, copy=True)


def _convolution_in(module: nn.Module) -> nn.Conv1d:
    return next(part for part in module.modules() if isinstance(part, nn.Conv1d))


def _versions(model: FSQVAE) -> list[tuple[int, int]]:
    """Of the weights that are copied: which tensors they are, and how often they were written to."""
    watched = [*model.vqvae.encoder.parameters(), *model.vqvae.quantizer.parameters()]
    return [(parameter.data_ptr(), parameter._version) for parameter in watched]
