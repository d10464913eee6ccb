"""`gc`: give up old states, and delete what no kept state needs.

In this order, so that it can be killed anywhere and run again, beside any number of writers and readers:

1. Decide which states are kept: the newest, and every one that was the newest at some time within the grace.
2. Learn from their commits which shards and checkpoints they need; one that cannot be read stops everything here.
3. Where that lets files go, commit a higher horizon. From then on no reader can open what is about to break.
4. Delete the files that no kept state needs and that were written before the grace began. The age of each is looked at
   again right before, and commits made meanwhile are read: a writer puts every shard it needs, also one that is there,
   so what it is about to commit is young.
5. Delete what is derived and belongs to another state: indexes, features, and temporary files that nobody writes.

Ages are told by one clock alone, that of whoever keeps the files: `now` is the time that a file written now gets. The
times inside commits come from the clocks of many writers, and are only shown. Commits are never deleted.
"""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from motionunion.archives.scratch import UNPACKED, clear_abandoned
from motionunion.digest import TEMPORARY_PREFIX, name_aside
from motionunion.errors import StoreError, UsageError
from motionunion.progress import SILENT, Progress
from motionunion.store.commits import LATEST, State, read_commit, write_commit, write_hint
from motionunion.store.kept import Kept, commit_times, files_named_since, read_kept
from motionunion.store.storage import FOLDERS, TEMPORARY_IS_OLD_S, Entry, LocalStorage, Storage
from motionunion.store.trouble import storage_trouble

if TYPE_CHECKING:
    from motionunion.store.store import Store

GRACE_DAYS = 14.0
_DAY_S = 86400.0
_TRIES = 100
_LOOK_AGAIN_EVERY = 256
_OURS = {
    "shards/": re.compile(r"shards/([a-z]+)-[^/]*-[0-9a-f]{64}\.parquet"),
    "checkpoints/": re.compile(r"(checkpoint)s/[0-9]{20}-[0-9a-f]{64}\.parquet"),
}
"""Names that we give. Whatever else lies there is somebody's, and is left alone."""


@dataclass(slots=True, kw_only=True)
class GcReport:
    """What was removed, or in a dry run would be."""

    store: str
    dry_run: bool
    grace_days: float
    commit: int = 0
    """The newest commit afterwards."""
    horizon: int = 1
    """The oldest state that can be opened afterwards."""
    given_up: tuple[int, int] | None = None
    """First and last commit whose states were given up by this call."""
    removed: dict[str, dict[str, int]] = field(default_factory=dict)
    """Per kind of file, sorted: `files` and `bytes`."""
    spared: int = 0
    """Files that no kept state needs, but younger than the grace."""

    @property
    def files(self) -> int:
        """Files removed, of all kinds."""
        return sum(one["files"] for one in self.removed.values())

    @property
    def bytes(self) -> int:
        """Bytes freed."""
        return sum(one["bytes"] for one in self.removed.values())

    def count(self, kind: str, size: int) -> None:
        """Take down one removed file."""
        one = self.removed.setdefault(kind, {"files": 0, "bytes": 0})
        one["files"] += 1
        one["bytes"] += size
        self.removed = dict(sorted(self.removed.items()))


def collect_garbage(
    store: Store, *, grace_days: float = GRACE_DAYS, dry_run: bool = False, progress: Progress = SILENT
) -> GcReport:
    """Give up the states that stopped being the newest longer ago than the grace, and delete what only they need.

    Safe beside writers and readers as long as no writer takes longer than the grace from writing a shard to its commit,
    and nobody still reads a state that was superseded before. A dry run writes nothing, and goes by this machine's clock.

    Args:
        store: The store, open at its newest commit.
        grace_days: The grace, in days. 0 gives up every state but the newest, and wants a store that nobody else uses.
        dry_run: Only say what would go.
        progress: For a person.

    Raises:
        UsageError: If the grace is not a number of days.
        StoreError: If a commit that is kept cannot be read: then nothing is deleted. Or if other writers win a hundred
            times in a row.
    """
    if not (math.isfinite(grace_days) and grace_days >= 0):
        raise UsageError(f"grace of {grace_days:g} days: is a number of days, 0 or more")
    report = GcReport(store=store.url, dry_run=dry_run, grace_days=grace_days, commit=store.commit)
    try:
        if store.commit:
            _collect_files(store.storage, report, progress)
        _collect_derived(store, report, progress)
    except OSError as error:
        raise storage_trouble(store.url, error, report.commit) from error
    return report


def _collect_files(storage: Storage, report: GcReport, progress: Progress) -> None:
    for _ in range(_TRIES):
        times = commit_times(storage)
        limit = _now(storage, report, max(times)) - report.grace_days * _DAY_S
        kept = read_kept(storage, times, limit)
        report.commit, report.horizon, report.given_up = kept.newest.number, kept.newest.horizon, None
        found = list(_candidates(storage, kept))
        old = [(kind, entry) for kind, entry in found if entry.modified <= limit]
        state: State | None = kept.newest
        if kept.horizon > kept.newest.horizon and kept.lets_go(storage, {entry.name for _, entry in old}):
            report.horizon, report.given_up = kept.horizon, (kept.newest.horizon, kept.horizon - 1)
            if not report.dry_run:
                note = f"gc: give up the states before commit {kept.horizon}"
                state = write_commit(storage, kept.newest, [], [], note, horizon=kept.horizon)
        if state is not None:
            report.commit = state.number
            break
    else:
        raise StoreError(
            f"{storage.url}: other writers committed {_TRIES} times in between; run the same command again"
        )
    report.spared = len(found) - len(old)
    progress.start("gc", len(old), "files")
    needed: set[str] = set()
    seen = state.number
    for number, (kind, entry) in enumerate(old):
        if number % _LOOK_AGAIN_EVERY == 0 and not report.dry_run:
            seen, named = files_named_since(storage, seen)
            needed |= named
        if entry.name in needed or not _remove(storage, entry, limit, report.dry_run):
            report.spared += 1
        else:
            report.count(kind, entry.size)
        progress.advance(1)
    progress.finish()


