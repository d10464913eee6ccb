from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tokenizer.loss import reconstruction_loss, saturation
from tokenizer.training_config import TrainingConfig

CONFIG = TrainingConfig(
    steps=10, batch=2, crop_rows=12, learning_rate=1e-3, warmup_steps=1, clip_norm=1.0, heading_weight=0.5
)
LOSS_SCALES = {"heading_std": 0.01, "position_std_m": 0.12}


def test_padding_does_not_touch_the_loss() -> None:
    random = torch.Generator().manual_seed(0)
    rows, target = (torch.randn(2, 12, 263, generator=random) for _ in range(2))
    mask = torch.ones(2, 12)
    mask[1, 7:] = 0
    before = reconstruction_loss(rows, target, mask, CONFIG, **LOSS_SCALES)
    rows[1, 7:] += 100
    after = reconstruction_loss(rows, target, mask, CONFIG, **LOSS_SCALES)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])


def test_the_loss_is_smooth_l1_with_positions_counted_half_as_much_again() -> None:
    target = torch.zeros(1, 4, 263)
    rows = torch.zeros(1, 4, 263)
    rows[..., 4:67] = 0.5  # smooth-L1 below 1 is x^2 / 2 = 0.125, on 63 of 263 columns and on all position columns
    loss, l1 = reconstruction_loss(rows, target, torch.ones(1, 4), replace(CONFIG, heading_weight=0.0), **LOSS_SCALES)
    assert loss.item() == pytest.approx(0.125 * 63 / 263 + 0.5 * 0.125, rel=1e-5)
    assert l1.item() == pytest.approx(0.5 * 63 / 263, rel=1e-5)


def test_the_heading_term_sees_turns_that_add_up_and_not_those_that_cancel() -> None:
    target, mask = torch.zeros(1, 40, 263), torch.ones(1, 40)

    def extra(column: torch.Tensor) -> float:
        rows = target.clone()
        rows[..., 0] = column
        with_term, without = (
            reconstruction_loss(rows, target, mask, replace(CONFIG, heading_weight=weight), **LOSS_SCALES)[0]
            for weight in (1.0, 0.0)
        )
        return (with_term - without).item()

    steady = torch.full((40,), 0.1)
    swinging = steady * torch.tensor([1.0, -1.0]).repeat(20)
    assert extra(steady) > 100 * extra(swinging) > 0


def test_saturation_is_nothing_within_the_grid_and_grows_beyond_it() -> None:
    assert saturation(torch.tensor([[[-1.5, 0.0, 1.3]]])).item() == 0
    assert saturation(torch.tensor([[[3.5, -2.5, 0.0, 0.0]]])).item() == pytest.approx((4 + 1) / 4)
