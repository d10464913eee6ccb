"""How a feature set comes to be: planned, encoded in parts, joined, and put in place with one rename.

A part is a run of spans of about `PART_FRAMES` source frames, encoded by one worker and written whole or not at all;
its cut and its bytes depend on the plan alone. Killed at any moment, a build leaves finished parts, which the next call
with the same key takes up; nothing of a build is ever read as features before the rename.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from motionunion.clip import Clip
from motionunion.digest import canonical_json, fsync_directory, sha256_hex, write_atomic
from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.serial import Serial
from motionunion.errors import ClipError, MissingInput, StoreError
from motionunion.feature_files import BUILDING_PREFIX, FORMAT, META, FloatRows, write_features
from motionunion.features import FeatureSet
from motionunion.mirror import mirrored
from motionunion.motion import Motion
from motionunion.progress import Progress
from motionunion.representations import registry
from motionunion.representations.registry import Features, Representation
from motionunion.resample import motion_at
from motionunion.span_planning import Plan, plan_spans
from motionunion.spans import SkippedSpan, Span
from motionunion.store.storage import Storage

PART_FRAMES = 48_000
"""Source frames in a part: at most 50 MB of features (where the source is at their rate), about a second of work."""
ENCODE_AT_ONCE = 8192
"""Frames at the representation's rate that are gathered before they are encoded together."""
POOL_FROM_PARTS = 3
"""With fewer parts, starting processes costs more than they save."""


class FeatureStore(Protocol):
    """What building needs of a store."""

    @property
    def url(self) -> str:
        """Where it lies; workers open it again from there."""

    @property
    def storage(self) -> Storage: ...
    @property
    def commit(self) -> int: ...
    @property
    def uuid(self) -> str: ...
    @property
    def cache_dir(self) -> Path: ...
    def fingerprint(self) -> str: ...
    def sql(self, query: str, /) -> Any: ...
    def rows(self, query: str, /) -> list[tuple[Any, ...]]: ...
    def read_clips(self, ids: Sequence[str], /) -> Iterable[Clip]: ...


@dataclass(frozen=True, slots=True)
class _Part:
    path: Path
    spans: list[Span]

    @property
    def frames(self) -> int:
        return sum(span.stop_frame - span.first_frame for span in self.spans)


def build(
    store: FeatureStore, representation_id: str, jobs: int | None, progress: Progress, verify: bool
) -> FeatureSet:
    """See `motionunion.features.build_features`."""
    representation = registry.get(representation_id)
    plan = plan_spans(store, representation)
    if not plan.spans:
        why = ", ".join(f"{reason}: {count}" for reason, count in Counter(s.reason for s in plan.skipped).most_common())
        raise MissingInput(
            f"the store holds no motion that gives features of {representation.id} ({why or 'it is empty'}): "
            "run `motionunion ingest DIR` first, with motion that has what this representation needs"
        )
    key = sha256_hex(
        canonical_json([FORMAT, store.fingerprint(), representation.id, representation.parameter_hash, plan.digest()])
    )
    slug = f"{representation.id.replace('/', '-')}-{key[:16]}"
    folder = store.cache_dir / slug
    if (folder / META).exists():
        return FeatureSet.load(folder, verify=verify)
    work = store.cache_dir / f"{BUILDING_PREFIX}{slug}"
    parts = _cut_into_parts(plan.spans, work)
    try:
        _encode_parts(store, representation, parts, jobs, progress)
        _join(folder, parts, plan, key, representation, store, progress)
    except OSError as error:
        # Someone else may have built the same features, and taken the parts away when theirs were in place.
        if not (folder / META).exists():
            raise StoreError(
                f"{store.cache_dir}: features cannot be built ({error}); what is finished is kept, make room or "
                "permission and run the same command again"
            ) from error
    shutil.rmtree(work, ignore_errors=True)
    return FeatureSet.load(folder)