def _now(storage: Storage, report: GcReport, newest: int) -> float:
    """The time that a file written now gets: the hint is written once more, as its last writer might have done."""
    if report.dry_run:
        return time.time()
    write_hint(storage, newest, read_commit(storage, newest)["digest"])
    entry = _look(storage, LATEST)
    if entry is None:
        raise StoreError(f"{storage.url}/{LATEST}: is gone, though it was written just now; run the same command again")
    return entry.modified


def _candidates(storage: Storage, kept: Kept) -> Iterator[tuple[str, Entry]]:
    """Files of ours that no kept state needs, with their kind."""
    for prefix, pattern in _OURS.items():
        for entry in storage.list(prefix):
            match = pattern.fullmatch(entry.name)
            if match and entry.name not in kept.names:
                yield match.group(1), entry


def _remove(storage: Storage, entry: Entry, limit: float, dry_run: bool) -> bool:
    """Delete a file, unless it has been written again; says whether it is gone."""
    if dry_run:
        return True
    now = _look(storage, entry.name)
    if now is not None and now.modified > limit:
        return False
    storage.delete(entry.name)
    return True


def _look(storage: Storage, name: str) -> Entry | None:
    """One file as it is now; None where it is gone."""
    if isinstance(storage, LocalStorage):  # a listing reads the whole folder there
        try:
            status = storage.path(name).stat()
        except FileNotFoundError:
            return None
        return Entry(name, status.st_size, status.st_mtime)
    return next((entry for entry in storage.list(name) if entry.name == name), None)


def _collect_derived(store: Store, report: GcReport, progress: Progress) -> None:
    """Indexes and features of other states, and temporary files that nobody has written to for hours.

    Who has such a file open keeps it (POSIX); who asks for that state again makes it again. Features cost more than an
    index, and so have the grace as well: a training run may open them once more.
    """
    from motionunion.feature_files import stale_features
    from motionunion.store.store import open_store

    now = time.time()  # these are this machine's own files, also where the store is elsewhere
    with open_store(store.url, storage=store.storage) as newest:
        numbered = {path: int(path.name[:20]) for path in newest.index_folder.glob(f"{'[0-9]' * 20}-*.duckdb")}
        # The last one that there is stays: the next is made from it, and quickly so.
        last = max((number for number in numbered.values() if number <= newest.commit), default=0)
        for path, number in numbered.items():
            if number != last:
                _remove_derived("index", path, report, progress)
        if newest.cache_dir.is_dir() and any(newest.cache_dir.iterdir()):
            _clear_unpacked(newest.cache_dir / UNPACKED, report)
            for folder in stale_features(newest.cache_dir, _fingerprint(newest, report.dry_run)):
                if now - _last_written(folder) >= report.grace_days * _DAY_S:
                    _remove_derived("features", folder, report, progress)
        roots = {newest.derived, *([store.storage.root] if isinstance(store.storage, LocalStorage) else [])}
    for root in roots:
        for folder in (root, *(root / name for name in FOLDERS)):
            for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
                if now - _last_written(path) > TEMPORARY_IS_OLD_S:
                    _remove_derived("temporary", path, report, progress)


def _fingerprint(newest: Store, dry_run: bool) -> str:
    """A store's fingerprint; a dry run leaves no index behind for it where there is none."""
    from motionunion.store.index import find_index, index_in_memory

    if not dry_run or find_index(newest.index_folder, newest.head) is not None:
        return newest.fingerprint()
    with contextlib.closing(index_in_memory(newest.storage, newest.state)) as index:
        ((fingerprint,),) = index.execute("SELECT value FROM about WHERE name = 'fingerprint'").fetchall()
    return str(fingerprint)


def _clear_unpacked(folder: Path, report: GcReport) -> None:
    """What ingests that were killed unpacked from archives. Whose it is only taking its lock can tell: not in a dry run."""
    if report.dry_run:
        return
    before = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    clear_abandoned(folder)
    for path, size in before.items():
        if not path.exists():
            report.count("unpacked", size)


def _last_written(path: Path) -> float:
    """When a file, or anything in a folder, was last written; now where it is just going away."""
    try:
        times: list[float] = [one.stat().st_mtime for one in (path, *(path.rglob("*") if path.is_dir() else ()))]
        return max(times)
    except FileNotFoundError:
        return time.time()


def _remove_derived(kind: str, path: Path, report: GcReport, progress: Progress) -> None:
    """Remove a file, or a folder: under another name first, so that none is ever found half there."""
    try:
        files = [one for one in (path, *path.rglob("*")) if one.is_file()]
        sizes = [one.stat().st_size for one in files]
        if not report.dry_run and path.is_dir():
            aside = path.rename(name_aside(path))
            shutil.rmtree(aside)
        elif not report.dry_run:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return  # another gc was faster
    except PermissionError as error:  # Windows keeps what a reader has open; the next gc removes it
        progress.note(f"{path}: cannot be removed ({error.strerror})")
        return
    for size in sizes:
        report.count(kind, size)
