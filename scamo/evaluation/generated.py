"""One generated motion per item, sampled in parts that survive a kill."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from motionunion.digest import write_atomic
from motionunion.progress import Progress
from scamo.evaluation.protocol import Draw, item_seed
from scamo.sampling import SamplingOptions, sample
from scamo.text import pad_features
from scamo.trained import TrainedTransformer

PART = 64

Codes = npt.NDArray[np.int32]


def generate_codes(
    model: TrainedTransformer,
    draws: Sequence[Draw],
    seed: int,
    options: SamplingOptions,
    folder: Path,
    progress: Progress,
) -> list[Codes]:
    """Codes of one motion for the caption of each draw, in order.

    Every item has a random stream of its own, so neither the batch nor a resumed run changes a motion. Parts of 64 are
    kept in `folder` as `generated-<number>.json`; it must belong to one plan (model, items, seed, options) alone.
    """
    codes: list[Codes] = []
    for number, start in enumerate(range(0, len(draws), PART)):
        part = draws[start : start + PART]
        file = folder / f"generated-{number:05d}.json"
        if file.is_file():
            rows = json.loads(file.read_bytes())
        else:
            rows = [row.tolist() for row in _sample(model, part, seed, options)]
            write_atomic(file, json.dumps(rows, separators=(",", ":")).encode())
        codes += [np.asarray(row, dtype=np.int32) for row in rows]
        progress.advance(len(part))
    return codes


@torch.no_grad()
def _sample(model: TrainedTransformer, draws: Sequence[Draw], seed: int, options: SamplingOptions) -> list[Codes]:
    objective = model.objective
    text, lengths = pad_features(objective.encoder.features([draw.caption.text for draw in draws]), objective.device)
    seeds = [item_seed(draw.item.item_id, seed) for draw in draws]
    tokens = sample(objective.model, text, lengths, seeds, options)
    return [objective.vocabulary.codes(row) for row in tokens]
