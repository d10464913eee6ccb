"""Features of a whole store in one representation: a flat memory-mapped array, and the spans that lie in it.

Shapes: N rows in all, S spans, D dims. A feature set is a folder: `values.npy` (N, D) float32, `spans.parquet`,
and `features.json`, written last, with provenance and digests. Reading one needs numpy and pyarrow only, so that it can be
carried to a bare training machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionunion.digest import canonical_json, sha256_file
from motionunion.errors import MissingInput, StoreError, UsageError
from motionunion.feature_files import FORMAT, META, SPANS, VALUES, open_rows, read_sealed
from motionunion.moments import Moments
from motionunion.progress import SILENT, Progress
from motionunion.span_table import read_spans
from motionunion.spans import SkippedSpan, Span
from motionunion.statistics import Statistics, statistics_from

if TYPE_CHECKING:
    from motionunion.feature_building import FeatureStore
    from motionunion.feature_selection import FeatureSelection


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
    values_sha256: str = ""
    """Of `values.npy`; empty for features that are in memory alone."""
    train_moments: Moments | None = None
    """Of the rows of the train split, counted while they were written; None for features that are in memory alone."""

    def rows_of(self, index: int) -> npt.NDArray[np.float32]:
        """Features (rows, D) of one span, a view of the memory map."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def spans_hash(self, split: str | None = None) -> str:
        """Hash of ids and row counts of the spans in a split (of all where None): what was counted or trained on."""
        return spans_hash(span for span in self.spans if split in (None, span.split))

    def select(self, *, split: str | None = None, clip_ids: Collection[str] | None = None) -> FeatureSelection:
        """The spans of a split, of some clips, or both (all where neither is given): a view, nothing is copied.

        Raises:
            UsageError: If there is no such split.
        """
        from motionunion.feature_selection import FeatureSelection

        return FeatureSelection.of(self, split=split, clip_ids=clip_ids)

    def statistics(self, split: str = "train", feat_bias: float = 1.0, block_average: bool = True) -> Statistics:
        """Mean and standard deviation over one split; see `motionunion.statistics.Statistics`.

        Those of the train split were counted while the features were written; another one is read through.

        Raises:
            MissingInput: If no span is in the split.
        """
        moments = self.train_moments if split == "train" else None
        if moments is None:
            moments = self.select(split=split).moments()
        return statistics_from(
            moments,
            self.representation,
            split=split,
            clips_hash=self.spans_hash(split),
            feat_bias=feat_bias,
            block_average=block_average,
        )

    def normalised(
        self, statistics: Statistics, *, verify: bool = False, progress: Progress = SILENT
    ) -> npt.NDArray[np.float32]:
        """All values, normalised once: `statistics.normalise(values)` (N, D), memory-mapped, with the same offsets.

        The copy lies beside `values.npy` and is written on first use, as a stream, in one rename; writing it verifies
        `values.npy` to the last byte. For features that are in memory alone, it is an array in memory.

        Args:
            statistics: Of this representation.
            verify: Read a copy that is already there against its digest, and write it again where it is damaged: for
                work that takes long, such as training. Without, its size and header are looked at.
            progress: Told how many rows are written.

        Raises:
            UsageError: If the statistics are of another representation.
            StoreError: If `values.npy` is damaged, or the copy cannot be written.
        """
        from motionunion.normalised import normalised

        return normalised(self, statistics, verify=verify, progress=progress)

    @staticmethod
    def load(folder: Path, *, verify: bool = False) -> FeatureSet:
        """Open a feature set. Verifies `features.json`, the spans, and the size and header of the values.

        Args:
            folder: Where it lies.
            verify: Read all values against their digest too, as `motionunion check` does: for work that takes long.

        Raises:
            MissingInput: If the folder holds none.
            StoreError: If what it holds is damaged.
        """
        folder = Path(folder)
        try:
            return _open(folder, read_sealed(folder / META), verify)
        except FileNotFoundError as error:
            if not (folder / META).exists():
                raise MissingInput(f"{folder}: holds no features ({META} is missing)") from error
            raise _damaged(folder, error) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> StoreError:
    return StoreError(f"{folder}: damaged features ({error}); delete the folder, it will be built again")


