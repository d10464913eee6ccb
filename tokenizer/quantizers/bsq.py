"""Binary spherical quantisation (Zhao et al. 2024, arXiv:2406.07548): signs of a latent on the unit sphere.

With the channels at unit length a sign is never far from its channel, which bounds the error of quantisation; the rest is
`lfq.py`. ScaMo's public code offers it but cannot run it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from tokenizer.quantizers.lfq import LFQ, LFQConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class BSQConfig(LFQConfig):
    """Binary spherical quantiser; the settings are those of `LFQConfig`."""

    kind: ClassVar[str] = "bsq"


class BSQ(LFQ):
    """The corner of a cube inside the unit sphere that is nearest to a latent's direction."""

    @property
    def scale(self) -> float:
        """Absolute value of every channel of a code of unit length."""
        return 1 / math.sqrt(len(self.bit_k))

    def prepare(self, channels: Tensor) -> Tensor:
        """Channels (..., k) brought to unit length."""
        return functional.normalize(channels, dim=-1)
