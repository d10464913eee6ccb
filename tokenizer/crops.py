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
from motionunion.progress import SILENT, Progress
from motionunion.statistics import Statistics
from motionunion.window_reading import WindowReader
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
    normalised: FloatRows
    """The same rows normalised by `statistics`; may be a memory map."""
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


def training_data(features: FeatureSet, feat_bias: float, progress: Progress = SILENT) -> TrainingData:
    """Cut a store's features into training and held-out windows.

    Without validation windows, whole groups of the train split are held out, by the hash of their name; where that
    would leave nothing on one side (a single recording, say), the training windows are looked at themselves.

    Features that lie on disk are verified against their digests here, once for a training run: a normalised copy that is
    there already is read through, and a new one is made of verified values.

    Raises:
        MissingInput: If the train split gives no window.
        StoreError: If the features are damaged, or cannot be normalised for want of room.
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
    statistics = features.statistics(split="train", feat_bias=feat_bias, block_average=True)
    return TrainingData(
        values=features.values,
        normalised=features.normalised(statistics, verify=True, progress=progress),
        statistics=statistics,
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


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Which rows a batch of crops consists of."""

    first: npt.NDArray[np.int64]
    """(B,) row where each crop begins."""
    lengths: npt.NDArray[np.int64]
    """(B,) rows of each that are real; the last one is repeated behind them."""
    mirrored: npt.NDArray[np.bool_]
    """(B,)"""

    def part(self, share: slice) -> Drawn:
        """Some of the crops."""
        return Drawn(self.first[share], self.lengths[share], self.mirrored[share])

    def mask(self, crop_rows: int) -> FloatRows:
        """(B, T): 1 on real rows, 0 on repeated ones."""
        return (np.arange(crop_rows) < self.lengths[:, None]).astype(np.float32)


class CropSampler:
    """Draws random crops of training windows, a window as often as it is long, and of it every crop equally likely.

    A share of the crops is mirrored. A window shorter than a crop is padded by repeating its last row, and the mask leaves the padding out.
    """

    def __init__(self, data: TrainingData, crop_rows: int, mirrored: float = 0.0) -> None:
        self.crop_rows = crop_rows
        self.mirror = normalised_mirror(data.statistics) if mirrored else None
        self._mirrored = mirrored
        self._reader = WindowReader(data.normalised, crop_rows)
        self._start = np.array([window.start for window in data.train], dtype=np.int64)
        self._rows = np.array([window.rows for window in data.train], dtype=np.int64)
        self._ends = np.cumsum(self._rows)

    def choose(self, crops: int, seed: int, attempt: int, step: int, purpose: int = TRAINING) -> Drawn:
        """Which crops a step sees."""
        random = np.random.default_rng((purpose, seed, attempt, step))
        window = np.searchsorted(self._ends, random.integers(self._ends[-1], size=crops), side="right")
        rows = self._rows[window]
        first = self._start[window] + random.integers(np.maximum(rows - self.crop_rows, 0) + 1)
        mirrored = random.random(crops) < self._mirrored if self.mirror is not None else np.zeros(crops, dtype=np.bool_)
        return Drawn(first, np.minimum(rows, self.crop_rows), mirrored)

    def unmirrored(self, drawn: Drawn) -> FloatRows:
        """The chosen crops (B, T, D), normalised, as they lie in the store."""
        return self._reader.batch(drawn.first, drawn.lengths)

    def read(self, drawn: Drawn) -> FloatRows:
        """The chosen crops (B, T, D), normalised."""
        crops = self.unmirrored(drawn)
        if self.mirror is not None and drawn.mirrored.any():
            crops[drawn.mirrored] = self.mirror(crops[drawn.mirrored])
        return crops

    def draw(
        self, crops: int, seed: int, attempt: int, step: int, purpose: int = TRAINING
    ) -> tuple[FloatRows, FloatRows]:
        """Normalised crops (B, T, D) and their mask (B, T), 1 on real rows."""
        drawn = self.choose(crops, seed, attempt, step, purpose)
        return self.read(drawn), drawn.mask(self.crop_rows)


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedMirror:
    """`mirrored[..., d] = scale[d] * normalised[..., columns[d]] + shift[d]`: mirror images without denormalising."""

    columns: npt.NDArray[np.int64]
    scale: FloatRows
    shift: FloatRows

    def __call__(self, normalised: FloatRows) -> FloatRows:
        """Mirror images (..., D) of normalised features."""
        mirrored: FloatRows = normalised[..., self.columns] * self.scale + self.shift
        return mirrored


def normalised_mirror(statistics: Statistics) -> NormalisedMirror:
    """The mirror of a representation, for features that these statistics normalise.

    Raises:
        ConfigError: If none is laid down for the representation.
    """
    mirror = mirror_of(statistics.representation)
    mean, std = statistics.mean.astype(np.float64), statistics.std.astype(np.float64)
    scale = mirror.signs * std[mirror.columns] / std
    shift = (mirror.signs * mean[mirror.columns] - mean) / std
    return NormalisedMirror(mirror.columns, scale.astype(np.float32), shift.astype(np.float32))