def _cut_into_parts(spans: list[Span], work: Path) -> list[_Part]:
    parts: list[_Part] = []
    current: list[Span] = []
    frames = 0
    for span in spans:
        if current and frames >= PART_FRAMES and current[-1].clip_id != span.clip_id:
            parts.append(_Part(work / f"{len(parts):06d}.npz", current))
            current, frames = [], 0
        current.append(span)
        frames += span.stop_frame - span.first_frame
    parts.append(_Part(work / f"{len(parts):06d}.npz", current))
    return parts


def _encode_parts(
    store: FeatureStore, representation: Representation, parts: list[_Part], jobs: int | None, progress: Progress
) -> None:
    missing = [part for part in parts if not part.path.exists()]
    if not missing:
        return
    progress.start(f"features {representation.id}", float(sum(part.frames for part in parts)), "frames")
    progress.advance(float(sum(part.frames for part in parts) - sum(part.frames for part in missing)))
    workers = min(jobs if jobs is not None else os.cpu_count() or 1, len(missing))
    serial = workers == 1 or len(missing) < POOL_FROM_PARTS
    engine = Serial() if serial else ProcessPool(workers)
    encode = (
        partial(_encode_part, store, representation)
        if serial
        else partial(_encode_part_of, store.url, store.storage, store.commit, representation.id)
    )
    try:
        for done in engine.run(encode, deque(missing)):
            if done.died is not None:
                raise StoreError(
                    f"a worker process died ({done.died}) while it built features, most likely for lack of memory; what is "
                    "finished is kept, run the same command again with fewer --jobs"
                )
            progress.advance(float(done.task.frames))
    finally:
        progress.finish()


def _encode_part_of(url: str, storage: Storage, commit: int, representation_id: str, part: _Part) -> None:
    """What a worker process does: read the same commit, whatever was ingested since."""
    from motionunion.store.store import open_store

    with open_store(url, at=commit, storage=storage) as store:
        _encode_part(store, registry.get(representation_id), part)


def _encode_part(store: FeatureStore, representation: Representation, part: _Part) -> None:
    """Encode the spans of one part and write their values, the rows of each (-1: refused), and why it was refused."""
    found, reasons = _encode_spans(store, representation, part.spans)
    buffer = io.BytesIO()
    empty = np.zeros((0, representation.dims), dtype=np.float32)
    np.savez(
        buffer,
        values=np.concatenate([empty, *(features for features in found if features is not None)]),
        rows=np.array([-1 if features is None else len(features) for features in found], dtype=np.int64),
        reasons=np.array(json.dumps(reasons)),
    )
    write_atomic(part.path, buffer.getvalue())


def _encode_spans(
    store: FeatureStore, representation: Representation, spans: list[Span]
) -> tuple[list[Features | None], list[str]]:
    """Features of each span, or None and the reason of its refusal. Clips are read once, in the store's own order."""
    found: list[Features | None] = [None] * len(spans)
    reasons = [""] * len(spans)
    places: dict[str, list[int]] = defaultdict(list)
    for place, span in enumerate(spans):
        places[span.clip_id].append(place)
    gathered: dict[int, Motion] = {}
    for clip in store.read_clips(list(places)):
        for place in places[clip.clip_id]:
            span = spans[place]
            try:
                if span.shipped and clip.shipped is not None:
                    found[place] = _as_shipped(clip.shipped.features_TD, representation, span)
                else:
                    frames = (span.first_frame, span.stop_frame)
                    motion = motion_at(
                        clip,
                        representation.rate,
                        frames=frames,
                        mode=representation.resampling,
                        tracks=representation.needs == "rotations",
                    )
                    gathered[place] = mirrored(motion) if span.mirrored else motion
            except ClipError as error:
                reasons[place] = error.reason
        if sum(motion.frames for motion in gathered.values()) >= ENCODE_AT_ONCE:
            _encode_motions(representation, gathered, found, reasons)
            gathered.clear()
    _encode_motions(representation, gathered, found, reasons)
    for place, features in enumerate(found):
        # One infinity, from positions beyond what float32 squares, would spoil the statistics of everything.
        if features is not None and not np.isfinite(features).all():
            found[place], reasons[place] = None, "non_finite"
    return found, reasons


