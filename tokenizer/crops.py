"""What a tokenizer is trained on: windows of the train split, held-out windows, and crops drawn from them.

Shapes: N feature rows of the store, D features, B crops, T rows of a crop. The crops of step s are a function of
(seed, attempt, s) alone, so that a run can stop and go on anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion.errors import MissingInput
from motionunion.features import FeatureSet
from motionunion.statistics import Statistics
from motionunion.windows import Window, cut
from tokenizer.mirror import mirror_of

FloatRows = npt.NDArray[np.float32]

TRAINING, GUARD = 1, 2  # purposes: the two streams of random numbers never meet
HELD_OUT_PERCENT = 5
HELD_OUT_ROWS = 12_000
"""Held-out rows looked at during training, at most: ten minutes of motion."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Windows to learn from and windows to look at, in one array of rows."""

    values: FloatRows
    """Unnormalised features (N, D) of the whole store; may be a memory map."""
    statistics: Statistics
    parameter_hash: str
    """Of the representation: two encoders of one id and other constants are not the same."""
    train: tuple[Window, ...]
    held_out: tuple[Window, ...]
    held_out_name: str
    """`val`, or what stood in for it, in words."""

    @property
    def train_rows(self) -> int:
        """Rows in training windows."""
        return sum(window.rows for window in self.train)


def training_data(features: FeatureSet, feat_bias: float) -> TrainingData:
    """Cut a store's features into training and held-out windows.

    Without validation windows, whole groups of the train split are held out, by the hash of their name; where that
    would leave nothing on one side (a single recording, say), the training windows are looked at themselves.

    Raises:
        MissingInput: If the train split gives no window.
    """
    from motionunion.representations import registry

    windows = cut(features).windows
    train = tuple(window for window in windows if window.split == "train")
    if not train:
        raise MissingInput(
            f"the store has no train window of {features.representation} ({len(windows)} windows in all): "
            "ingest motion of at least 16 rows that is not all validation or test"
        )
    held_out = tuple(window for window in windows if window.split == "val")
    name = "val"
    if not held_out:
        held_out = tuple(window for window in train if _held_out(window.group))
        rest = tuple(window for window in train if not _held_out(window.group))
        name = f"a twentieth of train (the store has no val window; {len(held_out)} windows are not trained on)"
        if not held_out or not rest:
            held_out, rest = train, train
            name = "train itself (the store has no val window, and its groups cannot be parted)"
        train = rest
    return TrainingData(
        values=features.values,
        statistics=features.statistics(split="train", feat_bias=feat_bias, block_average=True),
        parameter_hash=registry.get(features.representation).parameter_hash,
        train=train,
        held_out=spread(held_out, HELD_OUT_ROWS),
        held_out_name=name,
    )


def spread(windows: Sequence[Window], most_rows: int) -> tuple[Window, ...]:
    """Windows spread evenly over a listing, so that they hold about `most_rows` rows at most; all where that is few."""
    rows = sum(window.rows for window in windows)
    every = max(1, -(-rows // most_rows))
    return tuple(windows[::every])


def _held_out(group: str) -> bool:
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % 100 < HELD_OUT_PERCENT


class CropSampler:
    """Draws random crops of training windows, every row of the split equally likely to be looked at.

    A share of the crops is mirrored. A window shorter than a crop is padded by repeating its last row, and the mask leaves the padding out.
    """

    def __init__(self, data: TrainingData, crop_rows: int, mirrored: float = 0.0) -> None:
        self._values = data.values
        self._mean = data.statistics.mean
        self._std = data.statistics.std
        self._crop = crop_rows
        self._mirrored = mirrored
        self._mirror = mirror_of(data.statistics.representation) if mirrored else None
        self._start = np.array([window.start for window in data.train], dtype=np.int64)
        self._rows = np.array([window.rows for window in data.train], dtype=np.int64)
        self._ends = np.cumsum(self._rows)

    def draw(
        self, crops: int, seed: int, attempt: int, step: int, purpose: int = TRAINING
    ) -> tuple[FloatRows, FloatRows]:
        """Normalised crops (B, T, D) and their mask (B, T), 1 on real rows."""
        random = np.random.default_rng((purpose, seed, attempt, step))
        window = np.searchsorted(self._ends, random.integers(self._ends[-1], size=crops), side="right")
        rows = self._rows[window]
        first = self._start[window] + random.integers(np.maximum(rows - self._crop, 0) + 1)
        length = np.minimum(rows, self._crop)
        offset = np.arange(self._crop)
        index = first[:, None] + np.minimum(offset, length[:, None] - 1)
        crop = np.asarray(self._values[index])
        if self._mirror is not None:
            chosen = random.random(crops) < self._mirrored
            crop[chosen] = self._mirror(crop[chosen])
        crop = (crop - self._mean) / self._std
        return crop.astype(np.float32, copy=False), (offset < length[:, None]).astype(np.float32)
