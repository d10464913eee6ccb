"""One task: read its files, normalise them, write shards, return a receipt.

A pure function of the files: it knows no rank, no time and no absolute path, and writes nothing but files that are
named by their hash. A file that cannot be read becomes a reject and costs nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from motionunion.captions import sidecar_captions, sidecar_file
from motionunion.clip import Annotation, Caption, Clip, Segment
from motionunion.errors import ClipError, MotionUnionError, SourceFormatError
from motionunion.ingest.plan import Listed, Task
from motionunion.ingest.synthetic import is_synthetic, marked
from motionunion.normalise import normalise
from motionunion.sources import SOURCES
from motionunion.store.receipts import Covered, Receipt
from motionunion.store.schema import Row, annotation_rows, clip_to_row, rows_digest
from motionunion.store.shards import Shard, ShardWriter, store_shard

_KINDS = ("clips", "captions", "segments", "rejects")


def run_task(task: Task) -> Receipt:
    """Do a task. Raises `MemoryError` where there is too little, and what stops the whole run: `OSError` of the store's
    disk, and our errors that are not a file's."""
    desk = _Desk()
    for listed in task.files:
        desk.read(listed, task)
    return desk.receipt(task)


def refuse(task: Task, reason: str, message: str) -> Receipt:
    """A receipt that refuses all files of a task unread."""
    desk = _Desk()
    for listed in task.files:
        desk.refuse(listed, [_reject(listed, reason, message)])
    return desk.receipt(task)


class _Desk:
    """Collects what the files of one task give."""

    def __init__(self) -> None:
        self._writers = {kind: ShardWriter(kind) for kind in _KINDS}
        self._covered: list[Covered] = []
        self._rejects: list[Row] = []
        self._frames, self._seconds = 0, 0.0

    def read(self, listed: Listed, task: Task) -> None:
        """Read one file, for better or worse."""
        ref = listed.ref
        try:
            reading = SOURCES[ref.source].read(ref, task.options)
            if is_synthetic(ref.path):
                reading = marked(reading)
            rejects = [_reject_for(listed, fault) for fault in reading.faults]
            if isinstance(reading, Annotation):
                self._keep(listed, None, reading.captions, reading.segments, rejects)
                return
            clip = normalise(reading)
            row = clip_to_row(clip)
            captions, more = _of_sidecar(listed, clip)
        except MemoryError:
            raise  # with more memory, or alone, the file may well be read: that is for the engine to try
        except Exception as error:  # noqa: BLE001 - whatever one file does to a reader, the others are still read
            self.refuse(listed, [_reject_for(listed, error)])
            return
        self._frames += clip.frames
        self._seconds += clip.seconds
        self._keep(listed, (clip, row), (*reading.captions, *captions), reading.segments, [*rejects, *more])

    def refuse(self, listed: Listed, rejects: list[Row]) -> None:
        """Record that a file gave nothing."""
        self._add("rejects", rejects)
        self._rejects += rejects
        reasons = ",".join(sorted({row["reason"] for row in rejects}))
        self._covered.append(listed.covered("reject", reason=reasons, rejects_shard="rejects"))

    def receipt(self, task: Task) -> Receipt:
        """Write the shards."""
        shards: dict[str, Shard] = {}
        for kind, writer in self._writers.items():
            shard = store_shard(task.storage, writer, kind, task.source)
            if shard is not None:
                shards[kind] = shard
        covered = tuple(_named(one, shards) for one in self._covered)
        return Receipt(
            covered=covered,
            shards=tuple(shards.values()),
            rejects=tuple(self._rejects),
            frames=self._frames,
            seconds=self._seconds,
        )

    def _keep(
        self,
        listed: Listed,
        clip: tuple[Clip, Row] | None,
        captions: tuple[Caption, ...],
        segments: tuple[Segment, ...],
        rejects: list[Row],
    ) -> None:
        source, key = listed.ref.source, listed.ref.key
        said, cut = annotation_rows(source, key, captions), annotation_rows(source, key, segments)
        if clip is not None:
            self._add("clips", [clip[1]])
        self._add("captions", said)
        self._add("segments", cut)
        self._add("rejects", rejects)
        self._rejects += rejects
        self._covered.append(
            listed.covered(
                "annotation" if clip is None else "clip",
                reason=",".join(sorted({row["reason"] for row in rejects})) or None,
                clip_id=None if clip is None else clip[1]["clip_id"],
                content=None if clip is None else clip[1]["content"],
                captions=len(said),
                captions_digest=rows_digest(said),
                segments=len(cut),
                segments_digest=rows_digest(cut),
                clips_shard=None if clip is None else "clips",
                captions_shard="captions" if said else None,
                segments_shard="segments" if cut else None,
                rejects_shard="rejects" if rejects else None,
            )
        )

    def _add(self, kind: str, rows: Iterable[Row]) -> None:
        for row in rows:
            self._writers[kind].add(row)


def _named(covered: Covered, shards: dict[str, Shard]) -> Covered:
    """Coverage with the names that the shards got, where it named only their kind."""
    placed = covered.to_row()
    for kind in _KINDS:
        if placed[f"{kind}_shard"] is not None:
            placed[f"{kind}_shard"] = shards[kind].name
    return Covered(**placed)


def _of_sidecar(listed: Listed, clip: Clip) -> tuple[tuple[Caption, ...], list[Row]]:
    """Captions of the `.txt` beside a motion file; a bad one costs its captions, not the clip."""
    try:
        return sidecar_captions(listed.ref, clip.seconds), []
    except (MotionUnionError, OSError) as error:
        reject = _reject_for(listed, error)
        path = sidecar_file(listed.ref)
        return (), [{**reject, "file": _relative(path, listed) if path else reject["file"]}]


def _reject_for(listed: Listed, error: Exception) -> Row:
    """The reject row for what a reader raised. Raises what no single file is to blame for."""
    if isinstance(error, SourceFormatError):
        reject = _reject(listed, error.reason, error.problem, error.line)
        return {**reject, "file": _relative(error.path, listed)}
    if isinstance(error, ClipError):
        return _reject(listed, error.reason, error.problem)
    if isinstance(error, MotionUnionError):
        raise error
    if isinstance(error, OSError):
        return _reject(listed, "unreadable", error.strerror or str(error))
    if isinstance(error, ValueError):
        return _reject(listed, "bad_values", str(error))
    return _reject(listed, "internal_error", f"{type(error).__name__}: {error}")


def _reject(listed: Listed, reason: str, message: str, line: int | None = None) -> Row:
    ref = listed.ref
    # A reject is a fact about the file, the same wherever the folder lies; and the file stands in a column of its own.
    file = _relative(ref.path, listed)
    message = message.replace(f"{ref.root}{os.sep}", "").removeprefix(f"{file}: ")
    return {
        "source": ref.source,
        "key": ref.key,
        "file": file,
        "reason": reason,
        "message": message,
        "line": line,
    }


def _relative(path: Any, listed: Listed) -> str:
    try:
        return str(path.relative_to(listed.ref.root).as_posix())
    except ValueError:
        return str(path.name)
