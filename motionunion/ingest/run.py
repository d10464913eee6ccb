"""Ingest: what lies at some paths, into a store, whatever happens on the way."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from motionunion.archives.scratch import UNPACKED
from motionunion.body_models import existing_folder
from motionunion.engines.protocol import OUT_OF_MEMORY, Done, Executor
from motionunion.errors import SourceFormatError, StoreError, UsageError
from motionunion.ingest.archives import Archives, Batch
from motionunion.ingest.interrupt import Interrupt
from motionunion.ingest.outstanding import outstanding, refused_before
from motionunion.ingest.plan import Task
from motionunion.ingest.preflight import Plan, look_ahead
from motionunion.ingest.result import IngestResult
from motionunion.ingest.share import Share
from motionunion.ingest.staff import Staff
from motionunion.ingest.task import refuse, run_task
from motionunion.joint_maps import JointMap, read_joint_map
from motionunion.progress import SILENT, Progress
from motionunion.sources import ReadOptions
from motionunion.sources.detect import recognise
from motionunion.store.committer import Committer
from motionunion.store.location import from_home
from motionunion.store.receipts import Receipt
from motionunion.store.storage import LocalStorage
from motionunion.store.store import Store, open_store
from motionunion.store.trouble import storage_trouble

OnError = Literal["continue", "fail"]
_REASONS_SHOWN = 3


def ingest(
    paths: Sequence[str | Path],
    store: str | Path | Store,
    *,
    source: str | None = None,
    jobs: int | None = None,
    body_models: str | Path | None = None,
    skeletons: Sequence[str | Path] = (),
    progress: Progress = SILENT,
    executor: Executor | None = None,
    engine: str | None = None,
    shard: str | None = None,
    memory: int | None = None,
    on_error: OnError = "continue",
    scratch: str | Path | None = None,
) -> IngestResult:
    """Read everything that is recognised below some paths into a store.

    Files that an earlier run has read, and that are as they were, are not read again, except with a new or changed file
    of the same task. A file that cannot be read becomes a row of the rejects table. What is done is committed every 30
    seconds and at the end, so a run that is killed is gone on with by calling this again.

    Args:
        paths: Folders and files.
        store: The store's folder, made where there is none; or an open store.
        source: Read everything as this source, instead of recognising it.
        jobs: Worker processes; as many as there are cores where None.
        body_models: Folder of licensed body models; None = the template body.
        skeletons: Joint maps of BVH skeletons that are not known (`motionunion.joint_maps.read_joint_map`).
        progress: Is told how far it is.
        executor: Who runs the tasks, instead of what `engine`, `jobs` and `memory` say.
        engine: `pool` (processes of this machine), `ray` (a cluster: files and a local store lie on a file system that all
            its nodes share), or None: processes where the work is worth starting them.
        shard: `i/n`: do one share of n, i from 0. All shares together, in any order, into one store or into several that
            are merged, do what one run does.
        memory: Bytes that this process and its workers may take together; half of the machine's where None.
        on_error: `fail` = stop when a file is refused, instead of going on with the others.
        scratch: Folder into which archives are unpacked, one at a time; the store's cache where None.

    Raises:
        MissingInput: Nothing below the paths is motion, or there is no such folder of body models.
        StoreError: The store cannot be made, read or written (full disk, no permission).
        UsageError: An unknown source or engine, a shard that is none, too little memory, a map that is none or that no file
            has the skeleton of.
        MissingExtra: Ray is asked for and not installed.
        SourceFormatError: `on_error` is `fail`, and a file was refused, now or by an earlier run; what else is done is
            committed.
        KeyboardInterrupt: After Ctrl-C, when the tasks in hand are finished and committed; at once after a second.
    """
    share = None if shard is None else Share.parse(shard)
    staff = Staff(engine, jobs, memory)
    if on_error not in ("continue", "fail"):
        raise UsageError(f"--on-error {on_error}: either continue or fail")
    if engine == "ray":  # other nodes have other working folders
        paths = [_everywhere(path) for path in paths]
        store = store if isinstance(store, Store) else _everywhere(store)
        body_models = None if body_models is None else _everywhere(body_models)
    options = _options(body_models, skeletons)
    detection = recognise([Path(path) for path in paths], source, options.skeletons)
    opened = store if isinstance(store, Store) else open_store(store, create=True)
    for claim in detection.claims:
        count = len(claim.files) + len(claim.sidecars)
        progress.note(f"recognised {claim.source} in {claim.root} ({count:,} file{'' if count == 1 else 's'})")
    result = IngestResult(store=opened.url, shard=shard)
    result.skip(detection.skipped)
    committer = _committer(opened, paths)
    try:
        archives = Archives(
            detection.archives,
            options,
            opened.storage,
            committer,
            result,
            progress,
            opened.cache_dir / UNPACKED if scratch is None else from_home(scratch),
            source=source,
            share=share,
            stop=on_error == "fail",
        )
        for batch in archives.batches(detection):
            tasks, refused = outstanding(batch, options, opened, committer, result, share)
            if refused and on_error == "fail":
                raise refused_before(batch.shown(refused.ref.path))
            # The largest first: a large one that begins last is waited for by everyone.
            queue = deque(sorted(tasks, key=lambda task: -task.size))
            progress.start("ingest", sum(task.size for task in tasks) / 1e6, "MB")
            with Interrupt(queue, progress) as interrupt:
                run = _Run(queue, batch, committer, result, progress, interrupt, stop=on_error == "fail")
                try:
                    run.run(executor or staff.executor(tasks, progress))
                except Exception:
                    interrupt.stop_if_told()
                    # What other tasks have finished is worth keeping; the error at hand is the one to tell of.
                    with contextlib.suppress(OSError, StoreError):
                        committer.flush()
                    raise
                committer.flush()
            progress.finish()
            if interrupt.asked or run.refused is not None:
                break
    except OSError as error:
        raise storage_trouble(opened.url, error, committer.state.number) from error
    finally:
        committer.close()
    if interrupt.asked:
        raise KeyboardInterrupt
    if run.refused is not None:
        raise run.refused
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
    skeletons: Sequence[str | Path] = (),
    shard: str | None = None,
) -> Plan:
    """What `ingest` would read, what is missing, and what it would take. Writes nothing.

    Raises:
        MissingInput: Nothing below the paths is motion, or there is no such folder of body models.
        UsageError: An unknown source, a shard that is none, or a map as in `ingest`.
    """
    share = None if shard is None else Share.parse(shard)
    options = _options(body_models, skeletons)
    detection = recognise([Path(path) for path in paths], source, options.skeletons)
    return look_ahead(detection, store, options, jobs or os.cpu_count() or 1, share)


def _everywhere(path: str | Path) -> str | Path:
    """The path from the root of the file system; a URL as it is."""
    return path if "://" in str(path) else from_home(path).absolute()


def _options(body_models: str | Path | None, skeletons: Sequence[str | Path]) -> ReadOptions:
    maps: dict[str, JointMap] = {}
    for path in skeletons:
        joint_map = read_joint_map(from_home(path))
        if joint_map.skeleton_id in maps:
            raise UsageError(f"--skeleton {path}: another map is called {joint_map.skeleton_id} too; rename one file")
        maps[joint_map.skeleton_id] = joint_map
    return ReadOptions(
        body_models=None if body_models is None else existing_folder(from_home(body_models)),
        skeletons=tuple(maps.values()),
    )


def _committer(store: Store, paths: Sequence[str | Path]) -> Committer:
    if isinstance(store.storage, LocalStorage) and not os.access(store.storage.root, os.W_OK):
        raise StoreError(
            f"{store.url}: no permission to write; change the folder's owner or mode, or name another store with --store"
        )
    if isinstance(store.storage, LocalStorage):
        store.storage.clean_temporary()
    return Committer(store.storage, f"ingest {', '.join(Path(path).name for path in paths)}")


class _Run:
    """What becomes of the tasks of one run."""

    def __init__(
        self,
        queue: deque[Task],
        batch: Batch,
        committer: Committer,
        result: IngestResult,
        progress: Progress,
        interrupt: Interrupt,
        *,
        stop: bool,
    ) -> None:
        self._queue, self._batch, self._committer, self._result = queue, batch, committer, result
        self._progress, self._interrupt, self._stop = progress, interrupt, stop
        self.refused: SourceFormatError | None = None
        """The first refusal of a run that stops at one."""

    def run(self, engine: Executor) -> None:
        """Do the tasks in the queue. Raises what no single file is to blame for."""
        for done in engine.run(run_task, self._queue):
            receipt = self._receipt(done)
            if receipt is None:
                continue
            self._committer.add(receipt)
            self._count(done.task, receipt)
            if self._stop and receipt.rejects and self.refused is None:
                self.refused = self._refusal(done.task, receipt)
                self._queue.clear()

    def _receipt(self, done: Done[Task, Receipt]) -> Receipt | None:
        """What a task gave; None where its files are yet to be tried, one by one or by the next run."""
        if done.result is not None:
            return done.result
        task = done.task
        if self._interrupt.asked or self.refused is not None:
            return None  # the next run tries it again
        if len(task.files) > 1:
            self._progress.note(
                f"a worker died ({done.died}) over {len(task.files)} files of {task.source}; each is tried alone"
            )
            self._queue.extendleft(reversed(task.split()))
            return None
        if done.died == OUT_OF_MEMORY:
            return refuse(task, "out_of_memory", "needs more memory than a run may take (--memory)")
        return refuse(task, "worker_died", f"the process that read it died ({done.died})")

    def _count(self, task: Task, receipt: Receipt) -> None:
        self._result.count(receipt)
        for row in receipt.rejects:
            if row["reason"] == "internal_error":
                self._progress.note(
                    f"bug: reading {row['file']} of {row['source']} failed with {row['message']}; please report it. "
                    "The file is refused, the run goes on."
                )
        often = list(self._result.reasons.items())[:_REASONS_SHOWN]
        self._progress.advance(task.size / 1e6, refused=self._result.refused, **dict(often))

    def _refusal(self, task: Task, receipt: Receipt) -> SourceFormatError:
        row = receipt.rejects[0]
        root = next(listed.ref.root for listed in task.files if listed.ref.key == row["key"])
        return SourceFormatError(
            self._batch.shown(root / row["file"]),
            f"{row['message']} (--on-error fail). {len(self._queue):,} tasks were not begun; everything else is committed. "
            "Repair or remove the file and run the same command again, or use --on-error continue.",
            line=row["line"],
            reason=row["reason"],
        )
