"""`compact`: many small shards into few of a good size, without reading a source.

A shard takes part where its live rows fill less than half of the target, so that what was compacted once is left alone
afterwards. Old shards leave the list; their files stay for readers and earlier commits until `gc`. Killed at any point,
the commits made so far stand, and running it again does the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from motionunion.errors import UsageError
from motionunion.progress import SILENT, Progress
from motionunion.store.committer import Committer
from motionunion.store.receipts import Covered, Live
from motionunion.store.regroup import ShardDamage, Take, regroup
from motionunion.store.shards import Shard
from motionunion.store.store import Store, open_store
from motionunion.store.trouble import storage_trouble

TARGET_BYTES = 128 << 20
SMALLEST_TARGET = 64 << 10
_FULL_ROWS = 1 << 16
"""A shard of so many rows is full whatever its bytes: all its receipts are in memory at once."""
_KINDS = ("clips", "captions", "segments", "rejects", "receipts")
"""Receipts last: moving rows of the other kinds writes new ones."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    shard: Shard
    first: str
    """First live key: neighbours come together."""
    fill: float
    """Share of a full shard that its live rows make."""
    all_live: bool


@dataclass(slots=True, kw_only=True)
class CompactResult:
    """What a compaction did."""

    store: str
    commit: int = 0
    """The store's newest commit afterwards."""
    commits: int = 0
    """Commits made; none where there was nothing to do."""
    before: dict[str, int] = field(default_factory=dict)
    """Shards of each kind."""
    after: dict[str, int] = field(default_factory=dict)
    bytes_before: int = 0
    bytes_after: int = 0
    clips: int = 0
    """Clips copied, each held against its content hash."""
    damage: list[dict[str, str]] = field(default_factory=list)
    """Shards that were left as they are, since they are damaged: `file` and `problem`."""


def compact(store: str | Path | Store, *, target: int = TARGET_BYTES, progress: Progress = SILENT) -> CompactResult:
    """Bring a store's small shards, and those of which little is live, together.

    The fingerprint stays. What another writer commits meanwhile is never overridden.

    Args:
        store: The store, its folder or its URL.
        target: Bytes of a full shard.
        progress: Is told how far it is.

    Raises:
        UsageError: If the target is below 64 KiB.
        StoreError: If the store cannot be read or written. A damaged shard of clips, captions, segments or rejects does
            not raise: it is left alone, and named in the result.
    """
    if target < SMALLEST_TARGET:
        raise UsageError(f"a target of {target} bytes: a shard has at least {SMALLEST_TARGET} (64 KiB)")
    opened = store if isinstance(store, Store) else open_store(store)
    result = CompactResult(store=opened.url)
    committer = Committer(opened.storage, "compact")
    try:
        result.before, result.bytes_before = _sizes(committer)
        progress.start("compact", result.bytes_before / 1e6, "MB")
        left_alone: set[str] = set()
        for kind in _KINDS:
            while batches := _plan(committer, kind, target, left_alone):
                for batch in batches:
                    _compact(opened, committer, batch, left_alone, result)
                    progress.advance(sum(one.bytes for one in batch) / 1e6, damaged=len(result.damage))
        progress.finish()
        result.after, result.bytes_after = _sizes(committer)
        result.commit, result.commits = committer.state.number, len(committer.commits)
    except OSError as error:
        raise storage_trouble(opened.url, error, committer.state.number) from error
    finally:
        committer.close()
    return result


def _sizes(committer: Committer) -> tuple[dict[str, int], int]:
    shards = committer.state.shards.values()
    return {kind: sum(one.kind == kind for one in shards) for kind in _KINDS}, sum(one.bytes for one in shards)


def _plan(committer: Committer, kind: str, target: int, left_alone: set[str]) -> list[list[Shard]]:
    """Which shards become one; a pure function of the store's state. Each batch makes one shard of two, or leaves out rows
    that are not live, so that planning again after each pass comes to an end."""
    by_source: dict[str, list[_Candidate]] = defaultdict(list)
    use = committer.ledger.use()
    for shard in committer.state.of_kind(kind):
        rows, source, first = use.get(shard.name, (0, "", ""))
        if kind == "rejects":
            rows = shard.rows  # receipts do not say how many a file has
        fill = max(shard.bytes * rows / shard.rows / target, rows / _FULL_ROWS)
        if fill < 0.5 and shard.name not in left_alone:
            # Not by the name of the shard, which is the same for sources that differ in a sign alone.
            by_source[source].append(_Candidate(shard, first, fill, rows >= shard.rows))
    batches = []
    for source in sorted(by_source):
        for batch in _filled(sorted(by_source[source], key=lambda one: (one.first, one.shard.name))):
            if len(batch) > 1 or not batch[0].all_live:
                batches.append([one.shard for one in batch])
    return batches


def _filled(candidates: Sequence[_Candidate]) -> list[list[_Candidate]]:
    """Cut so that each part fills one shard."""
    batches: list[list[_Candidate]] = []
    total = 0.0
    for one in candidates:
        if not batches or total + one.fill > 1:
            batches.append([])
            total = 0.0
        batches[-1].append(one)
        total += one.fill
    return batches


def _source(shard: Shard) -> str:
    """Whose rows a shard holds: `<kind>-<source>-<sha256>.parquet`."""
    return shard.name.removeprefix(f"{shard.kind}-").removesuffix(f"-{shard.sha256}.parquet")


def _compact(
    store: Store, committer: Committer, batch: Sequence[Shard], left_alone: set[str], result: CompactResult
) -> None:
    """Make one shard of a batch, and commit it."""
    kind, old = batch[0].kind, {shard.name for shard in batch}
    addresses = committer.ledger.addresses_in(old)
    if kind == "receipts":
        if not committer.amend(addresses, lambda _, live: None if live is None else live.rows):
            left_alone |= old
        return
    wanted: dict[str, dict[str, Covered]] = {name: {} for name in old}
    for (_, key), live in committer.ledger.live(addresses).items():
        placing = _placing(kind, live)
        name = None if placing is None else placing.place(kind)
        if placing is not None and name in wanted:
            wanted[name][key] = placing
    takes = [Take(shard, wanted[shard.name]) for shard in batch if wanted[shard.name]]
    if not takes:
        left_alone |= old  # nothing of it is live: the next commit, whosever, takes it out of the list
        return
    try:
        new = regroup(store.storage, takes, store.storage, _source(batch[0]))
    except ShardDamage as damage:
        result.damage.append({"file": f"shards/{damage.shard}", "problem": str(damage)})
        left_alone.add(damage.shard)
        return

    def moved(address: tuple[str, str], live: Live | None) -> Sequence[Covered] | None:
        placing = None if live is None else _placing(kind, live)
        if live is None or placing is None or placing.place(kind) not in old:
            return None  # another writer brought something newer meanwhile
        return [one.placed(kind, new.name) if one == placing else one for one in live.rows]

    said = committer.amend(addresses, moved, [new])
    if not said:
        left_alone |= old
    elif kind == "clips":
        result.clips += sum(one.outcome == "clip" for one in said)


def _placing(kind: str, live: Live) -> Covered | None:
    """The receipt that says where the live rows of a kind lie."""
    return live.newest if kind == "rejects" else live.holding
