"""Quantisers without a codebook of their own: a few channels, each quantised by itself, between two projections."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from tokenizer.quantizers.protocol import Quantized, Quantizer, QuantizerConfig, float32_arithmetic


class ProjectedQuantizer(Quantizer):
    """Linear to k channels, a fixed set of values in them, linear back.

    Shapes: ... any batch shape, C channels of a latent, k channels of the quantiser, Q codes for one step.
    """

    bounded_by_tanh = True
    """Whether the channels run into tanh, where they can get stuck: such channels are handed out in `Quantized`."""

    def __init__(self, config: QuantizerConfig, width: int, channels: int) -> None:
        super().__init__()
        self.config = config
        self.project_in = nn.Linear(width, channels)
        self.project_out = nn.Linear(channels, width)

    @abstractmethod
    def quantize_channels(self, channels: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Channels (..., k) to values (..., k) with a straight-through gradient, codes (...) or (..., Q), and the loss."""

    @abstractmethod
    def indices_of_channels(self, channels: Tensor) -> Tensor:
        """Codes (...) or (..., Q) of channels (..., k)."""

    @abstractmethod
    def values_of(self, indices: Tensor) -> Tensor:
        """Values (..., k), float32, of codes (...) or (..., Q)."""

    def forward(self, latents: Tensor, mask: Tensor | None = None) -> Quantized:
        """Quantise latents (..., C); see `Quantizer`."""
        with float32_arithmetic(latents):
            channels = self.project_in(latents.float())
            values, indices, loss = self.quantize_channels(channels, mask)
            return Quantized(self.project_out(values), indices, loss, channels if self.bounded_by_tanh else None)

    def indices(self, latents: Tensor) -> Tensor:
        """Codes (...) or (..., Q) of latents (..., C)."""
        with float32_arithmetic(latents):
            return self.indices_of_channels(self.project_in(latents.float()))

    def dequantize(self, indices: Tensor) -> Tensor:
        """Latents (..., C) of codes (...) or (..., Q)."""
        with float32_arithmetic(indices):
            out: Tensor = self.project_out(self.values_of(indices))
            return out
