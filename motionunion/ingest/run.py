"""Ingest: what lies at some paths, into a store, whatever happens on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from motionunion.body_models import existing_folder
from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.protocol import Executor
from motionunion.engines.serial import Serial
from motionunion.errors import StoreError
from motionunion.ingest.plan import Task, cut_tasks, list_claims
from motionunion.ingest.preflight import Plan, look_ahead
from motionunion.ingest.task import refuse, run_task
from motionunion.progress import SILENT, Progress
from motionunion.sources import ReadOptions
from motionunion.sources.detect import Detection, recognise
from motionunion.store.committer import Committer, storage_trouble
from motionunion.store.receipts import Receipt
from motionunion.store.storage import LocalStorage
from motionunion.store.store import Store, open_store

_WORTH_A_WORKER = 2 << 20
"""Bytes of input below which reading takes less time than starting a process."""


@dataclass(slots=True, kw_only=True)
class SourceCount:
    """What one source gave in one run."""

    files: int = 0
    up_to_date: int = 0
    """Files that an earlier run has read, or refused, and that are as they were."""
    refused_before: int = 0
    """Those of them that gave nothing."""
    clips: int = 0
    annotations: int = 0
    frames: int = 0
    hours: float = 0.0
    rejects: int = 0


@dataclass(slots=True, kw_only=True)
class IngestResult:
    """What a run did."""

    store: str
    commit: int = 0
    """The store's newest commit afterwards."""
    fingerprint: str = ""
    sources: dict[str, SourceCount] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the rejects table that this run wrote: source, key, file, reason, message, line."""
    standing_rejects: int = 0
    """Files that an earlier run refused, or of which it refused the captions, and that are as they were: not read again."""
    skipped: list[dict[str, Any]] = field(default_factory=list)
    """What nobody reads: path, reason, count."""

    @property
    def clips(self) -> int:
        return sum(count.clips for count in self.sources.values())

    @property
    def read(self) -> int:
        """Clips and annotations read or known from an earlier run."""
        return sum(one.clips + one.annotations + one.up_to_date - one.refused_before for one in self.sources.values())

    @property
    def reasons(self) -> dict[str, int]:
        """Rejects of this run by reason, the most frequent first."""
        return dict(Counter(row["reason"] for row in self.rejects).most_common())


def ingest(
    paths: Sequence[str | Path],
    store: str | Path | Store,
    *,
    source: str | None = None,
    jobs: int | None = None,
    body_models: str | Path | None = None,
    progress: Progress = SILENT,
    executor: Executor | None = None,
) -> IngestResult:
    """Read everything that is recognised below some paths into a store.

    Files that an earlier run has read, and that are as they were, are not read again, except with a new or changed file
    of the same task. A file that cannot be read becomes a row of the rejects table. What is done is committed every 30 seconds and at the end, so a run that is
    killed is gone on with by calling this again.

    Args:
        paths: Folders and files.
        store: The store's folder, made where there is none; or an open store.
        source: Read everything as this source, instead of recognising it.
        jobs: Worker processes; as many as there are cores where None.
        body_models: Folder of licensed body models; None = the template body.
        progress: Is told how far it is.
        executor: Who runs the tasks, instead of `jobs` processes.

    Raises:
        MissingInput: Nothing below the paths is motion, or there is no such folder of body models.
        StoreError: The store cannot be made, read or written (full disk, no permission).
        UsageError: An unknown source.
        KeyboardInterrupt: After Ctrl-C, when the tasks in hand are finished and committed; at once after a second.
    """
    options = _options(body_models)
    detection = recognise([Path(path) for path in paths], source)
    opened = store if isinstance(store, Store) else open_store(store, create=True)
    for claim in detection.claims:
        progress.note(f"recognised {claim.source} in {claim.root} ({len(claim.files) + len(claim.sidecars):,} files)")
    result = IngestResult(store=opened.url, skipped=[skip.to_json() for skip in detection.skipped])
    committer = _committer(opened, paths)
    try:
        tasks, result.standing_rejects = _outstanding(detection, options, opened, committer, result)
        queue = deque(tasks)
        jobs = min(jobs or os.cpu_count() or 1, len(tasks)) if jobs or _worth_workers(tasks) else 1
        engine = executor or (Serial() if jobs <= 1 else ProcessPool(jobs))
        progress.start("ingest", sum(task.size for task in tasks) / 1e6, "MB")
        with _Interrupt(queue, progress) as interrupt:
            try:
                _run(engine, queue, committer, result, progress, interrupt)
            except Exception:
                interrupt.stop_if_told()
                # What other tasks have finished is worth keeping; the error at hand is the one to tell of.
                with contextlib.suppress(OSError, StoreError):
                    committer.flush()
                raise
            committer.flush()
        progress.finish()
    except OSError as error:
        raise storage_trouble(opened.url, error, committer.state.number) from error
    finally:
        committer.close()
    if interrupt.asked:
        raise KeyboardInterrupt
    with Store(opened.storage, opened.uuid, committer.state.head) as now:
        result.commit, result.fingerprint = now.commit, now.fingerprint()
    return result


def dry_run(
    paths: Sequence[str | Path],
    store: str | Path,
    *,
    source: str | None = None,
    jobs: int | None = None,
    body_models: str | Path | None = None,
) -> Plan:
    """What `ingest` would read, what is missing, and what it would take. Writes nothing.

    Raises:
        MissingInput: Nothing below the paths is motion, or there is no such folder of body models.
        UsageError: An unknown source.
    """
    options = _options(body_models)
    detection = recognise([Path(path) for path in paths], source)
    return look_ahead(detection, store, options, jobs or os.cpu_count() or 1)


def _options(body_models: str | Path | None) -> ReadOptions:
    if body_models is None:
        return ReadOptions()
    return ReadOptions(body_models=existing_folder(Path(body_models).expanduser()))


def _committer(store: Store, paths: Sequence[str | Path]) -> Committer:
    if isinstance(store.storage, LocalStorage) and not os.access(store.storage.root, os.W_OK):
        raise StoreError(
            f"{store.url}: no permission to write; change the folder's owner or mode, or name another store with --store"
        )
    if isinstance(store.storage, LocalStorage):
        store.storage.clean_temporary()
    return Committer(store.storage, f"ingest {', '.join(Path(path).name for path in paths)}")


def _outstanding(
    detection: Detection, options: ReadOptions, store: Store, committer: Committer, result: IngestResult
) -> tuple[list[Task], int]:
    """The tasks of which some file is new, changed or worth another try; and how many standing rejects the rest holds."""
    listing, doubles = list_claims(detection.claims, options)
    result.skipped += [double.to_json() for double in doubles]
    current = committer.ledger.up_to_date([listed.covered("") for listed in listing])
    for listed in listing:
        result.sources.setdefault(listed.ref.source, SourceCount()).files += 1
    tasks: list[Task] = []
    standing = 0
    for task in cut_tasks(listing, options, store.storage):
        if not all((listed.ref.source, listed.ref.key) in current for listed in task.files):
            tasks.append(task)
            continue
        before = [current[listed.ref.source, listed.ref.key] for listed in task.files]
        result.sources[task.source].up_to_date += len(before)
        result.sources[task.source].refused_before += sum(outcome == "reject" for outcome, _ in before)
        standing += sum(reason is not None for _, reason in before)
    return tasks, standing


def _worth_workers(tasks: Sequence[Task]) -> bool:
    return len(tasks) > 1 and sum(task.size for task in tasks) >= _WORTH_A_WORKER


def _run(
    engine: Executor,
    queue: deque[Task],
    committer: Committer,
    result: IngestResult,
    progress: Progress,
    interrupt: _Interrupt,
) -> None:
    for done in engine.run(run_task, queue):
        if done.result is not None:
            receipt = done.result
        elif interrupt.asked:
            continue  # the next run tries it again
        elif len(done.task.files) > 1:
            progress.note(f"a worker died ({done.died}) over {len(done.task.files)} files of {done.task.source}; "
                          "each is tried alone")  # fmt: skip
            queue.extendleft(done.task.split())
            continue
        else:
            receipt = refuse(done.task, "worker_died", f"the process that read it died ({done.died})")
        committer.add(receipt)
        _count(receipt, result.sources[done.task.source], result, progress)
        progress.advance(done.task.size / 1e6, rejects=len(result.rejects))


def _count(receipt: Receipt, count: SourceCount, result: IngestResult, progress: Progress) -> None:
    count.clips += receipt.count("clip")
    count.annotations += receipt.count("annotation")
    count.frames += receipt.frames
    count.hours += receipt.seconds / 3600
    count.rejects += len(receipt.rejects)
    result.rejects += receipt.rejects
    for row in receipt.rejects:
        if row["reason"] == "internal_error":
            progress.note(f"bug: reading {row['file']} of {row['source']} failed with {row['message']}; please report it. "
                          "The file is refused, the run goes on.")  # fmt: skip


class _Interrupt:
    """Ctrl-C: the first one lets the tasks in hand finish, the second stops at once."""

    def __init__(self, queue: deque[Task], progress: Progress) -> None:
        self._queue, self._progress = queue, progress
        self.asked = False
        self._at_once = False
        self._before: Any = None

    def __enter__(self) -> _Interrupt:
        # Only the main thread of a program may handle signals; elsewhere its owner decides what Ctrl-C does.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if isinstance(error, Exception):
            self.stop_if_told()

    def stop_if_told(self) -> None:
        """Raise what the second Ctrl-C raised, where a library (DuckDB does) made another error of it."""
        if self._at_once:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self._at_once = True
            raise KeyboardInterrupt
        self.asked = True
        self._queue.clear()
        self._progress.note("interrupted: finishing and committing the tasks in hand; Ctrl-C again stops at once")