def _open(folder: Path, meta: dict[str, Any], verify: bool) -> FeatureSet:
    if meta["format"] != FORMAT:
        raise ValueError(f"format {meta['format']}, expected {FORMAT}")
    if sha256_file(folder / SPANS) != meta["spans_sha256"]:
        raise ValueError(f"{SPANS} is not the file that was written")
    if verify and sha256_file(folder / VALUES) != meta["values_sha256"]:
        raise ValueError(f"{VALUES} is not the file that was written")
    spans = read_spans(folder / SPANS)
    offsets = np.zeros(len(spans) + 1, dtype=np.int64)
    np.cumsum([span.rows for span in spans], out=offsets[1:])
    if offsets[-1] != meta["rows"]:
        raise ValueError(f"{SPANS} speaks of {offsets[-1]} rows, {META} of {meta['rows']}")
    return FeatureSet(
        path=folder,
        representation=meta["representation"],
        key=meta["key"],
        values=open_rows(folder / VALUES, (meta["rows"], meta["dims"])),
        spans=spans,
        offsets=offsets,
        fingerprint=meta["fingerprint"],
        commit=meta["commit"],
        store_uuid=meta["store_uuid"],
        skipped=[SkippedSpan(*entry) for entry in meta["skipped"]],
        counts=meta["counts"],
        values_sha256=meta["values_sha256"],
        train_moments=Moments.from_json(meta["train_moments"]),
    )


def spans_hash(spans: Iterable[Span]) -> str:
    """Hash of ids and row counts of spans: sha256 of the canonical JSON `[[span_id, rows], ...]`, fed span by span."""
    digest = hashlib.sha256(b"[")
    for number, span in enumerate(spans):
        digest.update((b"," if number else b"") + canonical_json([span.span_id, span.rows]))
    digest.update(b"]")
    return digest.hexdigest()


def build_features(
    store: FeatureStore,
    representation: str,
    jobs: int | None = None,
    progress: Progress = SILENT,
    *,
    verify: bool = False,
) -> FeatureSet:
    """Features of everything in a store, from the store's cache or built now.

    Bounded memory; a build that was killed goes on from the parts that it finished. The same values for any `jobs`.

    Args:
        store: An open store.
        representation: An id, e.g. `hml263@20/compat`.
        jobs: Worker processes; all cores where None. A store of few parts is built without any.
        progress: Told how many frames are encoded.
        verify: Read features that are in the cache against their digest: for work that takes long, such as training.

    Raises:
        RepresentationError: If the id is not known.
        MissingInput: If the store holds no motion that can be encoded.
        StoreError: If what the cache holds is damaged.
    """
    from motionunion.feature_building import build

    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs: must be at least 1, got {jobs}")
    return build(store, representation, jobs, progress, verify)


def features_of(
    store: FeatureStore,
    representation: str,
    where: str | None = None,
    split: str | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> FeatureSelection:
    """What `Store.features` gives: features of some clips, as a view of those of the whole store.

    The whole store is built once and kept (`build_features`); choosing reads and copies nothing.

    Args:
        store: An open store.
        representation: An id, e.g. `hml263@20/compat`.
        where: SQL condition over the columns of the index's `clips`, e.g. `"source = 'amass' and seconds > 2"`.
        split: `train`, `val` or `test`.
        jobs: Worker processes; all cores where None.
        progress: Told how many frames are encoded.

    Raises:
        RepresentationError: If the id is not known.
        UsageError: If the condition is not valid, or there is no such split.
        MissingInput: If the store holds no motion that can be encoded.
    """
    from motionunion.feature_selection import known_split

    known_split(split)  # before hours are spent on building
    clip_ids = None
    if where is not None:
        clip_ids = {row[0] for row in store.rows(f"SELECT clip_id FROM clips WHERE ({where}\n)")}
    return build_features(store, representation, jobs, progress).select(split=split, clip_ids=clip_ids)
