"""What every quantiser is: latents in, latents on a codebook and their codes out.

Shapes: ... any batch shape (a tokenizer's is B clips by N steps), C channels of a latent, Q codes for one step of time.
Indices are (...) where Q is 1 and (..., Q) otherwise; everything else is the same for all kinds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from motionunion.errors import ConfigError

LARGEST = 1 << 24
"""Values of one code, at most: float32 holds every integer up to here, and a histogram of so many takes 128 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizerConfig(ABC):
    """What a quantiser is made from. Each kind has a configuration of its own, next to its code."""

    kind: ClassVar[str]
    """Name of the quantiser in configurations, commands and reports."""

    @property
    @abstractmethod
    def codebook_size(self) -> int:
        """True number of values of one code."""

    @property
    def codes_per_step(self) -> int:
        """Q: codes for one step of time."""
        return 1

    @property
    def residual(self) -> bool:
        """Whether every code of a step but the first says only what those before it left."""
        return False

    def in_words(self) -> str:
        """Kind, the settings that have no default and the codes of a step: `rvq, size 512, 6 codes for a step`."""
        said = [f"{field.name} {getattr(self, field.name)}" for field in fields(self) if field.default is MISSING]
        several = [f"{self.codes_per_step} codes for a step"] if self.codes_per_step > 1 else []
        return ", ".join([self.kind, *said, *several])


class Quantized(NamedTuple):
    """What one pass through a quantiser gives."""

    latents: Tensor
    """(..., C) float32: what a decoder sees; the gradient goes through to the given latents as if nothing had been rounded.
    In evaluation mode equal to `dequantize(indices)`. In training mode a learnt codebook has moved on since, and layers may
    have been left out."""
    indices: Tensor
    """(...) or (..., Q), int64."""
    loss: Tensor
    """Scalar, float32, already weighted: what the quantiser wants to have minimised. Zero where it wants nothing."""
    channels: Tensor | None
    """(..., k) float32: the channels before tanh bounds them, of the kinds that do so; None elsewhere."""


class Quantizer(nn.Module, ABC):
    """A quantiser. Its arithmetic is float32 whatever the autocast state, projections included.

    All that training changes is in the state dict, and nothing is drawn from a random generator outside the first
    weights: the same weights and the same batches give the same codebook, also after a resume.
    """

    config: QuantizerConfig

    @property
    def kind(self) -> str:
        """Name of the kind, as in configurations."""
        return self.config.kind

    @property
    def codebook_size(self) -> int:
        """True number of values of one code; indices lie in [0, codebook_size)."""
        return self.config.codebook_size

    @property
    def codes_per_step(self) -> int:
        """Q: codes for one step of time."""
        return self.config.codes_per_step

    @abstractmethod
    def forward(self, latents: Tensor, mask: Tensor | None = None) -> Quantized:
        """Quantise latents (..., C).

        In training mode a quantiser with a learnt codebook learns from them too. `mask` (...) is 1 (or True) where a step
        is real and 0 where it is padding: padding gets codes like the rest, but neither the loss nor a codebook sees it.
        """

    @abstractmethod
    def indices(self, latents: Tensor) -> Tensor:
        """Codes (...) or (..., Q), int64, of latents (..., C); learns nothing, in any mode."""

    @abstractmethod
    def dequantize(self, indices: Tensor) -> Tensor:
        """Latents (..., C), float32, of codes (...) or (..., Q)."""

    def quantize(self, latents: Tensor) -> Tensor:
        """Latents (..., C) moved onto the codebook: `dequantize(indices(latents))`."""
        return self.dequantize(self.indices(latents))


def check_size(kind: str, size: int) -> None:
    """Refuse a code of more values than can be counted.

    Raises:
        ConfigError: If there are more than `LARGEST`.
    """
    if size > LARGEST:
        raise ConfigError(f"{kind}: {size:,} codes, more than {LARGEST:,}; take several codes for a step instead")


def float32_arithmetic(tensor: Tensor) -> torch.autocast:
    """A context in which autocast is off on the tensor's device.

    In bfloat16 the eight levels of a channel are a few units of precision apart, and the nearest of many codes is not the
    nearest: codes would change with the precision of the caller.
    """
    return torch.autocast(tensor.device.type, enabled=False)


def straight_through(values: Tensor, latents: Tensor) -> Tensor:
    """Exactly `values`, with the gradient of `latents` (Bengio et al. 2013, arXiv:1308.3432).

    Written this way round the difference is exactly zero; `latents + (values - latents)` would be off by a rounding.
    """
    return values.detach() + (latents - latents.detach())


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of values (..., C) over all channels of the steps that the mask (...) leaves; zero of none at all."""
    if mask is None:
        return values.sum() / max(1, values.numel())
    weights = mask.to(values.dtype).unsqueeze(-1)
    return (values * weights).sum() / (weights.sum() * values.shape[-1]).clamp(min=1)
