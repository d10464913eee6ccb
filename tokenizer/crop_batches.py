"""Crops as tensors where a model wants them: gathered on the device if all rows fit there, else sent batch by batch.

Shapes: N rows of the store, D features, B crops, T rows of a crop. Which crops a step sees is decided on the CPU in either
case, and gathering moves values without changing them: a run sees the same numbers whichever way is taken.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tokenizer.crops import TRAINING, CropSampler, Drawn, FloatRows, TrainingData

SHARE_OF_FREE = 0.5
"""Of a device's free memory, what the rows may take; the rest is for the model."""
PIECE_ROWS = 16_384
"""Rows that go to the device at a time: 17 MB of 263 features."""


class CropBatches:
    """Normalised crops and masks on a device."""

    def __init__(self, data: TrainingData, crop_rows: int, mirrored: float, device: torch.device) -> None:
        self.sampler = CropSampler(data, crop_rows, mirrored)
        self.device = device
        self.rows: Tensor | None = None
        """(N, D) all rows on the device, where they fit."""
        if device.type == "cuda" and fits(data.normalised, device):
            self.rows = rows_on_device(data.normalised, device)

    def draw(self, crops: int, seed: int, attempt: int, step: int, purpose: int = TRAINING) -> tuple[Tensor, Tensor]:
        """Crops (B, T, D) and their mask (B, T), 1 on real rows."""
        if self.rows is None:
            target, mask = self.sampler.draw(crops, seed, attempt, step, purpose)
            return self._sent(torch.from_numpy(target)), self._sent(torch.from_numpy(mask))
        drawn = self.sampler.choose(crops, seed, attempt, step, purpose)
        return self.gathered(self.rows, drawn), self._sent(torch.from_numpy(drawn.mask(self.sampler.crop_rows)))

    def gathered(self, rows: Tensor, drawn: Drawn) -> Tensor:
        """What `CropSampler.read` gives, taken from rows (N, D) on whatever device they are."""
        first, lengths, mirrored = (
            torch.from_numpy(array).to(rows.device) for array in (drawn.first, drawn.lengths, drawn.mirrored)
        )
        offset = torch.arange(self.sampler.crop_rows, device=rows.device)
        index = first[:, None] + torch.minimum(offset, lengths[:, None] - 1)
        crops = rows.index_select(0, index.reshape(-1)).reshape(*index.shape, rows.shape[1])
        mirror = self.sampler.mirror
        if mirror is None or not drawn.mirrored.any():
            return crops
        columns, scale, shift = (
            torch.from_numpy(array).to(rows.device) for array in (mirror.columns, mirror.scale, mirror.shift)
        )
        # Two operations, not a fused one, which would round once less than the CPU does.
        images = crops[..., columns].mul(scale).add(shift)
        return torch.where(mirrored[:, None, None], images, crops)

    def _sent(self, tensor: Tensor) -> Tensor:
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def fits(rows: FloatRows, device: torch.device) -> bool:
    """Whether rows take no more than their share of a GPU's free memory."""
    free, _ = torch.cuda.mem_get_info(device)
    return rows.nbytes <= SHARE_OF_FREE * free


def rows_on_device(rows: FloatRows, device: torch.device) -> Tensor:
    """Copy rows (N, D), memory-mapped or not, into a device's memory; the host never holds more than two pieces.

    For a GPU the pieces are pinned, so that one is read from disk while the other is on its way.
    """
    target = torch.empty(rows.shape, dtype=torch.float32, device=device)
    on_gpu = device.type == "cuda"
    shape = (min(PIECE_ROWS, len(rows)), rows.shape[1])
    stages = [torch.empty(shape, dtype=torch.float32, pin_memory=on_gpu) for _ in range(2)]
    sent: list[torch.cuda.Event | None] = [None, None]
    for number, first in enumerate(range(0, len(rows), PIECE_ROWS)):
        stage, event = stages[number % 2], sent[number % 2]
        if event is not None:
            event.synchronize()  # what is in this piece has arrived
        piece = rows[first : first + PIECE_ROWS]
        np.copyto(stage.numpy()[: len(piece)], piece)
        target[first : first + len(piece)].copy_(stage[: len(piece)], non_blocking=on_gpu)
        if on_gpu:
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(device))
            sent[number % 2] = event
    if on_gpu:
        torch.cuda.synchronize(device)
    return target
