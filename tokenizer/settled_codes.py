"""Codes on a processor, the same for a clip in any company: what float32 leaves open is settled in float64.

Sums are added up in an order that depends on the shape of a batch, so that a channel may come out 1e-6 higher or lower, seldom more. Where that could
carry it over the middle between two grid points, the rows that decide this one step are computed again, alone and in float64.
Shapes: B clips, T rows, D features, N steps, R rows to a step, k channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tokenizer.fast_encoder import Ends, FastEncoder
from tokenizer.model import FSQVAE
from tokenizer.quantizers.fsq import FSQ
from tokenizer.quantizers.projected import ProjectedQuantizer
from tokenizer.receptive_field import field_of

OPEN = 3e-6
"""A bounded channel so near to the middle between two grid points may be on either side; grid points are 1 apart."""


class SettledCodes:
    """Codes of a network that `is_served`. Other quantisers than FSQ take the nearest of many codes, and are left as they are."""

    def __init__(self, model: FSQVAE) -> None:
        self._fast = FastEncoder(model)
        self._exact: FastEncoder | None = None
        self._model, self._field = model, field_of(model.vqvae.encoder)

    def is_of(self, model: FSQVAE) -> bool:
        """Whether the network's weights are still those that were copied."""
        return self._fast.is_of(model)

    def encode(self, features: Tensor, lengths: Ends = None) -> Tensor:
        """Codes (B, N), or (B, N, Q) of several a step, of normalised features (B, T, D) in float32.

        Args:
            features: Not changed.
            lengths: Rows of each clip; all T where None. Codes from `length // R` on mean nothing.
        """
        quantizer = self._model.vqvae.quantizer
        channels = self._fast.channels(features, lengths)
        if not isinstance(quantizer, ProjectedQuantizer):
            return quantizer.indices(channels)
        codes = quantizer.indices_of_channels(channels)
        if not isinstance(quantizer, FSQ):
            return codes
        from_point = quantizer.grid.bound(channels).frac_().abs_()
        for clip, step in ((from_point - 0.5).abs_() < OPEN).any(dim=-1).nonzero().tolist():
            length = lengths[clip] if lengths else features.shape[1]
            if step < length // self._model.config.rows_per_code:
                codes[clip, step] = quantizer.indices_of_channels(self._settled(features[clip, :length], step))
        return codes

    def _settled(self, features: Tensor, step: int) -> Tensor:
        """Channels (k,) of one step of one clip (T, D), which no neighbour and no row beyond its field has touched."""
        if self._exact is None:
            self._exact = FastEncoder(self._model, torch.float64)
        assert self._field is not None  # but for a group norm
        rows = self._model.config.rows_per_code
        first = max(0, step - -(-self._field.before // rows))
        end = step * rows + self._field.after
        seen = features[first * rows : -(-end // rows) * rows].double()
        return self._exact.channels(seen[None])[0, step - first]
