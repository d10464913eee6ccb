"""One step down the gradient: forward pass, losses, backward pass, clipping, optimiser, and the averages that follow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenizer.crops import TrainingData
from tokenizer.loss import reconstruction_loss, saturation
from tokenizer.training_config import TrainingConfig
from tokenizer.training_state import TrainingState


@dataclass(frozen=True, slots=True)
class Scales:
    """Standard deviations by which the heading's drift is weighed against positions; see `loss.py`."""

    heading: float
    """Of the heading's column, radians of half a turn."""
    position: float
    """Mean over the position columns, metres."""

    @staticmethod
    def of(data: TrainingData, config: TrainingConfig) -> Scales:
        """Those of the training split."""
        std = data.statistics.std
        return Scales(float(std[config.heading_dim]), float(std[slice(*config.position_dims)].mean()))


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """What a step saw. Nothing is read from the device yet."""

    figures: Tensor
    """(4,): loss, reconstruction, L1, what the quantiser wants minimised; of this process's share of the batch."""
    norm: Tensor
    """Scalar: of the gradient, before it was clipped."""
    indices: Tensor
    """Codes of the batch."""


def gradient_step(
    state: TrainingState,
    target: Tensor,
    mask: Tensor,
    config: TrainingConfig,
    scales: Scales,
    *,
    rate: float,
    count: Tensor,
) -> Stepped:
    """Train on one batch, in place.

    Args:
        state: Weights, optimiser and averages, which move; its step counts on.
        target: Normalised crops (B, T, D), of a team this process's share.
        mask: (B, T), 1 on real rows.
        config: Losses, precision and clipping.
        scales: Of the data.
        rate: Learning rate.
        count: Real rows by which sums are divided: over a team, the mean of all shares.
    """
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.model.train()
    with torch.autocast(target.device.type, dtype=torch.bfloat16, enabled=config.precision == "bf16"):
        rows, quantised = state.forward(target, mask)
    reconstruction, l1 = reconstruction_loss(rows.float(), target, mask, config, scales.heading, scales.position, count)
    loss = reconstruction + quantised.loss
    if config.saturation_weight and quantised.channels is not None:
        loss = loss + config.saturation_weight * saturation(quantised.channels)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm or math.inf)
    state.optimizer.step()
    state.step += 1
    state.follow(config.ema_decay)
    figures = torch.stack([loss.detach(), reconstruction.detach(), l1, quantised.loss.detach()])
    return Stepped(figures, norm, quantised.indices)
