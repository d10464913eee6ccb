"""Some of a store's features: a view that says which rows of the one flat array are meant.

Shapes: N rows in the whole array, K spans of the view, D dims.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from motionunion.clip import SPLITS
from motionunion.errors import UsageError
from motionunion.feature_files import PIECE_ROWS
from motionunion.moments import Moments, MomentsCounter
from motionunion.spans import Span
from motionunion.statistics import Statistics, statistics_from

if TYPE_CHECKING:
    from motionunion.features import FeatureSet


def known_split(split: str | None) -> None:
    """Raises `UsageError` where a split is given and there is none of that name."""
    if split is not None and split not in SPLITS:
        raise UsageError(f"split {split!r}: there are {', '.join(SPLITS)}")


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSelection:
    """Spans of a feature set, in its order. Read-only; nothing is copied.

    A sequence of arrays: `len(selection)`, `selection[i]` and iteration give features (rows, D) of one span each, views of
    the memory map. `zip(selection.spans, selection)` says what they are.
    """

    features: FeatureSet
    """The whole that this is a view of."""
    indices: npt.NDArray[np.int64]
    """(K,) which of `features.spans`."""

    @staticmethod
    def of(
        features: FeatureSet, *, split: str | None = None, clip_ids: Collection[str] | None = None
    ) -> FeatureSelection:
        """See `FeatureSet.select`."""
        return FeatureSelection(features, np.arange(len(features.spans))).select(split=split, clip_ids=clip_ids)

    def select(self, *, split: str | None = None, clip_ids: Collection[str] | None = None) -> FeatureSelection:
        """Fewer of these: the spans of a split, of some clips, or both."""
        known_split(split)
        wanted = None if clip_ids is None else frozenset(clip_ids)
        kept = [
            index
            for index in self.indices.tolist()
            if split in (None, self.features.spans[index].split)
            and (wanted is None or self.features.spans[index].clip_id in wanted)
        ]
        return FeatureSelection(self.features, np.array(kept, dtype=np.int64))

    @property
    def spans(self) -> list[Span]:
        """(K) what each array is: clip, name, split, captions."""
        return [self.features.spans[index] for index in self.indices.tolist()]

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """(N, D): the whole array, with the rows of other spans between; `ranges` says which are meant."""
        return self.features.values

    @property
    def ranges(self) -> npt.NDArray[np.int64]:
        """(K, 2): span i is `values[ranges[i, 0]:ranges[i, 1]]`; the same rows of `FeatureSet.normalised`."""
        return np.stack([self.features.offsets[self.indices], self.features.offsets[self.indices + 1]], axis=1)

    @property
    def rows(self) -> int:
        """Rows of all spans of the view."""
        return int(np.diff(self.ranges, axis=1).sum())

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        return self.features.rows_of(int(self.indices[index]))

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        return (self.features.rows_of(index) for index in self.indices.tolist())

    def moments(self) -> Moments:
        """Count, mean and squared deviations of all rows of the view, in one pass of bounded memory."""
        counter = MomentsCounter(self.values.shape[1])
        for start, stop in self.ranges.tolist():
            for first in range(start, stop, PIECE_ROWS):
                counter.add(self.values[first : min(first + PIECE_ROWS, stop)])
        return counter.moments

    def statistics(self, feat_bias: float = 1.0, block_average: bool = True) -> Statistics:
        """Mean and standard deviation over the training spans of the view, and no others.

        Raises:
            MissingInput: If none of its spans is in the train split.
        """
        from motionunion.features import spans_hash

        train = self.select(split="train")
        return statistics_from(
            train.moments(),
            self.features.representation,
            split="train",
            clips_hash=spans_hash(train.spans),
            feat_bias=feat_bias,
            block_average=block_average,
        )
