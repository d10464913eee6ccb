"""Features of a whole store in one representation: a flat memory-mapped array, and the spans that lie in it.

Shapes: N rows in all, S spans, D dims. A feature set is a folder: `values.npy` (N, D) float32, `spans.parquet`,
and `features.json`, written last, with provenance. Reading one needs numpy and pyarrow only, so that it can be carried
to a bare training machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionunion.digest import canonical_json, sha256_file, sha256_hex
from motionunion.errors import MissingInput, StoreError, UsageError
from motionunion.progress import SILENT, Progress
from motionunion.span_table import spans_from_parquet
from motionunion.spans import SkippedSpan, Span
from motionunion.statistics import Statistics, statistics_of

if TYPE_CHECKING:
    from motionunion.feature_building import FeatureStore

FORMAT = 1
META, VALUES, SPANS = "features.json", "values.npy", "spans.parquet"
CHUNK_ROWS = 65536


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureSet:
    """Every span of a store, encoded. Read-only."""

    path: Path
    representation: str
    key: str
    """Hash of all that decided the values: store fingerprint, plan of spans, representation and its parameters."""
    values: npt.NDArray[np.float32]
    """(N, D), memory-mapped; spans one after the other."""
    spans: list[Span]
    offsets: npt.NDArray[np.int64]
    """(S + 1): span i is `values[offsets[i]:offsets[i + 1]]`."""
    fingerprint: str
    """The store's fingerprint."""
    commit: int
    """The store's commit when this was built."""
    store_uuid: str
    skipped: list[SkippedSpan]
    """Stretches that gave no features, with the reason."""
    counts: dict[str, int]
    """What else was left out; see `motionunion.span_planning.Plan`."""

    def rows_of(self, index: int) -> npt.NDArray[np.float32]:
        """Features (rows, D) of one span, a view of the memory map."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def spans_hash(self, split: str | None = None) -> str:
        """Hash of ids and row counts of the spans in a split (of all where None): what was counted or trained on."""
        chosen = [[span.span_id, span.rows] for span in self.spans if split in (None, span.split)]
        return sha256_hex(canonical_json(chosen))

    def statistics(self, split: str = "train", feat_bias: float = 1.0, block_average: bool = True) -> Statistics:
        """Mean and standard deviation over one split; see `motionunion.statistics.Statistics`.

        Raises:
            MissingInput: If no span is in the split.
        """
        return statistics_of(
            self._chunks(split),
            self.representation,
            split=split,
            clips_hash=self.spans_hash(split),
            feat_bias=feat_bias,
            block_average=block_average,
        )

    def _chunks(self, split: str) -> Iterator[npt.NDArray[np.float32]]:
        """Rows of the split in bounded pieces; neighbouring spans are read together."""
        start = stop = 0
        for index, span in enumerate(self.spans):
            if span.split != split:
                continue
            if int(self.offsets[index]) != stop:
                yield from self._pieces(start, stop)
                start = int(self.offsets[index])
            stop = int(self.offsets[index + 1])
        yield from self._pieces(start, stop)

    def _pieces(self, start: int, stop: int) -> Iterator[npt.NDArray[np.float32]]:
        for first in range(start, stop, CHUNK_ROWS):
            yield self.values[first : min(first + CHUNK_ROWS, stop)]

    @staticmethod
    def load(folder: Path) -> FeatureSet:
        """Open a feature set.

        Raises:
            MissingInput: If the folder holds none.
            StoreError: If what it holds is damaged.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / META).read_bytes())
        except FileNotFoundError as error:
            raise MissingInput(f"{folder}: holds no features ({META} is missing)") from error
        except ValueError as error:
            raise StoreError(
                f"{folder / META}: damaged ({error}); delete the folder, it will be built again"
            ) from error
        try:
            return _open(folder, meta)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{folder}: damaged features ({error}); delete the folder, it will be built again"
            ) from error


def _open(folder: Path, meta: dict[str, Any]) -> FeatureSet:
    if meta["format"] != FORMAT:
        raise ValueError(f"format {meta['format']}, expected {FORMAT}")
    if sha256_file(folder / SPANS) != meta["spans_sha256"]:
        raise ValueError(f"{SPANS} is not the file that was written")
    spans = spans_from_parquet(folder / SPANS)
    offsets = np.zeros(len(spans) + 1, dtype=np.int64)
    np.cumsum([span.rows for span in spans], out=offsets[1:])
    values = np.load(folder / VALUES, mmap_mode="r", allow_pickle=False)
    if values.dtype != np.float32 or values.shape != (offsets[-1], meta["dims"]):
        raise ValueError(f"{VALUES} holds {values.dtype} {values.shape}, expected ({offsets[-1]}, {meta['dims']})")
    return FeatureSet(
        path=folder,
        representation=meta["representation"],
        key=meta["key"],
        values=values,
        spans=spans,
        offsets=offsets,
        fingerprint=meta["fingerprint"],
        commit=meta["commit"],
        store_uuid=meta["store_uuid"],
        skipped=[SkippedSpan(*entry) for entry in meta["skipped"]],
        counts=meta["counts"],
    )


def build_features(
    store: FeatureStore, representation: str, jobs: int | None = None, progress: Progress = SILENT
) -> FeatureSet:
    """Features of everything in a store, from the store's cache or built now.

    Bounded memory; a build that was killed goes on from the parts that it finished. The same values for any `jobs`.

    Args:
        store: An open store.
        representation: An id, e.g. `hml263@20/compat`.
        jobs: Worker processes; all cores where None. A store of few parts is built without any.
        progress: Told how many frames are encoded.

    Raises:
        RepresentationError: If the id is not known.
        MissingInput: If the store holds no motion that can be encoded.
    """
    from motionunion.feature_building import build

    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs: must be at least 1, got {jobs}")
    return build(store, representation, jobs, progress)
