"""Crops as tensors where a model wants them: gathered on the device if all rows fit there, else sent batch by batch.

Shapes: N rows of the store, D features, B crops, T rows of a crop. Which crops a step sees is decided on the CPU in either
case, and gathering moves values without changing them: a run sees the same numbers whichever way is taken. Rows that a run
wants rounded to bfloat16 are rounded on either way, before anything is computed from them.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from tokenizer.crops import TRAINING, CropSampler, Drawn, FloatRows, TrainingData

SHARE_OF_FREE = 0.5
"""Of a device's free memory, what the rows may take; the rest is for the model."""
PIECE_ROWS = 16_384
"""Rows that go to the device at a time: 17 MB of 263 features."""

Batch = tuple[Tensor, Tensor]
Draw = tuple[int, int, int, int, int]
ALL = slice(None)


class CropBatches:
    """Normalised crops and masks on a device.

    Args:
        data: What to draw from.
        crop_rows: T.
        mirrored: Share of crops that are mirrored.
        device: Where batches are wanted.
        dtype: float32, or bfloat16 for rows that are rounded to it; batches are float32 in any case.
        ahead: Whether the batch of the next step is read while this one is being computed on; on a GPU by default. Rows
            that lie on the device need no reading.
    """

    def __init__(
        self,
        data: TrainingData,
        crop_rows: int,
        mirrored: float,
        device: torch.device,
        *,
        dtype: torch.dtype = torch.float32,
        ahead: bool | None = None,
    ) -> None:
        self.sampler = CropSampler(data, crop_rows, mirrored)
        self.device = device
        self.dtype = dtype
        self.rows: Tensor | None = None
        """(N, D) all rows on the device, where they fit."""
        if device.type == "cuda" and fits(data.normalised, device, dtype):
            self.rows = rows_on_device(data.normalised, device, dtype)
        wanted = device.type == "cuda" if ahead is None else ahead
        self._reader = ThreadPoolExecutor(1, "crops") if wanted and self.rows is None else None
        self._ahead: tuple[Draw, slice, Future[Batch]] | None = None

    def draw(
        self, crops: int, seed: int, attempt: int, step: int, purpose: int = TRAINING, share: slice = ALL
    ) -> Batch:
        """Crops (B, T, D) and their mask (B, T), 1 on real rows; of a batch, the share that is asked for."""
        wanted = (crops, seed, attempt, step, purpose)
        drawn = self.sampler.choose(*wanted).part(share)
        if self.rows is not None:
            return self.gathered(self.rows, drawn), self._sent(torch.from_numpy(drawn.mask(self.sampler.crop_rows)))
        read = self._waiting(wanted, share) or self._read(drawn)
        if self._reader is not None and purpose == TRAINING:
            following = (crops, seed, attempt, step + 1, purpose)
            later = self.sampler.choose(*following).part(share)
            self._ahead = following, share, self._reader.submit(self._read, later)
        target, mask = (self._sent(tensor) for tensor in read)
        return self._mirrored(target.float(), drawn), mask

    def gathered(self, rows: Tensor, drawn: Drawn) -> Tensor:
        """What `CropSampler.read` gives, taken from rows (N, D) on whatever device they are."""
        first, lengths = (torch.from_numpy(array).to(rows.device) for array in (drawn.first, drawn.lengths))
        offset = torch.arange(self.sampler.crop_rows, device=rows.device)
        index = first[:, None] + torch.minimum(offset, lengths[:, None] - 1)
        crops = rows.index_select(0, index.reshape(-1)).reshape(*index.shape, rows.shape[1])
        return self._mirrored(crops.float(), drawn)

    def _mirrored(self, crops: Tensor, drawn: Drawn) -> Tensor:
        mirror = self.sampler.mirror
        if mirror is None or not drawn.mirrored.any():
            return crops
        chosen, columns, scale, shift = (
            torch.from_numpy(array).to(crops.device)
            for array in (drawn.mirrored, mirror.columns, mirror.scale, mirror.shift)
        )
        # Two operations, not a fused one, which would round once less than the CPU does.
        images = crops[..., columns].mul(scale).add(shift)
        return torch.where(chosen[:, None, None], images, crops)

    def _waiting(self, wanted: Draw, share: slice) -> Batch | None:
        """The batch that was read ahead, where it is the one that is wanted."""
        if self._ahead is None or self._ahead[:2] != (wanted, share):
            return None
        return self._ahead[2].result()

    def _read(self, drawn: Drawn) -> Batch:
        """Crops, rounded where they shall be, not mirrored yet, and mask; in pinned memory where a GPU waits for them."""
        target = torch.from_numpy(self.sampler.unmirrored(drawn)).to(self.dtype)
        mask = torch.from_numpy(drawn.mask(self.sampler.crop_rows))
        if self.device.type == "cuda":
            return target.pin_memory(), mask.pin_memory()
        return target, mask

    def _sent(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)


def fits(rows: FloatRows, device: torch.device, dtype: torch.dtype = torch.float32) -> bool:
    """Whether rows of a type take no more than their share of a GPU's free memory."""
    free, _ = torch.cuda.mem_get_info(device)
    return rows.size * dtype.itemsize <= SHARE_OF_FREE * free


def rows_on_device(rows: FloatRows, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """Copy rows (N, D), memory-mapped or not, into a device's memory; the host never holds more than two pieces.

    For a GPU the pieces are pinned, so that one is read from disk while the other is on its way.
    """
    target = torch.empty(rows.shape, dtype=dtype, device=device)
    on_gpu = device.type == "cuda"
    shape = (min(PIECE_ROWS, len(rows)), rows.shape[1])
    stages = [torch.empty(shape, dtype=dtype, pin_memory=on_gpu) for _ in range(2)]
    sent: list[torch.cuda.Event | None] = [None, None]
    for number, first in enumerate(range(0, len(rows), PIECE_ROWS)):
        stage, event = stages[number % 2], sent[number % 2]
        if event is not None:
            event.synchronize()  # what is in this piece has arrived
        piece = rows[first : first + PIECE_ROWS]
        # Rounded here, by the CPU, so that half as many bytes travel.
        stage[: len(piece)].copy_(torch.from_numpy(np.array(piece)))
        target[first : first + len(piece)].copy_(stage[: len(piece)], non_blocking=on_gpu)
        if on_gpu:
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(device))
            sent[number % 2] = event
    if on_gpu:
        torch.cuda.synchronize(device)
    return target
