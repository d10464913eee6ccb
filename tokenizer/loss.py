"""What a tokenizer's training minimises.

Shapes: B crops, T rows, D features, N codes, k latent channels. All in the normalised space of the statistics.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tokenizer.training_config import TrainingConfig

DISTANCES = {"smooth_l1": functional.smooth_l1_loss, "l1": functional.l1_loss, "l2": functional.mse_loss}
LEVER_M = 0.3
"""Typical distance of a joint from the vertical axis through the pelvis: what a wrong heading swings."""
SATURATED = 1.5
"""Beyond this a channel has left the grid: the outermost of 8 levels begins at 1.3, and tanh flattens out."""


def reconstruction_loss(
    rows: Tensor,
    target: Tensor,
    mask: Tensor,
    config: TrainingConfig,
    heading_std: float,
    position_std_m: float,
    count: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A distance over all features, its weighted repeat on the local joint positions, and the drift of the heading.

    The distance is the configuration's: smooth-L1 (beta 1), L1 or L2.

    The representation holds turns from row to row and a decoder adds them up, so that small errors of one sign swing the
    whole body; the third term sees their sum, on a lever of `LEVER_M`, in standard deviations of a position.

    Args:
        rows, target: Normalised features (B, T, D).
        mask: (B, T), 1 on real rows; the rest is left out everywhere.
        config: Weights and columns of the terms.
        heading_std: Standard deviation of the heading's column, radians of half a turn.
        position_std_m: Standard deviation of the position columns, metres.
        count: Rows to divide by, where they are not those of the mask: several processes share a batch.

    Returns:
        The loss, and the plain L1 of the same rows.
    """
    count = mask.sum() if count is None else count
    difference = DISTANCES[config.reconstruction](rows, target, reduction="none") * mask[..., None]
    first, stop = config.position_dims
    loss = difference.sum() / (count * rows.shape[-1])
    loss = loss + config.position_weight * difference[..., first:stop].sum() / (count * (stop - first))
    if config.heading_weight:
        wrong_half_turns = (rows - target)[..., config.heading_dim] * mask * heading_std
        angle = 2 * torch.cumsum(wrong_half_turns, dim=1) * LEVER_M / position_std_m
        drift = functional.smooth_l1_loss(angle, torch.zeros_like(angle), reduction="none") * mask
        loss = loss + config.heading_weight * drift.sum() / count
    l1 = ((rows - target).abs() * mask[..., None]).sum() / (count * rows.shape[-1])
    return loss, l1.detach()


def saturation(channels: Tensor) -> Tensor:
    """Mean squared excess of unbounded channels (B, N, k) over `SATURATED`.

    Rounding inside tanh's flat ends leaves two values of a channel and no gradient that leads back; MPJPE barely shows it.
    """
    return functional.relu(channels.abs() - SATURATED).square().mean()
