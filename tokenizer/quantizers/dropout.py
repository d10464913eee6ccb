"""Quantiser dropout: in training, the later of several layers are left out now and then, so that the first ones alone will do.

Zeghidour et al. 2021 (SoundStream, arXiv:2107.03312); one choice for a whole batch, as MoMask makes it (arXiv:2312.00063).
"""

from __future__ import annotations

import torch
from torch import Tensor

from motionunion.errors import ConfigError
from tokenizer.quantizers.noise import uniform


def kept_layers(step: Tensor, layers: int, dropout: float) -> Tensor:
    """How many layers take part at a step: all of them, or with probability `dropout` one of 1 ... layers, equally likely.

    A scalar int64 on the device of `step`, so that nobody has to wait for it.
    """
    drops, place = uniform(step, (2,), stream=1)
    return torch.where(drops < dropout, 1 + (place * layers).long(), layers)


def check_layers(kind: str, name: str, layers: int, dropout: float = 0.0) -> None:
    """Refuse a number of layers or groups that makes no sense.

    Raises:
        ConfigError: If there are fewer than two, or the dropout is no probability below 1.
    """
    if layers < 2:
        raise ConfigError(f"{kind}.{name}: must be at least 2, got {layers}; a single one is the kind without them")
    if not 0 <= dropout < 1:
        raise ConfigError(f"{kind}.dropout: must be in [0, 1), got {dropout}")