def _as_shipped(features: npt.NDArray[Any], representation: Representation, span: Span) -> Features:
    if features.ndim != 2 or features.shape[1] != representation.dims or len(features) == 0:
        raise ClipError(f"{span.name}: shipped features have shape {features.shape}", reason="bad_shape")
    return features.astype(np.float32)


def _encode_motions(
    representation: Representation,
    motions: dict[int, Motion],
    found: list[Features | None],
    reasons: list[str],
) -> None:
    try:
        for place, features in zip(motions, representation.encode_batch(list(motions.values())), strict=True):
            found[place] = features
    except ClipError:
        # One motion of the batch cannot be encoded; find it, and keep the others.
        for place, motion in motions.items():
            try:
                found[place] = representation.encode_batch([motion])[0]
            except ClipError as error:
                reasons[place] = error.reason


def _join(
    folder: Path,
    parts: list[_Part],
    plan: Plan,
    key: str,
    representation: Representation,
    store: FeatureStore,
    progress: Progress,
) -> None:
    """Write the joined features aside, among the parts, and rename them into place."""
    spans: list[Span] = []
    skipped = list(plan.skipped)
    for part in parts:
        counts, reasons = _read_part(part, "rows", "reasons")
        for span, rows, reason in zip(part.spans, counts.tolist(), json.loads(str(reasons)), strict=True):
            if rows < 0:
                skipped.append(SkippedSpan(span.clip_id, span.name, reason))
            else:
                spans.append(span if rows == span.rows else replace(span, rows=rows))
    if not spans:
        raise MissingInput(f"no motion of the store could be encoded as {representation.id}: {skipped[0].reason}")
    aside = Path(tempfile.mkdtemp(prefix="joined-", dir=parts[0].path.parent))
    try:
        about = {
            "representation": representation.id,
            "name": representation.name,
            "version": representation.version,
            "parameter_hash": representation.parameter_hash,
            "key": key,
            "fingerprint": store.fingerprint(),
            "commit": store.commit,
            "store_uuid": store.uuid,
            "skipped": [[entry.clip_id, entry.name, entry.reason] for entry in skipped],
            "counts": dict(plan.counts),
        }
        write_features(aside, spans, _rows_of(parts), dims=representation.dims, about=about, progress=progress)
        _put_in_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _read_part(part: _Part, *names: str) -> list[npt.NDArray[Any]]:
    """Arrays of a finished part. One that is damaged is removed, so that the next run makes it again."""
    try:
        with np.load(part.path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        part.path.unlink(missing_ok=True)
        raise StoreError(
            f"{part.path}: a finished part of the features was damaged ({error}), and is removed; run the same command again"
        ) from error


def _rows_of(parts: list[_Part]) -> Iterator[tuple[FloatRows, str]]:
    """The rows of all parts with their splits; neighbouring spans of one split together."""
    for part in parts:
        values, counts = _read_part(part, "values", "rows")
        rows = np.maximum(counts, 0).tolist()
        start = 0
        for split, group in groupby(zip(part.spans, rows, strict=True), key=lambda one: one[0].split):
            stop = start + sum(count for _, count in group)
            yield values[start:stop], split
            start = stop


def _put_in_place(aside: Path, folder: Path) -> None:
    aside.chmod(0o755)
    try:
        aside.rename(folder)
    except OSError:
        # Someone else's, of the same key and so with the same values, is there already.
        if not (folder / META).exists():
            # Or what is left of one that was deleted by half, which nothing reads.
            shutil.rmtree(folder, ignore_errors=True)
            aside.rename(folder)
    fsync_directory(folder.parent)
